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

/// Whether `folder` can be made and written in, said before any work: Error{kResource} where it cannot. A folder that
/// was not there is not there afterwards either, so that a run that fails early leaves nothing.
void try_writable_folder(const std::filesystem::path& folder);

/// Removes what killed processes left in `folder` (".partial-<pid>" of processes that are gone).
void remove_leftovers(const std::filesystem::path& folder);

}  // namespace plumb::harness
