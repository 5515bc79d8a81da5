#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/output_file.h"
#include "pruning/apply.h"
#include "pruning/pruned_config.h"
#include "pruning/pruned_files.h"
#include "pruning/pruned_weights.h"
#include "pruning/weight_pieces.h"

namespace plumb::pruning {
namespace {

namespace fs = std::filesystem;
using models::StoredType;
using Json = nlohmann::ordered_json;

const char* dtype_name(StoredType type) {
  if (type == StoredType::kF32) return "float32";
  return type == StoredType::kF16 ? "float16" : "bfloat16";
}

/// The type in which transformers must hold the weights so that none is rounded; bf16 where that
/// was asked for.
std::string loading_dtype(const std::vector<PrunedShard>& shards, bool bf16) {
  std::vector<StoredType> types;
  bool rounded = false;
  for (const PrunedShard& shard : shards)
    for (const PrunedTensor& tensor : shard.tensors) {
      types.push_back(tensor.slot.type);
      rounded = rounded || (bf16 && tensor.quantised);
    }
  if (rounded) return dtype_name(StoredType::kBf16);
  const bool alike = std::ranges::count(types, types.front()) == std::ssize(types);
  return dtype_name(alike ? types.front() : StoredType::kF32);  // neither half type holds the other
}

std::string provenance_json(const models::Checkpoint& checkpoint, const PruningPlan& plan,
                            const std::vector<PrunedShard>& shards, double error,
                            const models::Origin& origin) {
  std::vector<std::string> written;
  for (const PrunedShard& shard : shards) written.push_back(shard.file);
  Json json = provenance(checkpoint, plan, written, origin);
  json["largest_rounding_error"] = error;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

uint64_t bytes_of(const std::vector<PrunedShard>& shards) {
  uint64_t bytes = 0;
  for (const PrunedShard& shard : shards) bytes += shard.size_bytes();
  return bytes;
}

}  // namespace

double write_pruned(const models::Checkpoint& checkpoint, const fs::path& model_path,
                    const PruningPlan& plan, const fs::path& out, bool bf16, uint64_t shard_bytes,
                    const std::function<void()>& between, const models::Origin& origin,
                    const WeightChange& change) {
  require_plan_of(checkpoint, plan);
  const auto shards = plan_shards(checkpoint, plan, bf16, shard_bytes);
  // Everything that can be wrong with the model's small files is found before the first byte is
  // written.
  std::vector<SmallFile> files = companion_files(checkpoint, model_path);
  for (SmallFile& file : licence_files(checkpoint, model_path, plan.removed_text()))
    files.push_back(std::move(file));
  files.emplace_back("config.json",
                     pruned_config_json(checkpoint, model_path, plan, loading_dtype(shards, bf16)));
  NewFolder folder(out);
  require_space(folder.path(), folder.path().parent_path(), bytes_of(shards));
  double error = 0;
  for (const PrunedShard& shard : shards)
    error = std::max(error, write_shard(checkpoint, shard, folder.path(), between, change));
  if (shards.size() > 1)
    files.emplace_back("model.safetensors.index.json", shard_index_json(shards));
  files.emplace_back("plumb.json", provenance_json(checkpoint, plan, shards, error, origin));
  for (const auto& [name, bytes] : files) write_file_atomically(folder.path() / name, bytes);
  if (between) between();
  folder.publish();
  return error;
}

}  // namespace plumb::pruning
