#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/checkpoint.h"
#include "models/origin.h"
#include "pruning/plan.h"

/// What writers of pruned checkpoints share, whichever format they write.
namespace plumb::pruning {

/// A tensor that stays, and its name in the format that is written.
struct KeptTensor {
  models::Role role;
  int64_t source_block;  ///< in the whole model; -1 for what no block has
  int64_t block;         ///< in the pruned one
  std::string name;
  models::TensorEntry entry;
};

/// In the order in which the model computes; `names` is the column of models/architecture.h. Tensors that are fused in one format
/// and apart in the other are apart. A tied unembedding is left out.
std::vector<KeptTensor> kept_tensors(const models::Checkpoint& checkpoint, const PruningPlan& plan,
                                     std::string_view models::TensorName::*names);

/// Rows of one piece: some megabytes of fp32, and whole heads where the rows of a head are put into another order.
int64_t rows_a_piece(const models::Checkpoint& checkpoint, models::Role role, int64_t columns);

/// Of F32, F16 and BF16.
at::ScalarType scalar_type(models::StoredType type);

/// Largest absolute difference between `values` and what they were rounded to. Error{kInput} naming tensor `name` where bf16
/// cannot hold a value.
double rounding_error(const std::string& name, const at::Tensor& values, const at::Tensor& rounded);

/// Whether Hugging Face files store this tensor less 1, where GGUF has it whole.
bool has_gain_less_one(const models::Checkpoint& checkpoint, models::Role role);

/// What was removed from which model, how and why; of `weights`, the files written.
nlohmann::ordered_json provenance(const models::Checkpoint& checkpoint, const PruningPlan& plan,
                                  const std::vector<std::string>& weights,
                                  const models::Origin& origin);

/// A disk that is too small is told before an hour of writing, where the system says how much is free.
/// `shown` is what the message calls it.
void require_space(const std::filesystem::path& folder, const std::filesystem::path& shown,
                   uint64_t bytes);

/// Error{kUsage} unless the plan is one of the checkpoint's.
void require_plan_of(const models::Checkpoint& checkpoint, const PruningPlan& plan);

}  // namespace plumb::pruning
