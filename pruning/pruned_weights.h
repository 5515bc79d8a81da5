#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "models/formats/checkpoint.h"
#include "models/formats/safetensors_writer.h"
#include "pruning/apply.h"
#include "pruning/plan.h"

namespace plumb::pruning {

/// A tensor of the pruned checkpoint and where its values come from.
struct PrunedTensor {
  models::Role role;
  int64_t source_block = -1;  ///< in the whole model; -1 for what no block has
  int64_t block = -1;         ///< in the pruned one
  models::TensorSlot slot;    ///< Hugging Face name with the new block index, type as written
  bool quantised = false;     ///< in the whole model
};

/// A file of the pruned checkpoint: the order of its tensors is that of their bytes.
struct PrunedShard {
  std::string file;
  std::vector<PrunedTensor> tensors;

  uint64_t size_bytes() const;
};

/// What stays, cut into files of at most `shard_bytes` of weights (a larger tensor has a file of its own). One file is
/// called model.safetensors, several model-00001-of-00003.safetensors. F32, F16 and BF16 keep their type; quantised
/// tensors become F32, or BF16 where `bf16` asks for it. A tied unembedding is not written.
std::vector<PrunedShard> plan_shards(const models::Checkpoint& checkpoint, const PruningPlan& plan,
                                     bool bf16, uint64_t shard_bytes);

/// Writes the shard into `folder`, a few rows at a time, as `change` leaves them; `between` is called in between and may throw. Returns the
/// largest absolute error of rounding to bf16. Errors of Checkpoint::load_rows and SafetensorsWriter, and Error{kInput}
/// where a value does not fit bf16; then there is no file.
double write_shard(const models::Checkpoint& checkpoint, const PrunedShard& shard,
                   const std::filesystem::path& folder, const std::function<void()>& between,
                   const WeightChange& change = {});

/// model.safetensors.index.json.
std::string shard_index_json(const std::vector<PrunedShard>& shards);

}  // namespace plumb::pruning
