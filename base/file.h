#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace plumb {

/// The whole regular file. Error{kInput} naming the path and the system's reason.
std::string read_file(const std::filesystem::path& path);

/// Writes `content` so that `path` holds the old bytes or the new, never a part: temporary file in
/// the same folder, fsync, rename, fsync of the folder. A process killed within it leaves at most
/// ".<name>.<pid>.<number>.tmp" there. Error{kResource} naming the path and the system's reason; no
/// temporary file stays.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// Makes `folder` (with its parents) where it is missing and tries a write in it, before hours of
/// work are spent. Error{kResource} where that fails.
void require_writable_folder(const std::filesystem::path& folder);

/// A regular file open for reading, and the size that it had then. Opening never waits, whatever
/// the path names (a FIFO, a device). Where the file is cut short meanwhile, reading is an Error; a
/// map would end the process. Moves, does not copy; const methods may run concurrently.
class InputFile {
 public:
  /// Error{kInput} naming the path and the system's reason, or for what is no regular file.
  explicit InputFile(const std::filesystem::path& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }
  /// The bytes from `begin` on into `out`. Error{kInput} where the file has become shorter or
  /// cannot be read.
  void read(uint64_t begin, std::span<std::byte> out) const;
  /// What tells the file as it is now from any other file and any other state of it: device, inode, size, and the times
  /// of its last write and last change in nanoseconds. Error{kInput} where the system does not say.
  std::string state() const;
  /// The later of both times.
  std::chrono::system_clock::time_point last_change() const;

 private:
  friend class MappedFile;
  std::filesystem::path path_;
  uint64_t size_ = 0;
  int descriptor_ = -1;
};

/// A file mapped read-only. Pages are shared with the system's cache. Error{kInput} where it cannot
/// be opened, is no regular file, or is empty. Moves, does not copy.
///
/// Reading assumes that nobody truncates the file while it is mapped: past its new end the system
/// raises SIGBUS, which no process can turn into an Error. Replace files by renaming a new one over
/// them, as write_file_atomically does; the mapping then keeps the old bytes.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  /// As long as `file` had when it was opened; not a second time opened.
  explicit MappedFile(const InputFile& file);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  /// Tells the system that [begin, end) will not be read again soon, so that its whole pages stop
  /// counting as resident. Reading them again is right, only slower. Error{kInvariant} for a range
  /// outside the file.
  void drop(uint64_t begin, uint64_t end) const;

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace plumb
