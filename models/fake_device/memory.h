#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>

namespace plumb::models {

/// The fake device's memory: pages that are mapped twice. Tensors hold addresses of the first mapping, which nobody may
/// read or write, so that a function of the host that is handed a device's tensor crashes as it would with a real one.
/// The device's own operations use the second.
class FakeMemory {
 public:
  FakeMemory() {
    const int file = memfd_create("fake device", 0);
    if (file < 0 || ftruncate(file, kReserved) != 0) return;
    void* closed = mmap(nullptr, kReserved, PROT_NONE, MAP_SHARED | MAP_NORESERVE, file, 0);
    void* open =
        mmap(nullptr, kReserved, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (closed == MAP_FAILED || open == MAP_FAILED) return;
    file_ = file;
    closed_ = static_cast<char*>(closed);
    open_ = static_cast<char*>(open);
    free_[0] = kReserved;
  }

  bool usable() const { return file_ >= 0; }
  bool holds(const void* pointer) const {
    return pointer >= closed_ && pointer < closed_ + kReserved;
  }
  /// The address that the device uses for what a tensor calls `pointer`; an empty tensor has none.
  void* open(const void* pointer) const {
    if (pointer == nullptr) return nullptr;
    return open_ + (static_cast<const char*>(pointer) - closed_);
  }

  /// nullptr where the device is full.
  void* allocate(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    const uint64_t pages = (bytes + kPage - 1) / kPage * kPage + (bytes == 0 ? kPage : 0);
    if (used_bytes + pages > limit_bytes) return nullptr;
    for (auto hole = free_.begin(); hole != free_.end(); ++hole) {
      if (hole->second < pages) continue;
      const auto [begin, size] = *hole;
      free_.erase(hole);
      if (size > pages) free_[begin + pages] = size - pages;
      used_[begin] = pages;
      used_bytes += pages;
      peak_bytes = std::max(peak_bytes, used_bytes);
      kept_bytes = std::max(kept_bytes, used_bytes);
      return closed_ + begin;
    }
    return nullptr;
  }

  void release(void* pointer) {
    const std::lock_guard lock(mutex_);
    const auto begin = static_cast<uint64_t>(static_cast<char*>(pointer) - closed_);
    const auto found = used_.find(begin);
    if (found == used_.end()) return;
    uint64_t size = found->second;
    used_.erase(found);
    used_bytes -= size;
    // What is read before it is written again is 0, not what was there.
    fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin),
              static_cast<off_t>(size));
    auto next = free_.lower_bound(begin);
    if (next != free_.end() && begin + size == next->first) {
      size += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == begin) {
        before->second += size;
        return;
      }
    }
    free_[begin] = size;
  }

  uint64_t used_bytes = 0;
  uint64_t peak_bytes = 0;
  uint64_t kept_bytes = 0;  ///< as if it gave nothing back, like the allocators of devices
  uint64_t limit_bytes = kReserved;

  static constexpr uint64_t kReserved = uint64_t{16} << 30;  ///< addresses, not memory

 private:
  static constexpr uint64_t kPage = 4096;
  std::mutex mutex_;
  int file_ = -1;
  char* closed_ = nullptr;
  char* open_ = nullptr;
  std::map<uint64_t, uint64_t> free_;  ///< begin, size
  std::map<uint64_t, uint64_t> used_;
};

}  // namespace plumb::models
