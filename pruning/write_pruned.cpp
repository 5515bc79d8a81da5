#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/output_file.h"
#include "pruning/apply.h"
#include "pruning/pruned_config.h"
#include "pruning/pruned_files.h"
#include "pruning/pruned_weights.h"

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
  const models::ModelConfig& config = checkpoint.config();
  const bool known = origin.is_known();
  Json files = Json::array();
  for (const fs::path& path : checkpoint.files()) files.push_back(path.filename().string());
  Json written = Json::array();
  for (const PrunedShard& shard : shards) written.push_back(shard.file);
  const Json json{{"format", 1},
                  {"base",
                   {{"name", config.name == origin.commit ? origin.repository : config.name},
                    {"architecture", config.architecture},
                    {"license", config.license.empty() ? Json() : Json(config.license)},
                    {"files", files},
                    {"sha256", checkpoint.sha256()},
                    {"repository", known ? Json(origin.repository) : Json()},
                    {"revision", known ? Json(origin.revision) : Json()},
                    {"commit", known ? Json(origin.commit) : Json()}}},
                  {"block_count_before", plan.block_count},
                  {"block_count", plan.block_count - plan.removed_count()},
                  {"removed", plan.removed},
                  {"original_indices", plan.kept()},
                  {"strategy", plan.strategy},
                  {"evidence", plan.evidence},
                  {"weights", written},
                  {"largest_rounding_error", error}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// A disk that is too small is told before an hour of writing, where the system says how much is
/// free.
void require_space(const fs::path& folder, const std::vector<PrunedShard>& shards) {
  uint64_t needed = uint64_t{16} << 20;  // beside the weights
  for (const PrunedShard& shard : shards) needed += shard.size_bytes();
  std::error_code unknown;
  const fs::space_info space = fs::space(folder, unknown);
  if (!unknown && space.available < needed)
    throw Error(
        ErrorKind::kResource,
        text("the pruned model needs ", needed, " bytes but '", folder.parent_path().string(),
             "' has ", space.available, " free; choose another output folder or free some space"));
}

}  // namespace

double write_pruned(const models::Checkpoint& checkpoint, const fs::path& model_path,
                    const PruningPlan& plan, const fs::path& out, bool bf16, uint64_t shard_bytes,
                    const std::function<void()>& between, const models::Origin& origin,
                    const WeightChange& change) {
  validate(plan);
  if (plan.block_count != checkpoint.config().block_count)
    throw Error(ErrorKind::kUsage,
                text("the plan is for a model with ", plan.block_count,
                     " blocks, but this one has ", checkpoint.config().block_count));
  const auto shards = plan_shards(checkpoint, plan, bf16, shard_bytes);
  // Everything that can be wrong with the model's small files is found before the first byte is
  // written.
  std::vector<SmallFile> files = companion_files(checkpoint, model_path);
  for (SmallFile& file : licence_files(checkpoint, model_path, plan.removed_text()))
    files.push_back(std::move(file));
  files.emplace_back("config.json",
                     pruned_config_json(checkpoint, model_path, plan, loading_dtype(shards, bf16)));
  NewFolder folder(out);
  require_space(folder.path(), shards);
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
