#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace plumb::harness {

/// A file of a run folder: name without folder, and its bytes.
using NamedFile = std::pair<std::string, std::string>;

/// Puts `files` into `folder` together: all are written beside it first, then renamed into place, in order, so the last
/// one (the report) stands only when all the others do. An old file with the last one's name goes first. What was
/// written is removed when something fails. Error{kResource}.
void publish(const std::vector<NamedFile>& files, const std::filesystem::path& folder);

/// Removes what killed processes left in `folder` (".partial-<pid>" of processes that are gone).
void remove_leftovers(const std::filesystem::path& folder);

}  // namespace plumb::harness
