#include <algorithm>

#include "base/error.h"
#include "base/statistics/multiplicity.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/verify/claims.h"
#include "harness/verify/paired_losses.h"

namespace plumb::harness {

namespace {

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
  const PairedLosses c =
      paired_losses(m, sweep, "similarity", "simple", most,
                    text(healed ? "healed_" : "", "simple_minus_similarity_loss"), v);
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
