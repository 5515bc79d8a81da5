#include "harness/pipeline/sweep_plans.h"

#include <algorithm>

#include "base/error.h"
#include "harness/pipeline/tables.h"

namespace plumb::harness {

namespace {

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Puts the plans of `given` in the place of those that were asked for of `similarity`.
void take_given(const std::vector<pruning::PruningPlan>& given, const std::vector<int64_t>& counts,
                int64_t block_count, const std::string& file,
                std::vector<pruning::PruningPlan>& out) {
  for (const int64_t n : counts) {
    const auto found = std::find_if(given.begin(), given.end(),
                                    [&](const auto& plan) { return plan.removed_count() == n; });
    if (n == 0) {
      out.push_back({block_count, {}, "similarity", "nothing is removed"});
    } else if (found == given.end()) {
      throw Error(ErrorKind::kUsage, text("'", printable(file), "' has no plan for n = ", n,
                                          ", needed one for every "
                                          "n of --n"));
    } else {
      out.push_back(*found);
    }
  }
}

}  // namespace

SweepPlans choose_plans(Session& session, const std::optional<std::string>& plans_csv,
                        const Console& console) {
  const Experiment& experiment = session.experiment();
  const int64_t blocks = session.checkpoint().config().block_count;
  const auto counts = sweep_counts(experiment, blocks);  // out of range is said before any work
  const bool similarity = has(experiment.strategies, "similarity");
  const bool profiled = has(experiment.strategies, "block-influence") || (similarity && !plans_csv);
  SweepPlans chosen;
  std::vector<pruning::PruningPlan> given;
  if (plans_csv) {
    if (!similarity)
      throw Error(ErrorKind::kUsage,
                  "--plans gives the plans of similarity, which is not in --strategies");
    given = read_plans_csv(*plans_csv, blocks);
  }
  std::optional<ProfileResult> profile;
  if (profiled) profile = profile_stage(session, console);
  for (const std::string& strategy : experiment.strategies) {
    if (strategy == "similarity" && plans_csv) {
      take_given(given, counts, blocks, *plans_csv, chosen.plans);
      continue;
    }
    Experiment one = experiment;
    one.strategies = {strategy};
    one.deepest = false;  // a sweep names its strategies
    const auto plans = plan_stage(one, blocks, profile ? &*profile : nullptr).plans;
    chosen.plans.insert(chosen.plans.end(), plans.begin(), plans.end());
  }
  chosen.calibration = plans_csv                     ? text("plans from ", printable(*plans_csv))
                       : !profiled                   ? "none needed"
                       : experiment.same_documents() ? "same documents"
                       : experiment.overlapping_documents() ? "overlapping documents"
                                                            : profile->text.file;
  return chosen;
}

}  // namespace plumb::harness
