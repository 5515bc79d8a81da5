#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

std::string reason(int number) { return std::generic_category().message(number); }

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() { close(); }
  int get() const { return number_; }
  bool valid() const { return number_ >= 0; }
  int release() { return std::exchange(number_, -1); }
  /// 0, or the system's error: a network file system reports a failed write only here.
  int close() {
    const int number = std::exchange(number_, -1);
    return number >= 0 && ::close(number) != 0 && errno != EINTR ? errno : 0;
  }

 private:
  int number_;
};

struct stat status_of(int descriptor, const fs::path& path) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0)
    throw Error(ErrorKind::kInput, text("cannot examine '", path.string(), "': ", reason(errno)));
  return status;
}

std::chrono::nanoseconds nanoseconds_of(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// Opens for reading and gives the size; Error{kInput} for what is no regular file. O_NONBLOCK, as a
/// FIFO would be waited for until somebody writes into it; a regular file knows no difference.
Descriptor open_regular(const fs::path& path, uint64_t& size) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid())
    throw Error(ErrorKind::kInput, text("cannot open '", path.string(), "': ", reason(errno)));
  const struct stat status = status_of(file.get(), path);
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorKind::kInput, text("'", path.string(), "' is ",
                                        S_ISDIR(status.st_mode) ? "a folder" : "a special file",
                                        ", needed is a regular file"));
  size = static_cast<uint64_t>(status.st_size);
  return file;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// A name beside `path` that no other writer of this machine uses: hidden, and recognisable when a
/// killed process leaves it.
fs::path temporary_beside(const fs::path& path) {
  static std::atomic<uint64_t> counter{0};
  return folder_of(path) /
         text(".", path.filename().string(), ".", ::getpid(), ".", counter.fetch_add(1), ".tmp");
}

/// 0 or the system's error.
int write_all(int file, std::string_view content) {
  while (!content.empty()) {
    // Linux writes at most 2 GiB - 4096 a call.
    const ssize_t written =
        ::write(file, content.data(), std::min<size_t>(content.size(), 1u << 30));
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    content.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

/// Creates `path`, which must not exist, with `content` on disk. 0 or the system's error, and then
/// no file.
int create_synced(const fs::path& path, std::string_view content) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.valid()) return errno;
  int error = write_all(file.get(), content);
  if (error == 0 && ::fsync(file.get()) != 0) error = errno;
  if (const int closing = file.close(); error == 0) error = closing;
  if (error != 0) ::unlink(path.c_str());
  return error;
}

}  // namespace

std::string read_file(const fs::path& path) {
  uint64_t size = 0;
  const Descriptor file = open_regular(path, size);
  std::string content(size, '\0');
  size_t filled = 0;
  std::array<char, 4096> more;  // what it has grown by, or all of it where /proc said 0
  for (;;) {
    const bool full = filled == content.size();
    const ssize_t got = full ? ::read(file.get(), more.data(), more.size())
                             : ::read(file.get(), content.data() + filled, content.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      throw Error(ErrorKind::kInput, text("cannot read '", path.string(), "': ", reason(errno)));
    if (got == 0) break;
    filled += static_cast<size_t>(got);
    if (full) content.append(more.data(), static_cast<size_t>(got));
  }
  content.resize(filled);
  return content;
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  const auto fail = [&](int error) {
    throw Error(ErrorKind::kResource, text("cannot write '", path.string(), "': ", reason(error),
                                           "; nothing was changed there"));
  };
  const fs::path temporary = temporary_beside(path);
  if (const int error = create_synced(temporary, content)) fail(error);
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    fail(error);
  }
  // Without this the rename itself may be lost with the power. Some file systems refuse to sync a
  // folder; the file stands all the same.
  const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.valid()) ::fsync(folder.get());
}

void require_writable_folder(const fs::path& folder) {
  const auto fail = [&](const std::string& why) {
    throw Error(ErrorKind::kResource, text("cannot write into folder '", folder.string(),
                                           "': ", why, "; choose another output folder"));
  };
  if (folder.empty()) fail("its name is empty");
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(error.message());
  const fs::path probe = temporary_beside(folder / "probe");
  if (const int number = create_synced(probe, "probe")) fail(reason(number));
  ::unlink(probe.c_str());
}

InputFile::InputFile(const fs::path& path) : path_(path) {
  descriptor_ = open_regular(path, size_).release();
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      size_(std::exchange(other.size_, 0)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void InputFile::read(uint64_t begin, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(descriptor_, out.data(), std::min<size_t>(out.size(), 1u << 30),
                                static_cast<off_t>(begin));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      throw Error(ErrorKind::kInput,
                  text("'", path_.filename().string(), "' cannot be read at byte ", begin, ": ",
                       got < 0 ? reason(errno) : "it has become shorter since it was opened"));
    begin += static_cast<uint64_t>(got);
    out = out.subspan(static_cast<size_t>(got));
  }
}

std::string InputFile::state() const {
  const struct stat status = status_of(descriptor_, path_);
  return text(status.st_dev, " ", status.st_ino, " ", status.st_size, " ",
              nanoseconds_of(status.st_mtim).count(), " ", nanoseconds_of(status.st_ctim).count());
}

std::chrono::system_clock::time_point InputFile::last_change() const {
  const struct stat status = status_of(descriptor_, path_);
  return std::chrono::system_clock::time_point(
      std::max(nanoseconds_of(status.st_mtim), nanoseconds_of(status.st_ctim)));
}

MappedFile::MappedFile(const fs::path& path) : MappedFile(InputFile(path)) {}

MappedFile::MappedFile(const InputFile& file) : path_(file.path()) {
  const uint64_t size = file.size();
  if (size == 0)
    throw Error(ErrorKind::kInput,
                text("'", path_.string(), "' is empty (0 bytes); was its download cut short?"));
  void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.descriptor_, 0);
  if (address == MAP_FAILED)
    throw Error(ErrorKind::kInput,
                text("cannot map '", path_.string(), "' (", size, " bytes): ", reason(errno)));
  data_ = static_cast<const std::byte*>(address);
  size_ = size;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::drop(uint64_t begin, uint64_t end) const {
  if (begin > end || end > size_)
    throw Error(ErrorKind::kInvariant, text("drop of bytes ", begin, "..", end, " of '",
                                            path_.string(), "', which has ", size_));
  // Only whole pages inside the range: their neighbours may still be in use.
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t first = (begin + page - 1) / page * page;
  const uint64_t last = end == size_ ? end : end / page * page;
  if (first >= last) return;
  ::madvise(const_cast<std::byte*>(data_) + first, last - first,
            MADV_DONTNEED);  // advice: may be refused
}

}  // namespace plumb
