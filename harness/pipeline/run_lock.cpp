#include "harness/pipeline/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/error.h"
#include "base/file.h"

namespace plumb::harness {

namespace fs = std::filesystem;

namespace {

/// Whether `path` is the file that is open, and not one that somebody made after this one was taken away.
bool is_at(int descriptor, const fs::path& path) {
  struct stat open = {}, named = {};
  return ::fstat(descriptor, &open) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

}  // namespace

RunLock::RunLock(const fs::path& folder)
    : missing_(folder / ".stages"), path_(folder / ".stages" / "lock") {
  require_writable_folder(path_.parent_path());
  for (;;) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0)
      throw Error(ErrorKind::kResource, text("cannot write '", path_.string(),
                                             "': ", std::generic_category().message(errno)));
    const bool taken = ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!taken && is_at(descriptor_, path_)) break;
    ::close(descriptor_);
    if (taken)
      throw Error(ErrorKind::kResource,
                  text("another plumb is at work in '", folder.string(),
                       "'; wait until it is done, or choose another output folder"));
  }
  remove_leftovers(path_.parent_path());
}

RunLock::~RunLock() {
  ::unlink(path_.c_str());
  ::close(descriptor_);
  ::rmdir(path_.parent_path().c_str());
}

}  // namespace plumb::harness
