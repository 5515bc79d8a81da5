#include "harness/pipeline/publish.h"

#include <unistd.h>

#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "harness/cli/signals.h"

namespace plumb::harness {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = ".partial-";

/// A folder that goes when the scope does.
struct PartialFolder {
  fs::path path;
  explicit PartialFolder(const fs::path& where)
      : path(where / (std::string(kPrefix) + std::to_string(getpid()))) {
    require_writable_folder(path);
  }
  ~PartialFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  PartialFolder(const PartialFolder&) = delete;
  PartialFolder& operator=(const PartialFolder&) = delete;
};

std::optional<pid_t> process_of(std::string_view digits) {
  if (digits.empty() || digits.size() > 9 ||
      digits.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  return static_cast<pid_t>(std::stol(std::string(digits)));
}

/// Of ".<name>.<pid>.<number>.tmp", as write_file_atomically calls what it has not renamed yet.
std::optional<pid_t> writer_of_temporary(std::string_view name) {
  constexpr std::string_view kEnd = ".tmp";
  if (!name.starts_with('.') || !name.ends_with(kEnd)) return std::nullopt;
  name.remove_suffix(kEnd.size());
  const size_t number = name.rfind('.');
  if (number == std::string_view::npos || !process_of(name.substr(number + 1))) return std::nullopt;
  name = name.substr(0, number);
  return process_of(name.substr(name.rfind('.') + 1));
}

void rename_into(const fs::path& from, const fs::path& to) {
  std::error_code status;
  fs::rename(from, to, status);
  if (status)
    throw Error(ErrorKind::kResource,
                text("cannot put '", to.string(), "' into place: ", status.message()));
}

}  // namespace

void publish(const std::vector<NamedFile>& files, const fs::path& folder,
             const std::vector<LargeFile>& large) {
  if (files.empty()) return;
  PartialFolder partial(folder);
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    throw_if_interrupted();
    names.push_back(name);
    if (fs::path(name).has_parent_path())
      require_writable_folder(partial.path / fs::path(name).parent_path());
    return partial.path / name;
  };
  for (const LargeFile& file : large) {
    OutputFile out(add(file.name));
    file.write(out);
    out.finish();
  }
  for (const auto& [name, bytes] : files) write_file_atomically(add(name), bytes);
  for (const std::string& name : names)
    if (fs::path(name).has_parent_path())
      require_writable_folder(folder / fs::path(name).parent_path());
  throw_if_interrupted();  // from here on it is a matter of renames
  std::error_code ignored;
  fs::remove(folder / files.back().first, ignored);
  for (const std::string& name : names) rename_into(partial.path / name, folder / name);
}

MissingFolders::MissingFolders(const fs::path& folder) {
  std::error_code ignored;
  fs::path at = fs::absolute(folder).lexically_normal();
  if (!at.has_filename()) at = at.parent_path();
  for (; at != at.root_path() && !fs::exists(at, ignored); at = at.parent_path())
    paths_.push_back(at);
}

MissingFolders::~MissingFolders() {
  std::error_code ignored;
  for (const fs::path& path : paths_) fs::remove(path, ignored);
}

void try_writable_folder(const fs::path& folder) {
  const MissingFolders missing(folder);
  require_writable_folder(folder);
}

void remove_leftovers(const fs::path& folder) {
  std::error_code status;
  std::vector<fs::path> below;
  for (const auto& entry : fs::directory_iterator(folder, status)) {
    const std::string name = entry.path().filename().string();
    std::error_code unknown;
    if (!name.starts_with('.') && entry.symlink_status(unknown).type() == fs::file_type::directory)
      below.push_back(entry.path());
    const auto owner = name.rfind(kPrefix, 0) == 0 ? process_of(name.substr(kPrefix.size()))
                                                   : writer_of_temporary(name);
    if (!owner || is_at_work(*owner)) continue;  // somebody's file, or not left yet
    std::error_code ignored;
    fs::remove_all(entry.path(), ignored);
  }
  for (const fs::path& path : below)
    for (const auto& entry : fs::directory_iterator(path, status)) {
      const auto owner = writer_of_temporary(entry.path().filename().string());
      std::error_code ignored;
      if (owner && !is_at_work(*owner)) fs::remove(entry.path(), ignored);
    }
}

}  // namespace plumb::harness
