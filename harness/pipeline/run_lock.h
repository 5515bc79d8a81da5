#pragma once

#include <filesystem>

#include "harness/pipeline/publish.h"

namespace plumb::harness {

/// An output folder for one process at a time: an flock of `<folder>/.stages/lock`, which is made
/// and goes again. Where the file system has no such locks everybody gets one; then two processes
/// still damage nothing unseen, as every file is checked or renamed into place.
///
/// Error{kResource} where another process has it, or where the file cannot be made.
class RunLock {
 public:
  explicit RunLock(const std::filesystem::path& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  MissingFolders missing_;
  std::filesystem::path path_;  ///< whose folder goes too where it is empty
  int descriptor_ = -1;
};

}  // namespace plumb::harness
