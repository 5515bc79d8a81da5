#include "base/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

namespace plumb {

namespace fs = std::filesystem;

namespace {

constexpr size_t kDigits = 64;

std::string digits_of(std::string_view before, std::string_view text) {
  Sha256 hash;
  hash.update(before);
  hash.update(text);
  return hash.hex();
}

[[noreturn]] void fail(const fs::path& path, int error) {
  throw Error(ErrorKind::kResource,
              text("cannot write '", path.string(), "': ", std::generic_category().message(error),
                   "; what stood in it stands"));
}

}  // namespace

Journal::Journal(fs::path path) : path_(std::move(path)) {
  std::error_code ignored;
  if (fs::exists(path_, ignored)) read(read_file(path_));
}

Journal::~Journal() { close(); }

void Journal::read(std::string_view bytes) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    if (end == std::string_view::npos || line.size() <= kDigits || line[kDigits] != ' ') break;
    const std::string_view said = line.substr(kDigits + 1);
    if (line.substr(0, kDigits) != digits_of(digits_, said)) break;
    digits_ = line.substr(0, kDigits);
    lines_.emplace_back(said);
    rest.remove_prefix(end + 1);
  }
  good_bytes_ = bytes.size() - rest.size();
  dropped_bytes_ = rest.size();
  const size_t end = rest.find('\n');
  damaged_ = end != std::string_view::npos && end + 1 < rest.size();
}

std::string Journal::line(std::string_view said) {
  if (said.find('\n') != std::string_view::npos)
    throw Error(ErrorKind::kInvariant, "a line of a journal with a line feed in it");
  digits_ = digits_of(digits_, said);
  return text(digits_, " ", said, "\n");
}

void Journal::begin(std::string_view said) {
  close();
  digits_.clear();
  lines_.clear();
  const std::string first = line(said);
  write_file_atomically(path_, first);
  good_bytes_ = first.size();
  dropped_bytes_ = 0;
  damaged_ = false;
}

void Journal::append(std::string_view said) {
  if (descriptor_ < 0) open();
  const std::string before = digits_, more = line(said);
  std::string_view rest = more;
  int error = 0;
  while (!rest.empty() && error == 0) {
    const ssize_t written = ::pwrite(descriptor_, rest.data(), rest.size(),
                                     static_cast<off_t>(good_bytes_ + more.size() - rest.size()));
    if (written >= 0)
      rest.remove_prefix(static_cast<size_t>(written));
    else if (errno != EINTR)
      error = errno;
  }
  if (error == 0 && ::fsync(descriptor_) != 0) error = errno;
  if (error != 0) {
    digits_ = before;
    fail(path_, error);
  }
  good_bytes_ += more.size();
}

/// For writing, without what does not stand.
void Journal::open() {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor_ < 0) fail(path_, errno);
  if (dropped_bytes_ > 0 && ::ftruncate(descriptor_, static_cast<off_t>(good_bytes_)) != 0)
    fail(path_, errno);
  dropped_bytes_ = 0;
}

void Journal::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void Journal::remove() {
  close();
  std::error_code status;
  fs::remove(path_, status);
  if (status)
    throw Error(ErrorKind::kResource,
                text("cannot remove '", path_.string(), "': ", status.message()));
  lines_.clear();
  digits_.clear();
  good_bytes_ = dropped_bytes_ = 0;
}

}  // namespace plumb
