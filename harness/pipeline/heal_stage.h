#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "harness/cli/console.h"
#include "harness/healing/healing_options.h"
#include "harness/healing/healing_text.h"
#include "harness/pipeline/heal_result.h"
#include "harness/pipeline/session.h"

namespace plumb::harness {

/// What `heal` says of a plan's training. Error{kUsage} for options out of range or that the model has not.
HealingOptions healing_options(Session& session, const pruning::PruningPlan& plan);

/// The text that is trained on, the same for all plans. Error{kInput} where it is too short for the steps, or where a document
/// of the calibration or the validation is among those that are trained on, with both lines.
HealingText heal_text(Session& session);

/// What decides an adapter: `common` of the stage's caller, the plan's blocks whoever chose them, the text and the settings.
nlohmann::ordered_json heal_key(Session& session, const pruning::PruningPlan& plan,
                                const nlohmann::ordered_json& common);

/// Trains in `folder`, where it goes on from what a killed run has left; the adapter stays there as `adapter`, as PEFT reads it.
/// On the CPU, whatever the experiment's device.
TrainedPlan heal_stage(Session& session, const pruning::PruningPlan& plan, const HealingText& text,
                       const std::filesystem::path& folder, const Console& console);
/// Once the result stands: what it could have gone on from goes.
void finish_heal_stage(const std::filesystem::path& folder);
bool has_adapter(const std::filesystem::path& folder);

/// Writes the pruned model with the adapter of `folder` in its weights, measures it, and removes it. Its weights are exact ones
/// with the adapter added, as `plumb prune --merge` writes them, not the 4-bit ones of the training. Error{kInvariant} where its documents
/// are not `documents`.
HealedPlan healed_stage(Session& session, const pruning::PruningPlan& plan,
                        const TextFacts& documents, const std::filesystem::path& folder,
                        const Console& console);

/// Quantises the whole model to see what its blocks take.
BlockBytes nf4_stage(Session& session);

}  // namespace plumb::harness
