#include "base/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <string>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/process.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kSuffix = ".tmp";

std::string reason(int number) { return std::generic_category().message(number); }

/// The process that made ".<name>.<pid>.<number>.tmp", or 0 for any other name.
pid_t maker_of(std::string_view file, std::string_view name) {
  const std::string prefix = text('.', name, '.');
  if (!file.starts_with(prefix) || !file.ends_with(kSuffix)) return 0;
  file.remove_prefix(prefix.size());
  pid_t process = 0;
  const auto [end, status] = std::from_chars(file.data(), file.data() + file.size(), process);
  return status == std::errc() && *end == '.' ? process : 0;
}

Error refusal(const fs::path& target, const std::string& why) {
  return Error(ErrorKind::kResource, text("cannot make the folder '", target.string(), "': ", why,
                                          "; choose another output folder"));
}

/// Absolute, without links and with a last name, and there is nothing at it but an empty folder.
fs::path resolved(const fs::path& target) {
  if (target.empty()) throw refusal(target, "its name is empty");
  std::error_code failed;
  fs::path path = fs::weakly_canonical(fs::absolute(target), failed);
  if (failed) throw refusal(target, failed.message());
  if (!path.has_filename()) path = path.parent_path();
  const fs::file_type type = fs::status(path, failed).type();
  if (type == fs::file_type::not_found) return path;
  if (type == fs::file_type::none) throw refusal(target, failed.message());
  const bool folder = type == fs::file_type::directory;
  const bool empty = folder && fs::is_empty(path, failed);
  if (failed) throw refusal(target, failed.message());
  if (!empty)
    throw Error(ErrorKind::kUsage,
                text("the output folder '", target.string(), "' is there already and is ",
                     folder ? "not empty" : "no folder",
                     "; a new or an empty one is needed: name another or remove it"));
  return path;
}

}  // namespace

int sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  // Some file systems have no such call for folders (EINVAL); what is in it stands all the same.
  const int error = ::fsync(descriptor) != 0 && errno != EINVAL ? errno : 0;
  ::close(descriptor);
  return error;
}

OutputFile::OutputFile(const fs::path& path)
    : path_(path),
      descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail(errno);
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(path_.c_str());
}

void OutputFile::fail(int error) const {
  throw Error(ErrorKind::kResource,
              text("cannot write '", path_.string(), "': ", reason(error),
                   error == ENOSPC || error == EDQUOT ? "; free some space" : ""));
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    // Linux writes at most 2 GiB - 4096 a call.
    const ssize_t written =
        ::write(descriptor_, bytes.data(), std::min<size_t>(bytes.size(), 1u << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void OutputFile::write(std::string_view bytes) { write(std::as_bytes(std::span(bytes))); }

void OutputFile::finish() {
  if (::fsync(descriptor_) != 0) fail(errno);
  // A network file system reports a failed write only here.
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) {
    const int error = errno;
    ::unlink(path_.c_str());
    fail(error);
  }
}

NewFolder::NewFolder(const fs::path& target) : target_(resolved(target)) {
  const fs::path parent = target_.parent_path();
  std::error_code failed;
  for (fs::path p = parent; !fs::exists(p, failed) && p.has_relative_path(); p = p.parent_path())
    made_parent_ = p;
  if (!made_parent_.empty()) fs::create_directories(parent, failed);
  static std::atomic<uint64_t> counter{0};
  temporary_ = parent / text('.', target_.filename().string(), '.', ::getpid(), '.',
                             counter.fetch_add(1), kSuffix);
  remove_leftovers();
  if (::mkdir(temporary_.c_str(), 0777) != 0) {
    const int error = errno;
    remove_made_parents();
    throw refusal(target, reason(error));
  }
}

NewFolder::~NewFolder() {
  if (published_) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  remove_made_parents();
}

// Only what is empty: somebody else may have put a file there meanwhile.
void NewFolder::remove_made_parents() const {
  std::error_code ignored;
  if (made_parent_.empty()) return;
  for (fs::path p = target_.parent_path(); fs::remove(p, ignored) && p != made_parent_;)
    p = p.parent_path();
}

void NewFolder::remove_leftovers() const {
  std::error_code ignored;
  const std::string name = target_.filename().string();
  for (const auto& entry : fs::directory_iterator(target_.parent_path(), ignored)) {
    const pid_t maker = maker_of(entry.path().filename().string(), name);
    if (maker <= 0 || is_at_work(maker)) continue;
    fs::remove_all(entry.path(), ignored);
  }
}

void NewFolder::publish() {
  int error = sync_folder(temporary_);
  if (error == 0 && ::rename(temporary_.c_str(), target_.c_str()) != 0) error = errno;
  if (error != 0)
    throw Error(ErrorKind::kResource,
                text("cannot put the folder '", target_.string(), "' into place: ", reason(error)));
  published_ = true;
  sync_folder(target_.parent_path());  // refused: the folder stands, a power cut may undo it
}

}  // namespace plumb
