#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "harness/cli/asked_questions.h"
#include "harness/cli/console.h"
#include "harness/pipeline/evaluation.h"
#include "harness/pipeline/stages.h"
#include "harness/pipeline/sweep_plans.h"
#include "harness/pipeline/tables.h"

namespace plumb::harness {

/// What `plumb sweep` has measured: losses where there are documents, answers where there are
/// tasks.
struct SweepOutcome {
  SweepPlans chosen;
  std::optional<SweepResult> losses;
  std::vector<PlanLoss> plan_losses;
  std::vector<TaskEvaluation> evaluations;
  std::vector<AccuracySummary> summaries;
  std::vector<Evaluated> tasks;  ///< of each
  int64_t resumed_steps = 0;     ///< that were finished before
  int64_t processes = 1;         ///< that ran it
};

/// sweep.json. Everything but its object `run` is the same for a sweep that was interrupted and one
/// that was not.
nlohmann::ordered_json sweep_json(Session& session, const SweepOutcome& outcome);
void say_sweep(const SweepOutcome& outcome, const Console& console);

}  // namespace plumb::harness
