#pragma once

#include <filesystem>
#include <functional>

#include "models/architecture.h"
#include "models/decoder.h"
#include "models/formats/checkpoint.h"
#include "models/origin.h"
#include "pruning/plan.h"

namespace plumb::pruning {

/// The decoder without the plan's blocks; weights are shared, blocks renumbered from 0.
models::Decoder apply(const models::Decoder& decoder, const PruningPlan& plan);

/// What is done to weights on their way into a written checkpoint. `block` counts after renumbering, -1 where no block has the
/// tensor.
struct WeightChange {
  /// Whether a tensor's values change at all: others are copied as they are stored, where the format can.
  std::function<bool(models::Role role, int64_t block)> touches;
  /// Changes rows [first, first + rows of `values`), in fp32 and in the order of the Hugging Face file. Called for every
  /// tensor that is decoded.
  std::function<void(models::Role role, int64_t block, int64_t first, const at::Tensor& values)>
      apply;
};

/// Writes the pruned model as a folder that Hugging Face transformers loads: model.safetensors (or shards with an
/// index, at most `shard_bytes` of weights each, shards before the index), config.json with the new num_hidden_layers,
/// generation_config.json and tokenizer files, and plumb.json with the removed blocks, their original indices, the
/// base model's sha256 and its `origin`, where that is known. F32, F16 and BF16 weights are copied bit for bit; quantised ones become F32, or bf16 where
/// `bf16` asks for it; then the largest absolute rounding error is returned (0 otherwise).
/// `change` is applied to each piece of weights before it is rounded to the type that it is stored in.
/// Memory: a few megabytes of weights at a time. `between` is called every few megabytes and may throw to stop.
/// The folder appears whole or not at all. Error{kUsage} where `out` exists and is not an empty folder, or the plan is
/// for another number of blocks; Error{kInput} for a weight that is NaN or infinite and for a tokenizer that Plumb
/// cannot carry over; Error{kResource} where the folder cannot be written.
double write_pruned(const models::Checkpoint& checkpoint, const std::filesystem::path& model_path,
                    const PruningPlan& plan, const std::filesystem::path& out, bool bf16 = false,
                    uint64_t shard_bytes = uint64_t{5} << 30,
                    const std::function<void()>& between = {}, const models::Origin& origin = {},
                    const WeightChange& change = {});

/// Writes the pruned model as one GGUF file that llama.cpp, the gguf package and Plumb read. Of a GGUF: metadata and tensors are
/// carried over, quantised ones in their own type and bit for bit unless `change` touches them; those become F32 (or bf16
/// where `bf16` asks for it, as above). Of a folder: metadata, tokenizer, names, the order of Llama's query and key rows
/// and Gemma's gains as llama.cpp's converter makes them; matrices keep their type, vectors become F32. The key
/// plumb.provenance holds what plumb.json says of a folder.
///
/// Returns, remembers and stops as `write_pruned`. The file appears whole or not at all; a killed process leaves at most
/// ".<name>.<pid>.<number>.tmp" beside it. Error{kUsage} where `file` exists, does not end in .gguf, or the plan is for
/// another number of blocks; Error{kInput} for a family that llama.cpp has no names for in Plumb (qwen, gpt_neox, olmo2), what GGUF
/// cannot say of a model or tokenizer, and weights that are NaN or infinite; Error{kResource} where it cannot be written.
double write_pruned_gguf(const models::Checkpoint& checkpoint,
                         const std::filesystem::path& model_path, const PruningPlan& plan,
                         const std::filesystem::path& file, bool bf16 = false,
                         const std::function<void()>& between = {},
                         const models::Origin& origin = {}, const WeightChange& change = {});

}  // namespace plumb::pruning
