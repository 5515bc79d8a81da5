#include "base/remembered_hash.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/hash.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::system_clock;

/// Empty where the user has no folder for caches.
fs::path hashes_folder() {
  const auto named = [](const char* name) -> fs::path {
    const char* value = std::getenv(name);
    // The XDG base directory specification: a path that is not absolute is to be ignored.
    return value != nullptr && *value == '/' ? fs::path(value) : fs::path();
  };
  if (const fs::path cache = named("XDG_CACHE_HOME"); !cache.empty())
    return cache / "plumb" / "hashes";
  if (const fs::path home = named("HOME"); !home.empty())
    return home / ".cache" / "plumb" / "hashes";
  return {};
}

/// One entry for a path: what is known of an older state of the file is replaced.
fs::path entry_of(const fs::path& path) {
  const fs::path folder = hashes_folder();
  if (folder.empty()) return {};
  std::error_code failed;
  const fs::path file = fs::canonical(path, failed);
  return failed ? fs::path() : folder / sha256_hex(file.string());
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::optional<std::string> recall(const fs::path& entry, const std::string& state) {
  if (entry.empty()) return std::nullopt;
  std::string content;
  try {
    content = read_file(entry);
  } catch (const Error&) {
    return std::nullopt;
  }
  const std::string_view hash = std::string_view(content).substr(0, 64);
  if (!is_sha256(hash) || content != text(hash, "\n", state, "\n")) return std::nullopt;
  return std::string(hash);
}

void store(const fs::path& entry, std::string_view hash, const std::string& state) {
  if (entry.empty()) return;
  std::error_code failed;
  fs::create_directories(entry.parent_path(), failed);
  if (failed) return;
  try {
    write_file_atomically(entry, text(hash, "\n", state, "\n"));
  } catch (const Error&) {
    // A full disk or a folder of somebody else: hashing again is right, only slower.
  }
}

/// How old the last write must be for the next one to change the file's times: Linux stamps with a clock that ticks
/// every 1 to 10 ms; a file system whose stamps have no nanoseconds ticks every second or two.
milliseconds tick_of(system_clock::time_point stamp) {
  return stamp.time_since_epoch() % std::chrono::seconds(1) == system_clock::duration::zero()
             ? milliseconds(2000)
             : milliseconds(50);
}

milliseconds until_settled(const InputFile& file) {
  const system_clock::time_point stamp = file.last_change();
  return std::chrono::ceil<milliseconds>(stamp + tick_of(stamp) - system_clock::now());
}

}  // namespace

std::string remembered_sha256(const InputFile& file, const std::stop_token& stop) {
  const fs::path entry = entry_of(file.path());
  const std::string state = file.state();
  if (std::optional<std::string> known = recall(entry, state)) return *known;
  const bool settled = until_settled(file) <= milliseconds(0);
  std::string hash = sha256_of_file(file, stop);
  if (settled && file.state() == state) store(entry, hash, state);
  return hash;
}

std::string remembered_sha256(const fs::path& path) { return remembered_sha256(InputFile(path)); }

void remember_sha256(const fs::path& path, std::string_view sha256) try {
  const InputFile file(path);
  const milliseconds wait = until_settled(file);
  if (!is_sha256(sha256) || wait > milliseconds(100)) return;
  if (wait > milliseconds(0)) std::this_thread::sleep_for(wait);
  if (until_settled(file) <= milliseconds(0)) store(entry_of(path), sha256, file.state());
} catch (const Error&) {
  // As above.
}

}  // namespace plumb
