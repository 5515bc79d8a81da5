// Whether the last block is needed: the deepest n blocks with it against the deepest n that leave it. For losses and for
// answers apart, as published numbers of other models disagree about the answers.

#include <algorithm>

#include "base/error.h"
#include "base/statistics/multiplicity.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/verify/claims.h"
#include "harness/verify/paired_losses.h"
#include "harness/verify/published.h"

namespace plumb::harness {

namespace {

constexpr const char* kSweepIt =
    "measure the deepest blocks with the last one among them: --set sweep.deepest=true";

int64_t count_below(const std::vector<double>& p) {
  return std::count_if(p.begin(), p.end(), [](double x) { return x <= kAlpha; });
}

/// Published: removing the last n with the final block against the n before it, on MMLU. "Llama-2-7B n = 2: 0.462 without
/// the last block, 0.430 with it".
std::string counter_evidence(Verdict& v) {
  const auto removals = published_removals();
  int64_t without_is_better = 0, pairs = 0;
  std::string example;
  for (const PublishedRemoval& deepest : removals) {
    constexpr int64_t kLast = 31;
    if (deepest.last != kLast) continue;
    const auto simple =
        std::find_if(removals.begin(), removals.end(), [&](const PublishedRemoval& r) {
          return r.model == deepest.model && r.first == deepest.first - 1 && r.last == kLast - 1;
        });
    if (simple == removals.end()) continue;
    ++pairs;
    if (deepest.accuracy > simple->accuracy) ++without_is_better;
    const int64_t n = deepest.last - deepest.first + 1;
    v.evidence.push_back({.name = "published_mmlu_simple_minus_deepest",
                          .dimensions = {{"model", deepest.model}, {"n", n}},
                          .value = simple->accuracy - deepest.accuracy,
                          .unit = "1",
                          .higher_is_better = true});
    example = text("such as ", deepest.model, ", n = ", n, ": ", number_text(deepest.accuracy, 3),
                   " without it, ", number_text(simple->accuracy, 3), " with it");
  }
  return text(
      "Counter-evidence: in a published table of unhealed models MMLU is higher without the last "
      "block in ",
      without_is_better, " of ", pairs, " pairs, ", example);
}

struct Found {
  VerdictKind kind = VerdictKind::kNotRun;
  std::string reason;
};

Found of_task(const AccuracySummary& s, Verdict& v) {
  std::vector<double> p;
  std::vector<const PlanComparison*> pairs;
  for (const PlanComparison& pair : s.against_simple)
    if (s.answered.plans[pair.plan].strategy == "deepest" &&
        4 * s.answered.plans[pair.plan].n <= s.answered.block_count) {
      pairs.push_back(&pair);
      p.push_back(pair.pair.p);
    }
  if (pairs.empty()) return {};
  if (!s.not_above_chance.empty()) return {VerdictKind::kNotRun, s.not_above_chance};
  const auto adjusted = holm(p);
  int64_t worse = 0, better = 0;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const PairedSummary& pair = pairs[i]->pair;  // deepest less simple
    if (adjusted[i] <= kAlpha) ++(pair.difference < 0 ? worse : better);
    v.evidence.push_back({.name = "deepest_less_simple_accuracy",
                          .dimensions = {{"task", s.answered.task},
                                         {"metric", s.answered.metric},
                                         {"n", s.answered.plans[pairs[i]->plan].n}},
                          .value = pair.difference,
                          .unit = "1",
                          .interval = pair.interval});
  }
  const std::string found =
      text(s.answered.task, ": without the last block fewer answers are right at ", worse, " of ",
           pairs.size(), " values of n, more at ", better);
  if (better > 0) return {VerdictKind::kFail, found};
  return {worse > 0 ? VerdictKind::kPass : VerdictKind::kInconclusive, found};
}

}  // namespace

void judge_last_block_for_loss(const Measurements& m, Verdict& v) {
  if (m.sweep == nullptr) return not_run(v, "no losses were measured", "run `plumb run`");
  const auto documents = static_cast<int64_t>(m.sweep->text.documents.size());
  if (documents < kLeastDocuments)
    return not_run(v,
                   text(documents, " documents were measured, needed at least ", kLeastDocuments),
                   text("set validation.limit to ", kLeastDocuments, " or more"));
  const PairedLosses c = paired_losses(m, *m.sweep, "simple", "deepest", m.block_count / 4,
                                       "deepest_minus_simple_loss", v);
  if (c.n.empty())
    return not_run(v, "no plan of n <= L/4 removes the last block beside one that leaves it",
                   kSweepIt);
  const auto needed = holm(c.better), spare = holm(c.worse);
  const auto least = std::min_element(c.difference.begin(), c.difference.end());
  const std::string found =
      text("the loss is higher without the last block at ", count_below(needed), " of ", c.n.size(),
           " values of n; least difference ", number_text(*least, 3),
           " nats at n = ", c.n[static_cast<size_t>(least - c.difference.begin())]);
  if (count_below(needed) == std::ssize(c.n)) return decide(v, VerdictKind::kPass, found);
  if (count_below(spare) > 0)
    return decide(
        v, VerdictKind::kFail, text(found, "; lower at ", count_below(spare)),
        "this model's loss does not need its last block there: compare deepest with simple");
  decide(v, VerdictKind::kInconclusive, found, "measure more documents (validation.limit)");
}

void judge_last_block_for_answers(const Measurements& m, Verdict& v) {
  if (m.accuracy == nullptr || m.accuracy->empty())
    return not_run(v, "no questions were asked",
                   "name tasks in questions.tasks, and set sweep.deepest");
  std::vector<Found> found;
  for (const AccuracySummary* s : first_metrics(*m.accuracy))
    if (Found one = of_task(*s, v); !one.reason.empty()) found.push_back(std::move(one));
  if (found.empty())
    return not_run(v,
                   "no plan of n <= L/4 without the last block was asked beside one that leaves it",
                   kSweepIt);
  VerdictKind kind = VerdictKind::kNotRun;
  for (const VerdictKind one : {VerdictKind::kPass, VerdictKind::kInconclusive, VerdictKind::kFail})
    if (std::any_of(found.begin(), found.end(), [&](const Found& f) { return f.kind == one; }))
      kind = one;
  std::string reason;
  for (const Found& one : found) reason += (reason.empty() ? "" : "; ") + one.reason;
  reason += ". " + counter_evidence(v);
  decide(v, kind, reason,
         kind == VerdictKind::kFail
             ? "answers do not need the last block here, as in the published table"
         : kind == VerdictKind::kInconclusive ? "ask more questions"
         : kind == VerdictKind::kNotRun ? "take a model that knows the answers, or an easier task"
                                        : "");
}

}  // namespace plumb::harness
