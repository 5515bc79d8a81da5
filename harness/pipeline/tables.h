#pragma once

#include <optional>

#include "base/record.h"
#include "base/statistics/bootstrap.h"
#include "harness/pipeline/publish.h"
#include "harness/pipeline/results.h"

namespace plumb::harness {

struct MeasuredMean {
  double mean = 0;
  Interval interval;
};

/// Why there is no comparison with the whole model, where there is none.
inline constexpr const char* kNoWholeModel =
    "the whole model (n = 0) is not among the plans of this sweep";

inline constexpr const char* kTooLargePerplexity = "exp of this loss is more than a double holds";

/// Mean over documents of one plan's loss, with its interval by document.
struct PlanLoss {
  double loss_nats = 0;
  double normalised = 0;
  Interval nats;      ///< of loss_nats
  Interval interval;  ///< of normalised
  /// exp(loss_nats): per token, of the mean loss over documents. Absent beyond what a double holds.
  std::optional<MeasuredMean> perplexity;
  /// Against the whole model at the same positions, where the sweep has it (n = 0); absent otherwise.
  std::optional<MeasuredMean> divergence_nats;  ///< KL(whole || pruned) over the vocabulary
  std::optional<MeasuredMean>
      same_top;  ///< share of positions with the whole model's likeliest token
};
PlanLoss loss_of(const SweepResult& sweep, size_t plan, const BootstrapOptions& options);
std::vector<PlanLoss> losses_of(const SweepResult& sweep, const BootstrapOptions& options);

/// Mean over documents of one distance, with its interval by document.
struct PairDistance {
  int64_t n = 0;
  int64_t l = 0;
  double mean = 0;
  Interval interval;
};
/// All pairs before the final norm, ordered by n, then l; and those with l + n = L after it.
std::vector<PairDistance> pair_distances(const metrics::Profile& profile,
                                         const BootstrapOptions& options);
std::vector<PairDistance> post_norm_distances(const metrics::Profile& profile,
                                              const BootstrapOptions& options);

/// The CSV files of the stages. The columns are an interface; every file has its header even where it has no row.
std::vector<NamedFile> profile_files(const ProfileResult& profile, const PlanResult& plans,
                                     const BootstrapOptions& options);
std::vector<NamedFile> sweep_files(const SweepResult& sweep, const std::vector<PlanLoss>& losses);
NamedFile cost_file(const CostResult& cost);

/// plans.csv read back: one plan per n, of strategy "similarity". Error{kInput} with the line.
std::vector<pruning::PruningPlan> read_plans_csv(const std::string& file, int64_t block_count);

}  // namespace plumb::harness
