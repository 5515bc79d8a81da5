#include "pruning/pruned_weights.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "pruning/weight_pieces.h"

namespace plumb::pruning {
namespace {

using models::Role;
using models::StoredType;

PrunedTensor pruned_tensor(const models::TensorEntry& entry, Role role, int64_t source_block,
                           int64_t block, std::string name, bool bf16) {
  const bool quantised = models::block_layout(entry.type).values > 1;
  const StoredType decoded = bf16 ? StoredType::kBf16 : StoredType::kF32;
  return {role,
          source_block,
          block,
          {std::move(name), quantised ? decoded : entry.type, entry.shape},
          quantised};
}

std::vector<PrunedTensor> kept_tensors(const models::Checkpoint& checkpoint,
                                       const PruningPlan& plan, bool bf16) {
  std::vector<PrunedTensor> tensors;
  for (const KeptTensor& kept : kept_tensors(checkpoint, plan, &models::TensorName::hugging_face))
    tensors.push_back(
        pruned_tensor(kept.entry, kept.role, kept.source_block, kept.block, kept.name, bf16));
  return tensors;
}

std::string shard_name(size_t index, size_t count) {
  if (count == 1) return "model.safetensors";
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name;
}

double write_tensor(const models::Checkpoint& checkpoint, const PrunedTensor& tensor,
                    models::SafetensorsWriter& writer, const std::function<void()>& between,
                    const WeightChange& change) {
  const int64_t columns = tensor.slot.shape.back();
  const int64_t rows = tensor.slot.shape.size() == 1 ? 1 : tensor.slot.shape.front();
  const int64_t step = rows_a_piece(checkpoint, tensor.role, columns);
  // GGUF's writer has added the 1 that Hugging Face files leave out.
  const bool less_one = checkpoint.is_gguf() && has_gain_less_one(checkpoint, tensor.role);
  double error = 0;
  for (int64_t first = 0; first < rows; first += step) {
    if (between) between();
    at::Tensor values = checkpoint.load_rows(tensor.role, tensor.source_block, first,
                                             std::min(step, rows - first), at::kFloat);
    if (less_one) values.sub_(1);
    if (change.apply) change.apply(tensor.role, tensor.block, first, values);
    // F16 and BF16 come back from fp32 as they were: both are subsets of it, and NaN was refused.
    const at::Tensor stored = values.to(scalar_type(tensor.slot.type));
    if (tensor.quantised && tensor.slot.type == StoredType::kBf16)
      error = std::max(
          error,
          rounding_error(checkpoint.find(tensor.role, tensor.source_block)->name, values, stored));
    writer.write(std::span(static_cast<const std::byte*>(stored.const_data_ptr()),
                           static_cast<size_t>(stored.nbytes())));
  }
  return error;
}

}  // namespace

uint64_t PrunedShard::size_bytes() const {
  uint64_t bytes = 0;
  for (const PrunedTensor& tensor : tensors) bytes += tensor.slot.size_bytes();
  return bytes;
}

std::vector<PrunedShard> plan_shards(const models::Checkpoint& checkpoint, const PruningPlan& plan,
                                     bool bf16, uint64_t shard_bytes) {
  std::vector<PrunedShard> shards(1);
  uint64_t filled = 0;
  for (PrunedTensor& tensor : kept_tensors(checkpoint, plan, bf16)) {
    const uint64_t bytes = tensor.slot.size_bytes();
    if (!shards.back().tensors.empty() && (filled > shard_bytes || bytes > shard_bytes - filled)) {
      shards.emplace_back();
      filled = 0;
    }
    filled += bytes;
    shards.back().tensors.push_back(std::move(tensor));
  }
  for (size_t i = 0; i < shards.size(); ++i) {
    shards[i].file = shard_name(i, shards.size());
    std::ranges::stable_sort(shards[i].tensors, models::wider, &PrunedTensor::slot);
  }
  return shards;
}

double write_shard(const models::Checkpoint& checkpoint, const PrunedShard& shard,
                   const std::filesystem::path& folder, const std::function<void()>& between,
                   const WeightChange& change) {
  std::vector<models::TensorSlot> slots;
  for (const PrunedTensor& tensor : shard.tensors) slots.push_back(tensor.slot);
  // transformers reads no file that does not say which framework's layout it has.
  models::SafetensorsWriter writer(folder / shard.file, slots, {{"format", "pt"}});
  double error = 0;
  for (const PrunedTensor& tensor : shard.tensors)
    error = std::max(error, write_tensor(checkpoint, tensor, writer, between, change));
  writer.finish();
  return error;
}

std::string shard_index_json(const std::vector<PrunedShard>& shards) {
  uint64_t bytes = 0;
  std::map<std::string, std::string> file_of;
  for (const PrunedShard& shard : shards) {
    bytes += shard.size_bytes();
    for (const PrunedTensor& tensor : shard.tensors) file_of[tensor.slot.name] = shard.file;
  }
  const nlohmann::ordered_json index{{"metadata", {{"total_size", bytes}}},
                                     {"weight_map", file_of}};
  return index.dump(2) + "\n";
}

}  // namespace plumb::pruning
