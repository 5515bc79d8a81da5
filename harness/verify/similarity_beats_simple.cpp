#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/statistics/bootstrap.h"
#include "base/statistics/multiplicity.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/verify/claims.h"

namespace plumb::harness {

namespace {

/// Index of a strategy's plan of n blocks, or none.
std::optional<size_t> plan_of(const SweepResult& sweep, const std::string& strategy, int64_t n) {
  for (size_t i = 0; i < sweep.plans.size(); ++i)
    if (sweep.plans[i].strategy == strategy && sweep.plans[i].removed_count() == n) return i;
  return std::nullopt;
}

struct Comparison {
  std::vector<double> better;  ///< p of "similarity is not better", per n
  std::vector<double> worse;   ///< p of "simple is not better"
  std::vector<int64_t> n;
  std::vector<double> difference;  ///< simple - similarity, nats
  int64_t equal_plans = 0;
};

/// Documents are resampled as they were measured: where positions were drawn, the spread between documents already has
/// what the drawing adds.
Comparison compare(const Measurements& m, const SweepResult& sweep, int64_t most,
                   const std::string& prefix, Verdict& v) {
  Comparison out;
  const BootstrapOptions options{.draws = m.draws, .seed = m.seed};
  for (int64_t n = 1; n <= most; ++n) {
    const auto a = plan_of(sweep, "similarity", n), b = plan_of(sweep, "simple", n);
    if (!a || !b) continue;
    if (sweep.plans[*a].removed == sweep.plans[*b].removed) {
      ++out.equal_plans;
      continue;
    }
    const auto& similarity = sweep.losses.loss_nats[*a];
    const auto& simple = sweep.losses.loss_nats[*b];
    std::vector<double> difference, reverse;
    for (size_t d = 0; d < simple.size(); ++d) {
      difference.push_back(simple[d] - similarity[d]);
      reverse.push_back(-difference.back());
    }
    out.n.push_back(n);
    out.difference.push_back(mean(difference));
    out.better.push_back(bootstrap_p_not_above_zero(difference, options));
    out.worse.push_back(bootstrap_p_not_above_zero(reverse, options));
    v.evidence.push_back({.name = prefix + "simple_minus_similarity_loss",
                          .dimensions = {{"n", n}},
                          .value = out.difference.back(),
                          .unit = "nats",
                          .interval = bootstrap_mean(difference, options),
                          .higher_is_better = true});
  }
  return out;
}

/// At the n of both sweeps: how far simple is behind similarity, in words.
std::string gap_text(const SweepResult& sweep, const std::vector<int64_t>& counts) {
  double sum = 0;
  for (const int64_t n : counts)
    sum += mean(sweep.losses.loss_nats[*plan_of(sweep, "simple", n)]) -
           mean(sweep.losses.loss_nats[*plan_of(sweep, "similarity", n)]);
  return number_text(sum / static_cast<double>(counts.size()), 3);
}

}  // namespace

void judge_strategies(const Measurements& m, const SweepResult& sweep, int64_t most,
                      const std::string& how, Verdict& v) {
  const bool healed = how == "healed";
  const Comparison c = compare(m, sweep, most, healed ? "healed_" : "", v);
  if (c.n.empty())
    return not_run(
        v,
        c.equal_plans > 0 ? "both strategies chose the same blocks for every n"
                          : text("the ", healed ? "healed plans have" : "sweep has",
                                 " not both strategies for any n in 1..", healed ? "L-1" : "L/2"),
        healed ? "name both in heal.strategies" : "sweep similarity and simple over 1..L/2");
  const auto better = holm(c.better), worse = holm(c.worse);
  const auto significant = [](const std::vector<double>& p) {
    return std::count_if(p.begin(), p.end(), [](double x) { return x <= kAlpha; });
  };
  const auto least = std::min_element(c.difference.begin(), c.difference.end());
  std::string found = text("similarity loses less at ", significant(better), " of ", c.n.size(),
                           " values of n; least advantage ", number_text(*least, 3),
                           " nats at n = ", c.n[static_cast<size_t>(least - c.difference.begin())]);
  if (healed)
    found += text("; simple is behind by ", gap_text(sweep, c.n), " nats on average, unhealed by ",
                  gap_text(*m.sweep, c.n));
  if (c.equal_plans > 0) found += text("; the plans are equal at ", c.equal_plans, " more");
  if (significant(better) == static_cast<int64_t>(c.n.size()))
    return decide(v, VerdictKind::kPass, found);
  if (significant(worse) > 0)
    return decide(
        v, VerdictKind::kFail, text(found, "; simple loses less at ", significant(worse)),
        "compare the two curves; the claim is the paper's and may not hold for this model");
  decide(v, VerdictKind::kInconclusive, found, "measure more documents (validation.limit)");
}

void judge_similarity_beats_simple(const Measurements& m, Verdict& v) {
  if (m.sweep == nullptr) return not_run(v, "no losses were measured", "run `plumb run`");
  const auto documents = static_cast<int64_t>(m.sweep->text.documents.size());
  if (documents < kLeastDocuments)
    return not_run(v,
                   text(documents, " documents were measured, needed at least ", kLeastDocuments),
                   text("set validation.limit to ", kLeastDocuments, " or more"));
  judge_strategies(m, *m.sweep, m.block_count / 2, "unhealed", v);
}

}  // namespace plumb::harness
