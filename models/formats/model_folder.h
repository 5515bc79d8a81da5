#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::models {

/// Where a folder's weights are.
struct FolderWeights {
  std::vector<std::filesystem::path> files;  ///< in the order of their names
  std::map<std::string, size_t> file_of;  ///< tensor -> index into `files`; empty for a single file
};

/// Finds model.safetensors, or the shards that model.safetensors.index.json names, and nothing
/// else: no pickle, no name that leaves the folder. Error{kInput} saying what is missing and what
/// to do.
FolderWeights find_weights(const std::filesystem::path& folder);

/// The weight_map of a model.safetensors.index.json: tensor -> file. Error{kInput} where it is missing,
/// empty or no map of names to safe names (`require_safe_name`) of .safetensors files.
std::map<std::string, std::string> parse_index(std::string_view json);

/// Error{kInput} unless `name` is a plain relative path of letters, digits, '.', '_' and '-', every
/// part of which begins with a letter or digit.
void require_safe_name(std::string_view name);

/// Error{kInput} unless `file` of the model's `folder` is the file itself or a link that stays in the
/// folder, or that leads from a Hub cache's snapshots/<revision>/ to the blobs/ beside snapshots/. A
/// folder that somebody else packed could otherwise have any file of this machine read and, as a
/// tokenizer's, copied into what Plumb writes.
void require_inside(const std::filesystem::path& folder, const std::filesystem::path& file);

/// The `license:` of the front matter of README.md, or empty where there is none.
std::string license_of_folder(const std::filesystem::path& folder);

}  // namespace plumb::models
