#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace plumb::models {

/// Where activations that wait may stay.
struct ActivationRoom {
  uint64_t memory_bytes = std::numeric_limits<uint64_t>::max();
  std::filesystem::path folder =
      {};  ///< for the file of what is beyond that; empty: TMPDIR or /tmp
};

/// Activations that wait for their next use, by key: in memory up to the room's bytes, in a file beyond them. The one
/// that is used last goes first, which reads and writes least when every next use is known, and that one may be the
/// newcomer itself. What comes back has the same bits. The file has no name, so nothing is left behind however the
/// process ends; its pages are given back to the system once written. Those of a device wait on the host.
///
/// Errors: Error{kResource} where the file cannot be made, written or read, with what to do; Error{kInvariant} for a key
/// that is not there, or is there already. Thread rule: one thread at a time.
class ActivationStore {
 public:
  explicit ActivationStore(ActivationRoom room) : room_(std::move(room)) {}
  ~ActivationStore();
  ActivationStore(const ActivationStore&) = delete;
  ActivationStore& operator=(const ActivationStore&) = delete;

  /// `next_use` is a time in any unit that ascends; `x` is contiguous and belongs to the store until it is taken.
  void put(int64_t key, at::Tensor x, int64_t next_use);
  /// The activation, which stays for another use; not to be written to.
  at::Tensor get(int64_t key, int64_t next_use);
  /// The activation, which the store lets go of.
  at::Tensor take(int64_t key);

  int64_t size() const { return static_cast<int64_t>(entries_.size()); }
  int64_t peak_size() const { return peak_size_; }
  uint64_t peak_memory_bytes() const { return peak_memory_bytes_; }
  uint64_t written_bytes() const { return written_bytes_; }  ///< to the file, in all

 private:
  struct Entry {
    at::Tensor x;        ///< undefined where it is in the file alone
    int64_t place = -1;  ///< byte in the file; -1: it was never there
    uint64_t bytes = 0;
    std::vector<int64_t> sizes = {};
    at::ScalarType type = at::kFloat;
    at::Device device = at::kCPU;
    int64_t next_use = 0;
  };
  Entry& entry(int64_t key);
  void hold(int64_t key, Entry& entry, at::Tensor x);
  void release(int64_t key, Entry& entry);
  void make_room();
  at::Tensor read(const Entry& entry);
  void write(Entry& entry);
  void open_file();

  ActivationRoom room_;
  std::map<int64_t, Entry> entries_;
  std::set<std::pair<int64_t, int64_t>> in_memory_;  ///< next use, key
  std::map<uint64_t, std::vector<int64_t>> free_;    ///< places by size
  int file_ = -1;
  int64_t file_end_ = 0;
  uint64_t memory_bytes_ = 0, peak_memory_bytes_ = 0, written_bytes_ = 0;
  int64_t peak_size_ = 0;
};

}  // namespace plumb::models
