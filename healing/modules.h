#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "healing/adapter.h"
#include "models/architecture.h"
#include "models/config.h"

/// What Hugging Face's libraries call the linear modules of a block: "model.layers.3.mlp.gate_proj".
namespace plumb::healing {

/// Whether queries, keys and values are one module there, with one adapter (Target::kQueryKeyValue) in the place of three.
bool has_fused_heads(const models::ModelConfig& config);
/// Whether the rows of that module are ordered by head (query, key and value of the first head, then of the next), where
/// models::Block has all queries first.
bool has_rows_by_head(const models::ModelConfig& config);

/// Every module of a block, in the order of the block's matrices. Error{kInternal} for an architecture that Plumb has not.
std::vector<Target> module_targets(const models::ModelConfig& config);

/// Error{kUsage} for a target that a block of `config` has not as a module of its own.
std::string module_path(const models::ModelConfig& config, Target target, int64_t block);
/// The shortest ending of the path that no other module of a block has, as PEFT's target_modules lists it: "gate_proj", and
/// "mlp.c_proj" where attention has a c_proj too.
std::string module_ending(const models::ModelConfig& config, Target target);

/// The target whose weights a tensor of that role holds, if any.
std::optional<Target> target_of(models::Role role);

/// "query", "key", "value", "attention_out", "query_key_value", "gate", "up", "down".
std::string target_name(Target target);
/// Names with commas in between, or "all". Error{kUsage} naming the one that is unknown, comes twice, or is not in a block
/// of `config`.
std::vector<Target> parse_targets(const std::string& list, const models::ModelConfig& config);
/// The paper's: all of the feed-forward.
std::vector<Target> default_targets(const models::ModelConfig& config);

}  // namespace plumb::healing
