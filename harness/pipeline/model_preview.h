#pragma once

#include <cstdint>
#include <string>

#include "harness/cli/console.h"
#include "models/config.h"

namespace plumb::harness {

/// What can be said of a model without its weights.
struct ModelPreview {
  models::ModelConfig config;
  uint64_t file_bytes = 0;     ///< of all weights on disk
  bool predicted = false;      ///< file_bytes follows from the config, as no weights were found
  uint64_t missing_bytes = 0;  ///< that a run would fetch first
};

/// `model` as --model takes it, and also a config.json, or a folder that has one and no weights. A Hub id is looked up:
/// its config.json is fetched (a few kilobytes) and the sizes of its files are asked for. Errors as for a model.
ModelPreview preview_model(const std::string& model, const Console& console);

/// Bytes of the weights in the dtype that the config.json names ("torch_dtype" or "dtype"; fp32 where it names none).
/// Error{kInput} for a dtype that is none.
uint64_t predicted_file_bytes(const std::string& config_json, const models::ModelConfig& config);

}  // namespace plumb::harness
