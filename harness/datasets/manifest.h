#pragma once

#include <string>

#include "harness/datasets/dataset.h"
#include "harness/datasets/preset.h"

/// manifest.json beside a data set's files: where they come from and what they are.
namespace plumb::harness {

inline constexpr const char* kManifestName = "manifest.json";

/// The part that says what was asked for: repository, commit, preset and the files read with their hashes. Equal parts
/// make equal files. `preset` may be nullptr.
Row manifest_request(const Snapshot& snapshot, const Preset* preset);
/// The whole text.
std::string manifest(const Dataset& dataset, const Row& request);

/// Whether the data set's folder holds what the request asks for; then rows, sizes and hashes are those of its manifest
/// and `was_there` is set. Error{kUsage} where the folder holds anything else.
bool found_in_place(Dataset& dataset, const Row& request);

}  // namespace plumb::harness
