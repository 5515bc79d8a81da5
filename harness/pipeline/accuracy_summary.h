#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/record.h"
#include "base/statistics/averages.h"
#include "base/statistics/calibrated_accuracy.h"
#include "base/statistics/collapse.h"
#include "base/statistics/monotone.h"
#include "harness/pipeline/paired_summary.h"

namespace plumb::harness {

/// What the clusters of a task's questions are, which decides the interval of its accuracies.
enum class ClusterRole {
  kNone,    ///< every question stands alone
  kSample,  ///< passages: questions about one depend on each other, and there could be other passages
  kGroups,  ///< subjects: fixed; `macro` averages over them, clustered intervals are a check
};

struct AnsweredPlan {
  std::string strategy;
  int64_t n = 0;        ///< blocks removed
  std::string removed;  ///< "12-18"; equal texts are equal plans
};

/// Right (1) and wrong (0) answers of every plan to one task's questions, by one metric.
struct AnsweredTask {
  std::string task;
  std::string metric = {};  ///< "acc", "acc_norm"
  double chance = 0;        ///< accuracy without knowledge, in [0, 1)
  int64_t block_count = 0;  ///< L
  ClusterRole role = ClusterRole::kNone;
  std::string cluster_field = {};                ///< "passage"
  std::vector<int64_t> clusters = {};            ///< [question], numbers from 0
  std::vector<std::string> cluster_names = {};   ///< [cluster], of kGroups alone
  std::vector<AnsweredPlan> plans = {};          ///< those of a strategy together
  std::vector<std::vector<uint8_t>> right = {};  ///< [plan][question]

  int64_t questions() const { return right.empty() ? 0 : static_cast<int64_t>(right[0].size()); }
  /// Index of the first plan that removes nothing, or none.
  std::optional<size_t> whole() const;
};

/// How well one plan answers.
struct PlanAccuracy {
  int64_t right = 0;
  double accuracy = 0;
  /// Of kSample: cluster-robust. Else accuracy_interval's: Wilson's, or exact where it is few.
  Interval interval;
  /// The other one of these two, where there are clusters: what they change.
  std::optional<Interval> other_interval;
  Averages averages;  ///< by question and by group; of kGroups over its groups, else over one
  double p_above_chance = 1;  ///< one-sided exact binomial, raw: of so many right ones by guessing
  std::optional<CalibratedAccuracy> calibrated;  ///< none where the whole model is at chance
};

/// Two plans on the same questions: `plan` less `against`.
struct PlanComparison {
  size_t plan = 0;     ///< index into AnsweredTask::plans
  size_t against = 0;  ///< the whole model, or `simple` of the same n
  PairedSummary pair;  ///< its family: the plans of one strategy, one task, one metric
};

/// A strategy's accuracies over n.
struct AccuracyCurve {
  std::string strategy = {};
  std::vector<size_t> plans = {};  ///< by n, ascending, each n once
  std::string not_run = {};        ///< why there is nothing below, or empty
  std::optional<MonotoneTest> falling = {};
  std::optional<Collapse> collapse = {};  ///< of kGroups that of the macro average
  /// Largest n such that it and every smaller one is shown to be flat; 0 where the first is not.
  int64_t flat_to = 0;
};

/// All that a reader needs to judge a task's accuracies by one metric.
struct AccuracySummary {
  AnsweredTask answered;
  std::vector<PlanAccuracy> plans;  ///< [plan]
  /// Whether the whole model knows anything: exact binomial p <= 0.05 and, of kSample, the lower
  /// end of the clustered 90 % interval above chance.
  bool above_chance = false;
  std::string not_above_chance;  ///< why f0, flatness and collapse are not run, or empty
  std::vector<PlanComparison> against_whole;   ///< of every plan that removes a block
  std::vector<PlanComparison> against_simple;  ///< of the others' plans that differ from simple's
  std::vector<AccuracyCurve> curves;           ///< by strategy, in the order of the plans

  /// Whether collapses are those of the macro average, which the paper's are.
  bool over_groups() const;
  const AccuracyCurve* curve(const std::string& strategy) const;
  double fraction(size_t plan) const;  ///< n / L
};

struct SummaryOptions {
  int64_t draws = 2000;
  uint64_t seed = 0;
};

/// Error{kInvariant} for no plans or questions, unequal numbers of them, an answer that is neither 0
/// nor 1, or a chance outside of [0, 1).
AccuracySummary summarise(AnsweredTask answered, const SummaryOptions& options = {});

/// Each task's first metric, which stands for it where one is shown.
std::vector<const AccuracySummary*> first_metrics(const std::vector<AccuracySummary>& all);

}  // namespace plumb::harness
