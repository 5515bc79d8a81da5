#pragma once

#include <filesystem>
#include <string>

#include "models/formats/checkpoint.h"
#include "pruning/plan.h"

namespace plumb::pruning {

/// The config.json of the pruned model. Of a folder: its own with num_hidden_layers and every per-layer list cut to
/// the blocks that stay; all else, also what Plumb does not know, is kept. Of a GGUF: written from what the decoder is,
/// with `dtype` ("float32", "float16", "bfloat16") as the type that transformers loads it in.
std::string pruned_config_json(const models::Checkpoint& checkpoint,
                               const std::filesystem::path& model_path, const PruningPlan& plan,
                               const std::string& dtype);

/// `config` (the text of a config.json) for the blocks of `plan` that stay. Lists of one entry a block lose those of the
/// removed ones; lists of block indices (mlp_only_layers) lose them and are renumbered. Error{kInput} where the config
/// has a list of neither kind under a name that speaks of layers.
std::string without_blocks(const std::string& config, const PruningPlan& plan);

}  // namespace plumb::pruning
