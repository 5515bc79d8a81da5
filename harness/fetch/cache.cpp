#include "harness/fetch/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/output_file.h"
#include "harness/fetch/hub.h"

namespace plumb::harness {

namespace fs = std::filesystem;

namespace {

std::string reason(int number) { return std::generic_category().message(number); }

[[noreturn]] void fail(const std::string& what, const fs::path& path, int number) {
  throw Error(ErrorKind::kResource,
              text("cannot ", what, " '", path.string(), "': ", reason(number)));
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail("make the folder", folder, error.value());
}

/// A hidden name beside `path` that no other writer uses.
fs::path beside(const fs::path& path) {
  static std::atomic<uint64_t> counter{0};
  return path.parent_path() / text(".", path.filename().string().substr(0, 100), ".", ::getpid(),
                                   ".", counter++, ".tmp");
}

bool has_no_links(int error) {
  return error == EPERM || error == EOPNOTSUPP || error == ENOSYS || error == EINVAL;
}

void copy_whole(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, error);
  if (!error) {  // what is renamed into place must be on disk
    const int file = ::open(to.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0 || ::fsync(file) != 0) error.assign(errno, std::generic_category());
    if (file >= 0) ::close(file);
  }
  if (!error) return;
  ::unlink(to.c_str());
  fail("copy to", to, error.value());
}

/// Some file systems of clusters say yes to every flock. This one is held already, so a second must be refused.
bool is_given_to_everybody(const fs::path& path) {
  const int second = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (second < 0) return false;
  const bool given = ::flock(second, LOCK_EX | LOCK_NB) == 0;
  ::close(second);
  return given;
}

}  // namespace

std::string cache_folder_name(const HubId& id) {
  std::string name = id.kind == RepositoryKind::kDataset ? "datasets" : "models";
  std::string_view rest = id.repository;
  for (size_t slash; (slash = rest.find('/')) != rest.npos; rest.remove_prefix(slash + 1))
    name += text("--", rest.substr(0, slash));
  return text(name, "--", rest);
}

RepositoryCache::RepositoryCache(const fs::path& cache, const HubId& id)
    : folder_(cache / cache_folder_name(id)), locks_(cache / ".locks" / cache_folder_name(id)) {}

std::optional<std::string> RepositoryCache::commit_of(const std::string& revision) const {
  if (is_commit(revision)) return revision;
  std::error_code ignored;
  if (!fs::is_regular_file(reference(revision), ignored)) return std::nullopt;
  std::string commit = read_file(reference(revision));
  commit.erase(commit.find_last_not_of(" \r\n") + 1);
  if (!is_commit(commit)) return std::nullopt;
  return commit;
}

void RepositoryCache::remember(const std::string& revision, const std::string& commit) const {
  if (commit_of(revision) == commit) return;
  make_folder(reference(revision).parent_path());
  write_file_atomically(reference(revision), commit);
}

void RepositoryCache::make_folders() const {
  make_folder(blobs());
  make_folder(locks_);
}

void RepositoryCache::place(const std::string& commit, const std::string& name,
                            const std::string& etag, bool links) const {
  const fs::path file = snapshot(commit) / name;
  make_folder(file.parent_path());
  const fs::path target = fs::path(blob(etag)).lexically_relative(file.parent_path());
  const fs::path temporary = beside(file);
  const bool linked = links && ::symlink(target.c_str(), temporary.c_str()) == 0;
  if (!linked) {
    if (links && !has_no_links(errno)) fail("make the link", file, errno);
    copy_whole(blob(etag), temporary);
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    fail("make", file, error);
  }
  sync_folder(file.parent_path());
}

FileLock::FileLock(const fs::path& path, const StopFlag& stop) {
  for (;;) {
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail("make the lock", path, errno);
    while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) return;  // no locks here
      if (stop) {
        ::close(descriptor_);
        throw Stopped{};
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    struct stat mine = {}, named = {};
    held_ = ::fstat(descriptor_, &mine) == 0 && ::stat(path.c_str(), &named) == 0 &&
            mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
    if (held_) {
      held_ = !is_given_to_everybody(path);
      return;
    }
    ::close(descriptor_);  // its holder removed the file: the next one is another
  }
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

ContentHash::ContentHash(const std::string& etag, uint64_t size_bytes) {
  if (etag.size() == 40) hash_.emplace<GitBlobHash>(size_bytes);
}
void ContentHash::update(std::span<const std::byte> bytes) {
  std::visit([&](auto& hash) { hash.update(bytes); }, hash_);
}
std::string ContentHash::hex() {
  return std::visit([](auto& hash) { return hash.hex(); }, hash_);
}

std::string content_hash_of_file(const fs::path& path, const std::string& etag,
                                 const std::function<void()>& between) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct Close {
    int file;
    ~Close() {
      if (file >= 0) ::close(file);
    }
  } const closing{file};
  struct stat status = {};
  if (file < 0 || ::fstat(file, &status) != 0)
    throw Error(ErrorKind::kInput, text("cannot read '", path.string(), "': ", reason(errno)));
  ContentHash hash(etag, static_cast<uint64_t>(status.st_size));
  std::vector<std::byte> buffer(4u << 20);
  for (;;) {
    const ssize_t got = ::read(file, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      throw Error(ErrorKind::kInput, text("cannot read '", path.string(), "': ", reason(errno)));
    if (got == 0) return hash.hex();
    hash.update(std::span(buffer).first(static_cast<size_t>(got)));
    if (between) between();
  }
}

PartialFile::PartialFile(fs::path path, std::string etag, uint64_t size_bytes, const StopFlag& stop)
    : path_(std::move(path)),
      etag_(std::move(etag)),
      wanted_(size_bytes),
      hash_(etag_, size_bytes) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) fail("write", path_, errno);
  try {
    read_what_is_there(stop);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

PartialFile::~PartialFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void PartialFile::read_what_is_there(const StopFlag& stop) {
  std::vector<std::byte> buffer(1u << 20);
  for (;;) {
    if (stop) throw Stopped{};
    const ssize_t got =
        ::pread(descriptor_, buffer.data(), buffer.size(), static_cast<off_t>(size_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path_, errno);
    if (got == 0) return;
    size_ += static_cast<uint64_t>(got);
    if (size_ > wanted_) return restart();  // of other bytes
    hash_.update(std::span(buffer).first(static_cast<size_t>(got)));
  }
}

void PartialFile::append(std::span<const std::byte> bytes) {
  hash_.update(bytes);
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", path_, errno);
    size_ += static_cast<uint64_t>(written);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void PartialFile::restart() {
  if (::ftruncate(descriptor_, 0) != 0) fail("write", path_, errno);
  size_ = 0;
  hash_ = ContentHash(etag_, wanted_);
}

void PartialFile::remove() { ::unlink(path_.c_str()); }

bool PartialFile::is_right() { return size_ == wanted_ && hash_.hex() == etag_; }

void PartialFile::publish(const fs::path& blob) {
  if (::fsync(descriptor_) != 0) fail("write", path_, errno);
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0 && errno != EINTR) fail("write", path_, errno);
  if (::rename(path_.c_str(), blob.c_str()) != 0) fail("make", blob, errno);
  sync_folder(blob.parent_path());
}

uint64_t free_bytes(const fs::path& folder) {
  fs::path there = fs::absolute(folder);
  std::error_code ignored;
  while (!fs::exists(there, ignored) && there.has_relative_path()) there = there.parent_path();
  struct statvfs status = {};
  if (::statvfs(there.c_str(), &status) != 0) fail("examine the file system of", there, errno);
  return uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace plumb::harness
