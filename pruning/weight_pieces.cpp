#include "pruning/weight_pieces.h"

#include <ATen/ops/sub.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace plumb::pruning {

using models::Role;
using models::StoredType;

std::vector<KeptTensor> kept_tensors(const models::Checkpoint& checkpoint, const PruningPlan& plan,
                                     std::string_view models::TensorName::*names) {
  std::vector<KeptTensor> tensors;
  const auto add = [&](const models::TensorName& row, int64_t source, int64_t block) {
    if (row.hugging_face.empty() || (row.*names).empty()) return;  // fused here, apart there
    if (auto entry = checkpoint.find(row.role, source))
      tensors.push_back(
          {row.role, source, block, models::tensor_name(row.*names, block), *std::move(entry)});
  };
  const auto& rows = checkpoint.architecture().tensors;
  for (const auto& row : rows)
    if (row.role == Role::kEmbedding) add(row, -1, -1);
  const auto kept = plan.kept();
  for (size_t i = 0; i < kept.size(); ++i)
    for (const auto& row : rows)
      if (models::per_block(row.role)) add(row, kept[i], static_cast<int64_t>(i));
  for (const auto& row : rows)
    if (!models::per_block(row.role) && row.role != Role::kEmbedding) add(row, -1, -1);
  return tensors;
}

int64_t rows_a_piece(const models::Checkpoint& checkpoint, Role role, int64_t columns) {
  constexpr int64_t kPieceValues = int64_t{1} << 21;  // 8 MiB of fp32 at a time
  const bool heads = role == Role::kQuery || role == Role::kKey;
  const int64_t unit = heads ? checkpoint.config().head_width : 1;
  return std::max<int64_t>(1, kPieceValues / columns / unit) * unit;
}

at::ScalarType scalar_type(StoredType type) {
  if (type == StoredType::kF32) return at::kFloat;
  return type == StoredType::kF16 ? at::kHalf : at::kBFloat16;
}

double rounding_error(const std::string& name, const at::Tensor& values,
                      const at::Tensor& rounded) {
  const double error = at::sub(values, rounded.to(at::kFloat)).abs().max().item().toDouble();
  if (!std::isfinite(error))
    throw Error(ErrorKind::kInput,
                text("tensor '", name, "' has values that bf16 cannot hold; write it as F32"));
  return error;
}

bool has_gain_less_one(const models::Checkpoint& checkpoint, Role role) {
  return checkpoint.config().options.gain_minus_one &&
         (role == Role::kAttentionNorm || role == Role::kFeedForwardNorm ||
          role == Role::kFinalNorm);
}

nlohmann::ordered_json provenance(const models::Checkpoint& checkpoint, const PruningPlan& plan,
                                  const std::vector<std::string>& weights,
                                  const models::Origin& origin) {
  using Json = nlohmann::ordered_json;
  const models::ModelConfig& config = checkpoint.config();
  const bool known = origin.is_known();
  Json files = Json::array();
  for (const auto& path : checkpoint.files()) files.push_back(path.filename().string());
  return {{"format", 1},
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
          {"weights", weights}};
}

void require_space(const std::filesystem::path& folder, const std::filesystem::path& shown,
                   uint64_t bytes) {
  const uint64_t needed = bytes + (uint64_t{16} << 20);  // beside the weights
  std::error_code unknown;
  const std::filesystem::space_info space = std::filesystem::space(folder, unknown);
  if (!unknown && space.available < needed)
    throw Error(ErrorKind::kResource,
                text("the pruned model needs ", needed, " bytes but '", shown.string(), "' has ",
                     space.available, " free; choose another output folder or free some space"));
}

void require_plan_of(const models::Checkpoint& checkpoint, const PruningPlan& plan) {
  validate(plan);
  if (plan.block_count != checkpoint.config().block_count)
    throw Error(ErrorKind::kUsage,
                text("the plan is for a model with ", plan.block_count,
                     " blocks, but this one has ", checkpoint.config().block_count));
}

}  // namespace plumb::pruning
