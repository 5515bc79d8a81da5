#include "harness/verify/paired_losses.h"

#include "base/statistics/bootstrap.h"
#include "base/statistics/summary.h"

namespace plumb::harness {

std::optional<size_t> plan_of(const SweepResult& sweep, const std::string& strategy, int64_t n) {
  for (size_t i = 0; i < sweep.plans.size(); ++i)
    if (sweep.plans[i].strategy == strategy && sweep.plans[i].removed_count() == n) return i;
  return std::nullopt;
}

PairedLosses paired_losses(const Measurements& m, const SweepResult& sweep,
                           const std::string& first, const std::string& second, int64_t most,
                           const std::string& evidence, Verdict& v) {
  PairedLosses out;
  const BootstrapOptions options{.draws = m.draws, .seed = m.seed};
  for (int64_t n = 1; n <= most; ++n) {
    const auto a = plan_of(sweep, first, n), b = plan_of(sweep, second, n);
    if (!a || !b) continue;
    if (sweep.plans[*a].removed == sweep.plans[*b].removed) {
      ++out.equal_plans;
      continue;
    }
    const auto& of_first = sweep.losses.loss_nats[*a];
    const auto& of_second = sweep.losses.loss_nats[*b];
    std::vector<double> difference, reverse;
    for (size_t d = 0; d < of_second.size(); ++d) {
      difference.push_back(of_second[d] - of_first[d]);
      reverse.push_back(-difference.back());
    }
    out.n.push_back(n);
    out.difference.push_back(mean(difference));
    out.better.push_back(bootstrap_p_not_above_zero(difference, options));
    out.worse.push_back(bootstrap_p_not_above_zero(reverse, options));
    v.evidence.push_back({.name = evidence,
                          .dimensions = {{"n", n}},
                          .value = out.difference.back(),
                          .unit = "nats",
                          .interval = bootstrap_mean(difference, options),
                          .higher_is_better = true});
  }
  return out;
}

}  // namespace plumb::harness
