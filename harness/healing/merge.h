#pragma once

#include <filesystem>
#include <optional>

#include "healing/peft_adapter.h"
#include "models/formats/checkpoint.h"
#include "pruning/apply.h"
#include "pruning/plan.h"

namespace plumb::harness {

/// Adds scale B A to the weights of every module that the adapter has. It lives as long as the adapter.
pruning::WeightChange merging(const healing::PeftAdapter& adapter, models::ModelConfig pruned);

/// The plan that an adapter of `plumb heal` belongs to, by its plumb.json: the blocks that were removed where `checkpoint` is the
/// model that they were removed from, none where it has as many blocks as were left. Error{kInput} where it is neither; none where
/// the folder has no plumb.json, as one of PEFT.
std::optional<pruning::PruningPlan> plan_of_adapter(const std::filesystem::path& adapter,
                                                    const models::Checkpoint& checkpoint);

}  // namespace plumb::harness
