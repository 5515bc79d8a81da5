#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "models/formats/checkpoint.h"

namespace plumb::pruning {

/// Name and bytes of a small file.
using SmallFile = std::pair<std::string, std::string>;

/// What makes text of token ids, and how to generate it: tokenizer.json, tokenizer_config.json,
/// special_tokens_map.json, generation_config.json and the like. Of a folder: copies of those that it has. Of a GGUF:
/// made from its metadata; none of a tokenizer where the file carries no vocabulary. Error{kInput} where it carries one
/// that Plumb does not read.
std::vector<SmallFile> companion_files(const models::Checkpoint& checkpoint,
                                       const std::filesystem::path& model_path);

/// The licence's texts beside a folder's weights, and a README.md that names the licence where the model does.
std::vector<SmallFile> licence_files(const models::Checkpoint& checkpoint,
                                     const std::filesystem::path& model_path,
                                     const std::string& removed);

}  // namespace plumb::pruning
