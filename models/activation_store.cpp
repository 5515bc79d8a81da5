#include "models/activation_store.h"

#include <ATen/ops/empty.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.h"

namespace plumb::models {

namespace {

constexpr size_t kPieceBytes = size_t{1} << 30;  // what one call moves at most

std::filesystem::path folder_of(const ActivationRoom& room) {
  return room.folder.empty() ? std::filesystem::temp_directory_path() : room.folder;
}

}  // namespace

ActivationStore::~ActivationStore() {
  if (file_ >= 0) ::close(file_);
}

void ActivationStore::put(int64_t key, at::Tensor x, int64_t next_use) {
  if (!x.is_contiguous() || entries_.contains(key))
    throw Error(ErrorKind::kInvariant, text("activation ", key, " is ",
                                            x.is_contiguous() ? "there already" : "in pieces"));
  Entry& added = entries_[key];
  added.bytes = x.nbytes();
  added.sizes = x.sizes().vec();
  added.type = x.scalar_type();
  added.device = x.device();
  added.next_use = next_use;
  peak_size_ = std::max(peak_size_, size());
  hold(key, added, x.to(at::kCPU));
  make_room();
}

at::Tensor ActivationStore::get(int64_t key, int64_t next_use) {
  Entry& found = entry(key);
  at::Tensor x = found.x;
  if (x.defined()) {
    release(key, found);
  } else {
    x = read(found);
  }
  found.next_use = next_use;
  hold(key, found, x);
  make_room();
  return x.to(found.device);
}

at::Tensor ActivationStore::take(int64_t key) {
  Entry& found = entry(key);
  at::Tensor x = found.x;
  if (x.defined()) {
    release(key, found);
  } else {
    x = read(found);
  }
  x = x.to(found.device);
  if (found.place >= 0) free_[found.bytes].push_back(found.place);
  entries_.erase(key);
  return x;
}

ActivationStore::Entry& ActivationStore::entry(int64_t key) {
  const auto found = entries_.find(key);
  if (found == entries_.end())
    throw Error(ErrorKind::kInvariant, text("there is no activation ", key));
  return found->second;
}

void ActivationStore::hold(int64_t key, Entry& entry, at::Tensor x) {
  entry.x = std::move(x);
  in_memory_.emplace(entry.next_use, key);
  memory_bytes_ += entry.bytes;
}

void ActivationStore::release(int64_t key, Entry& entry) {
  entry.x.reset();
  in_memory_.erase({entry.next_use, key});
  memory_bytes_ -= entry.bytes;
}

void ActivationStore::make_room() {
  while (memory_bytes_ > room_.memory_bytes && !in_memory_.empty()) {
    const int64_t key = in_memory_.rbegin()->second;
    Entry& last = entries_.at(key);
    if (last.place < 0) write(last);
    release(key, last);
  }
  peak_memory_bytes_ = std::max(peak_memory_bytes_, memory_bytes_);
}

void ActivationStore::open_file() {
  const std::filesystem::path folder = folder_of(room_);
  std::string name = (folder / "plumb-activations-XXXXXX").string();
  file_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (file_ < 0)
    throw Error(ErrorKind::kResource,
                text("activations do not fit into memory and no file for them can be made in '",
                     folder.string(), "': ", std::generic_category().message(errno),
                     "; set TMPDIR to a folder with room, or raise --memory-limit"));
  ::unlink(name.c_str());
}

void ActivationStore::write(Entry& entry) {
  if (file_ < 0) open_file();
  auto& places = free_[entry.bytes];
  const bool reused = !places.empty();
  const int64_t place = reused ? places.back() : file_end_;
  const auto* bytes = static_cast<const char*>(entry.x.const_data_ptr());
  for (uint64_t done = 0; done < entry.bytes;) {
    const ssize_t wrote = ::pwrite(file_, bytes + done, std::min(kPieceBytes, entry.bytes - done),
                                   place + static_cast<int64_t>(done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0)
      throw Error(ErrorKind::kResource,
                  text("activations do not fit into memory, and the file for them in '",
                       folder_of(room_).string(), "' cannot grow beyond ", file_end_,
                       " bytes: ", std::generic_category().message(wrote < 0 ? errno : ENOSPC),
                       "; free space there, set TMPDIR to a folder with room, or raise "
                       "--memory-limit"));
    done += static_cast<uint64_t>(wrote);
  }
  // Pages that are on disk can be taken by the system at once, whoever needs them; dropping them here would have them
  // read from the disk again where there is memory for them.
  ::sync_file_range(file_, place, static_cast<int64_t>(entry.bytes), SYNC_FILE_RANGE_WRITE);
  if (reused) places.pop_back();
  if (!reused) file_end_ += static_cast<int64_t>(entry.bytes);
  entry.place = place;
  written_bytes_ += entry.bytes;
}

at::Tensor ActivationStore::read(const Entry& entry) {
  at::Tensor x = at::empty(entry.sizes, entry.type);
  auto* bytes = static_cast<char*>(x.mutable_data_ptr());
  for (uint64_t done = 0; done < entry.bytes;) {
    const ssize_t got = ::pread(file_, bytes + done, std::min(kPieceBytes, entry.bytes - done),
                                entry.place + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      throw Error(ErrorKind::kResource,
                  text("activations cannot be read back from '", folder_of(room_).string(),
                       "': ", got < 0 ? std::generic_category().message(errno) : "the file ends"));
    done += static_cast<uint64_t>(got);
  }
  return x;
}

}  // namespace plumb::models
