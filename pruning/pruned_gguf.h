#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "models/formats/checkpoint.h"
#include "models/formats/gguf_writer.h"
#include "pruning/apply.h"
#include "pruning/plan.h"

namespace plumb::pruning {

/// What llama.cpp calls the family whose names and layout it reads `checkpoint`'s decoder by. Error{kInput} naming what GGUF
/// cannot say: a family that it has no names for here, a family's option that its files have no key for.
std::string_view gguf_architecture(const models::Checkpoint& checkpoint);

/// A tensor of the pruned file and where its values come from.
struct GgufTensor {
  models::Role role;
  int64_t source_block = -1;  ///< in the whole model; -1 for what no block has
  int64_t block = -1;         ///< in the pruned one
  models::TensorEntry entry;
  models::TensorSlot slot;
  bool copied = false;  ///< the bytes of the file are the bytes to write
};

/// What stays, in the order in which the model computes. See write_pruned_gguf for types.
std::vector<GgufTensor> plan_gguf(const models::Checkpoint& checkpoint, const PruningPlan& plan,
                                  bool bf16, const WeightChange& change);

/// All keys: carried over from a GGUF, but for those of its tensors' types, its splitting and its alignment, or made from a folder's
/// config and tokenizer.
models::GgufFields gguf_metadata(const models::Checkpoint& checkpoint,
                                 const std::filesystem::path& model_path, const PruningPlan& plan,
                                 const std::vector<GgufTensor>& tensors);

/// What rope_freqs.weight holds for the config's scaling of rotary positions; empty where there is none. Error{kInput} for a
/// scaling that it cannot hold.
std::vector<float> gguf_rope_factors(const models::Checkpoint& checkpoint);

/// The tensor's values in the file's order, a few rows at a time, into `writer`. Returns the largest error of rounding to bf16.
double write_gguf_tensor(const models::Checkpoint& checkpoint, const GgufTensor& tensor,
                         models::GgufWriter& writer, const std::function<void()>& between,
                         const WeightChange& change);

}  // namespace plumb::pruning
