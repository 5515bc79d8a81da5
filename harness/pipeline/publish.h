#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/output_file.h"

namespace plumb::harness {

/// A file of a run folder: its name there, such as "loss.csv" or "questions/mmlu.jsonl", and its
/// bytes.
using NamedFile = std::pair<std::string, std::string>;

/// One that is too large to be held: who writes it, up to finish().
struct LargeFile {
  std::string name;
  std::function<void(OutputFile&)> write;
};

/// Puts `large` and `files` into `folder` together: all are written beside it first, then renamed
/// into place, in order, so the last one (the report) stands only when all the others do. An old
/// file with the last one's name goes first. What was written is removed when something fails.
/// Error{kResource}.
void publish(const std::vector<NamedFile>& files, const std::filesystem::path& folder,
             const std::vector<LargeFile>& large = {});

/// Whether `folder` can be made and written in, said before any work: Error{kResource} where it
/// cannot. A folder that was not there is not there afterwards either, so that a run that fails
/// early leaves nothing.
void try_writable_folder(const std::filesystem::path& folder);

/// The folders of a path that are not there when it is made; those that are empty go with it.
class MissingFolders {
 public:
  explicit MissingFolders(const std::filesystem::path& folder);
  ~MissingFolders();
  MissingFolders(const MissingFolders&) = delete;
  MissingFolders& operator=(const MissingFolders&) = delete;

 private:
  std::vector<std::filesystem::path> paths_;  ///< innermost first
};

/// Removes what processes that have ended left in `folder`: ".partial-<pid>", and what
/// write_file_atomically had not renamed yet, there and in the folders right below.
void remove_leftovers(const std::filesystem::path& folder);

}  // namespace plumb::harness
