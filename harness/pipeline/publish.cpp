#include "harness/pipeline/publish.h"

#include <unistd.h>

#include <csignal>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
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

/// The folders of a path that are not there, innermost first; those that are empty go when the scope does.
struct MissingFolders {
  std::vector<fs::path> paths;
  explicit MissingFolders(const fs::path& folder) {
    std::error_code ignored;
    fs::path at = fs::absolute(folder).lexically_normal();
    if (!at.has_filename()) at = at.parent_path();
    for (; at != at.root_path() && !fs::exists(at, ignored); at = at.parent_path())
      paths.push_back(at);
  }
  ~MissingFolders() {
    std::error_code ignored;
    for (const fs::path& path : paths) fs::remove(path, ignored);
  }
  MissingFolders(const MissingFolders&) = delete;
  MissingFolders& operator=(const MissingFolders&) = delete;
};

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

void try_writable_folder(const fs::path& folder) {
  const MissingFolders missing(folder);
  require_writable_folder(folder);
}

void remove_leftovers(const fs::path& folder) {
  std::error_code status;
  for (const auto& entry : fs::directory_iterator(folder, status)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(kPrefix, 0) != 0) continue;
    const std::string digits = name.substr(kPrefix.size());
    if (digits.empty() || digits.size() > 9 ||
        digits.find_first_not_of("0123456789") != std::string::npos)
      continue;
    if (kill(static_cast<pid_t>(std::stol(digits)), 0) == 0) continue;  // still at work
    std::error_code ignored;
    fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace plumb::harness
