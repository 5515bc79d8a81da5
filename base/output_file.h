#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace plumb {

/// A new file that is written piece by piece, for what is too large to be held as one string. Its bytes are safe on
/// disk once `finish` has returned. Destroyed before that, it removes what was written.
///
/// Errors: Error{kResource} naming the file and the system's reason (full disk, missing folder, a file that is there).
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view bytes);
  void finish();  ///< fsync and close; the last call

 private:
  [[noreturn]] void fail(int error) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// A folder that appears at `target` whole or not at all: it is filled under another name beside it and renamed once
/// everything in it is on disk. Destroyed before `publish`, it leaves nothing, not even parents that it made. A process
/// killed within it leaves at most ".<name>.<pid>.<number>.tmp" beside the target, which the next NewFolder of that
/// target removes.
///
/// Errors: Error{kUsage} where `target` exists and is not an empty folder; Error{kResource} naming the path and the
/// system's reason where it cannot be made.
class NewFolder {
 public:
  explicit NewFolder(const std::filesystem::path& target);
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder();

  const std::filesystem::path& path() const { return temporary_; }  ///< where to write meanwhile
  /// Files in it have been synced by who wrote them (OutputFile, write_file_atomically). The last call.
  void publish();

 private:
  void remove_leftovers() const;
  void remove_made_parents() const;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  std::filesystem::path made_parent_;  // the outermost parent that was missing; empty: none was
  bool published_ = false;
};

/// Makes names in `folder` (renames into it) outlive a power cut. 0 or the system's error.
int sync_folder(const std::filesystem::path& folder);

}  // namespace plumb
