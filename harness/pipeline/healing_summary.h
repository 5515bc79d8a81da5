#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/statistics/bootstrap.h"
#include "harness/pipeline/heal_result.h"
#include "harness/pipeline/paired_summary.h"
#include "harness/pipeline/publish.h"
#include "harness/pipeline/questions_result.h"
#include "harness/pipeline/tables.h"

namespace plumb::harness {

/// What healing has done to one plan's loss.
struct HealingGain {
  pruning::PruningPlan plan;
  PlanLoss unhealed;
  PlanLoss healed;
  double gain_nats = 0;  ///< unhealed less healed, paired by document
  Interval interval;     ///< of gain_nats
  double p = 1;          ///< one-sided, of "the gain is not above 0", by document
  double p_holm = 1;     ///< over all plans that were healed
  /// gain / (unhealed - whole model): the share of the damage that is repaired. None where the whole model is not in the sweep
  /// or the plan does not lose more than it.
  std::optional<double> repaired;
};

/// And to its accuracy on one task by one metric.
struct HealedAccuracy {
  pruning::PruningPlan plan;
  std::string task;
  std::string metric;
  double accuracy = 0;
  Interval interval;
  double unhealed = 0;
  PairedSummary
      gain;  ///< healed less unhealed, on the same questions; its family: all of a task and metric
};

/// Healed losses in the form of the sweep's, so that what is made for one is made for the other: plans, losses, text, V.
SweepResult healed_sweep(const HealResult& heal, const SweepResult& sweep);

/// In the order of `heal`. Error{kInvariant} where a plan is not in the sweep.
std::vector<HealingGain> healing_gains(const HealResult& heal, const SweepResult& sweep,
                                       const BootstrapOptions& options);
/// None where no questions were asked.
std::vector<HealedAccuracy> healed_accuracies(const HealResult& heal,
                                              const std::vector<AccuracySummary>& unhealed);

/// Each task's curve over the healed plans of a strategy, which begins with the whole model, as nothing of it was trained: for what is
/// said of unhealed curves to be said of healed ones. None of a task that no healed plan was asked.
std::vector<AccuracySummary> healed_summaries(const HealResult& heal,
                                              const std::vector<AccuracySummary>& unhealed,
                                              const SummaryOptions& options);

/// healed.csv, healed_documents.csv, healed_accuracy.csv where there are answers, and training/STRATEGY-N.csv of every plan.
std::vector<NamedFile> heal_files(const HealResult& heal, const SweepResult& sweep,
                                  const std::vector<HealingGain>& gains,
                                  const std::vector<HealedAccuracy>& accuracies);

}  // namespace plumb::harness
