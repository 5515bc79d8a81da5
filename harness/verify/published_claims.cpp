// Claims about single models of the paper: a run of one of them is held to the published numbers.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/statistics/bootstrap.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/verify/claims.h"
#include "harness/verify/published.h"

namespace plumb::harness {

namespace {

constexpr int64_t kStartTolerance = 1;

/// Whether the published start is as good as ours on these documents: the interval of the paired difference of the two
/// distances, published less ours, holds 0.
bool flat_minimum(const Measurements& m, int64_t n, int64_t ours, int64_t published) {
  const auto& d = m.profile->profile.before_norm;
  std::vector<double> difference;
  for (int64_t document = 0; document < d.document_count(); ++document)
    difference.push_back(d.at(n, published, document) - d.at(n, ours, document));
  return bootstrap_mean(difference, {.draws = m.draws, .seed = m.seed}).low <= 0;
}

/// The last n before the start falls by more than its neighbours do, or 0: published tables have one such jump at most.
int64_t last_before_jump(const std::vector<int64_t>& first) {
  constexpr int64_t kJump = 4;
  for (size_t i = 1; i < first.size(); ++i)
    if (first[i - 1] - first[i] > kJump) return static_cast<int64_t>(i);
  return 0;
}

/// The answers to MMLU, or null.
const AccuracySummary* mmlu_of(const std::vector<AccuracySummary>* all) {
  const AccuracySummary* out = nullptr;
  if (all == nullptr) return out;
  for (const AccuracySummary* s : first_metrics(*all))
    if (s->answered.task.starts_with("mmlu")) out = s;
  return out;
}

}  // namespace

void judge_published_starts(const Measurements& m, Verdict& v) {
  if (m.plans == nullptr || m.profile == nullptr || m.model == nullptr)
    return not_run(v, "no distances were measured", "run `plumb run`");
  std::string names;
  const auto published = published_starts(*m.model, names);
  if (!published)
    return not_run(v, text("no l*(n) is published for this model, only for ", names),
                   "run one of these models to compare");
  int64_t compared = 0, equal = 0, near = 0, flat = 0;
  std::string furthest;
  int64_t largest = 0;
  for (const auto& start : m.plans->starts) {
    if (start.n < 1 || start.n > std::ssize(published->first)) continue;
    const int64_t theirs = published->first[static_cast<size_t>(start.n - 1)];
    const int64_t apart = std::abs(start.first - theirs);
    ++compared;
    equal += apart == 0;
    near += apart > 0 && apart <= kStartTolerance;
    if (apart > kStartTolerance && flat_minimum(m, start.n, start.first, theirs)) ++flat;
    if (apart > largest) {
      largest = apart;
      furthest = text("; furthest at n = ", start.n, ": ", start.first, ", published ", theirs);
    }
    v.evidence.push_back({.name = "start_less_published",
                          .dimensions = {{"n", start.n}},
                          .value = start.first - theirs,
                          .unit = "blocks"});
  }
  if (compared == 0)
    return not_run(v, "no n of the published table was measured", "sweep n = 1..L-2");
  const int64_t jump = last_before_jump(published->first);
  const std::string found =
      text(published->model, ": l*(n) is the published one at ", equal, " of ", compared,
           " values of n, a neighbour at ", near, ", as good on these documents at ", flat,
           furthest, jump > 0 ? text("; published starts jump after n = ", jump) : std::string());
  if (equal + near == compared) return decide(v, VerdictKind::kPass, found);
  if (equal + near + flat == compared)
    return decide(v, VerdictKind::kInconclusive, found,
                  "profile more documents (calibration.limit): the minima are flat");
  decide(v, VerdictKind::kFail, found,
         "compare text, precision and index convention; see distances.csv");
}

void judge_published_collapse(const Measurements& m, Verdict& v) {
  if (m.model == nullptr || m.accuracy == nullptr)
    return not_run(v, "no questions were asked", "name mmlu in questions.tasks");
  std::string names;
  const auto published = published_collapse(*m.model, names);
  if (!published)
    return not_run(v, text("the paper states no fraction for this model, only for ", names),
                   "run one of these models to compare");
  const AccuracySummary *unhealed = mmlu_of(m.accuracy), *mmlu = mmlu_of(m.healed_accuracy);
  if (unhealed == nullptr) return not_run(v, "MMLU was not asked", "name mmlu in questions.tasks");
  const bool healed = mmlu != nullptr && mmlu->curve("similarity") != nullptr &&
                      mmlu->curve("similarity")->collapse.has_value();
  if (!healed) mmlu = unhealed;
  const AccuracyCurve* curve = mmlu->curve("similarity");
  if (curve == nullptr)
    return not_run(v, "similarity's plans were not asked", "name similarity in sweep.strategies");
  if (!curve->collapse) return not_run(v, curve->not_run, "take a model that knows the answers");
  const Collapse& c = *curve->collapse;
  v.evidence.push_back({.name = "f0",
                        .dimensions = {{"task", mmlu->answered.task},
                                       {"strategy", curve->strategy},
                                       {"plans", healed ? "healed" : "unhealed"}},
                        .value = c.logistic.centre,
                        .unit = "fraction of blocks",
                        .interval = c.f0});
  const double low = published->low - published->allowed_beside,
               high = published->high + published->allowed_beside;
  const std::string found =
      text("f0 = ", with_interval(c.logistic.centre, c.f0), healed ? ", healed; " : ", unhealed; ",
           published->family, " in the paper, healed: ", number_text(published->low, 2), " to ",
           number_text(published->high, 2), ", allowed ", number_text(low, 2), " to ",
           number_text(high, 2));
  if (!c.shown)
    return decide(v, VerdictKind::kInconclusive, text(found, "; no collapse was shown"),
                  "ask more questions");
  if (c.f0.low >= low && c.f0.high <= high) return decide(v, VerdictKind::kPass, found);
  if (c.f0.high < low || c.f0.low > high)
    return decide(v, VerdictKind::kFail, found,
                  healed ? "compare protocol, precision and training"
                         : "compare protocol and precision; heal 4 or more values of n (heal.n): "
                           "healing moves the collapse a little later");
  decide(v, VerdictKind::kInconclusive, found, "ask more questions, or every n");
}

}  // namespace plumb::harness
