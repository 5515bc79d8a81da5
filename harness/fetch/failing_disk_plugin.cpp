// Preloaded by a test: the nth call that changes something below a folder fails, or is the process' last.
//
//   PLUMB_TEST_DISK=<folder>        calls elsewhere are not counted
//   PLUMB_TEST_DISK_CALL=<name>     open, mkdir, write, pwrite, fsync (of a file), fsync-folder, rename, symlink or ftruncate;
//                                   "any": each of them
//   PLUMB_TEST_DISK_NTH=<n>         from 1
//   PLUMB_TEST_DISK_ERROR=<errno>   what the call fails with; 0: the process is killed before the call

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

namespace {

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_below(const char* path) {
  const char* folder = variable("PLUMB_TEST_DISK");
  return *folder != '\0' && std::strncmp(path, folder, std::strlen(folder)) == 0;
}

bool is_below(int file) {
  char link[64], path[PATH_MAX + 1] = {};
  std::strcpy(link, "/proc/self/fd/");
  char digits[16];
  int count = 0;
  for (int rest = file; count == 0 || rest > 0; rest /= 10)
    digits[count++] = static_cast<char>('0' + rest % 10);
  size_t end = std::strlen(link);
  while (count > 0) link[end++] = digits[--count];
  link[end] = '\0';
  return ::readlink(link, path, PATH_MAX) > 0 && is_below(path);
}

/// Whether this call is the one, with errno set; does not return where it is the last.
template <typename Where>
bool fails(const char* call, Where where) {
  static std::atomic<int> calls{0};
  const char* wanted = variable("PLUMB_TEST_DISK_CALL");
  if (std::strcmp(wanted, "any") != 0 && std::strcmp(wanted, call) != 0) return false;
  if (!is_below(where)) return false;
  if (++calls != std::atoi(variable("PLUMB_TEST_DISK_NTH"))) return false;
  const int error = std::atoi(variable("PLUMB_TEST_DISK_ERROR"));
  if (error == 0) ::kill(::getpid(), SIGKILL);
  errno = error;
  return true;
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if ((flags & O_CREAT) != 0 && fails("open", path)) return -1;
  return next<int(const char*, int, ...)>("open")(path, flags, mode);
}
int mkdir(const char* path, mode_t mode) noexcept {
  return fails("mkdir", path) ? -1 : next<int(const char*, mode_t)>("mkdir")(path, mode);
}
ssize_t write(int file, const void* bytes, size_t count) {
  return fails("write", file)
             ? -1
             : next<ssize_t(int, const void*, size_t)>("write")(file, bytes, count);
}
ssize_t pwrite(int file, const void* bytes, size_t count, off_t at) {
  return fails("pwrite", file)
             ? -1
             : next<ssize_t(int, const void*, size_t, off_t)>("pwrite")(file, bytes, count, at);
}
int fsync(int file) {
  struct stat status = {};
  const bool folder = ::fstat(file, &status) == 0 && S_ISDIR(status.st_mode);
  return fails(folder ? "fsync-folder" : "fsync", file) ? -1 : next<int(int)>("fsync")(file);
}
int ftruncate(int file, off_t size) noexcept {
  return fails("ftruncate", file) ? -1 : next<int(int, off_t)>("ftruncate")(file, size);
}
int rename(const char* from, const char* to) noexcept {
  return fails("rename", to) ? -1 : next<int(const char*, const char*)>("rename")(from, to);
}
int symlink(const char* target, const char* path) noexcept {
  return fails("symlink", path) ? -1 : next<int(const char*, const char*)>("symlink")(target, path);
}

}  // extern "C"
