#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/statistics/summary.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

constexpr double kSmallLoss = 0.1;  ///< what "little" means on top of the page

std::string first_random(const Shown& shown, const std::string& strategy) {
  int64_t last = 0;
  for (int64_t n = 0; n < shown.blocks(); ++n) {
    const auto plan = shown.plan(strategy, n);
    if (!plan) continue;
    last = n;
    if (shown.losses[*plan].normalised >= 1) return text("n = ", n);
  }
  return text("none up to n = ", last);
}

/// A task's accuracy of the whole model and where it collapses.
void add_accuracy(const AccuracySummary& s, const std::string& strategy,
                  std::vector<std::pair<std::string, std::string>>& out) {
  const auto whole = s.answered.whole();
  if (!whole) return;
  out.emplace_back(text("Accuracy of the whole model on ", s.answered.task),
                   with_interval(s.plans[*whole].accuracy, s.plans[*whole].interval));
  const AccuracyCurve* curve = s.curve(strategy);
  if (curve == nullptr) return;
  out.emplace_back(text("Fraction removed where ", s.answered.task, " collapses, ", strategy),
                   !curve->collapse ? "not run"
                   : curve->collapse->shown
                       ? with_interval(curve->collapse->logistic.centre, curve->collapse->f0)
                       : "none shown");
}

/// "Claims passed; 1 failed, 3 inconclusive, 1 not run."
std::string other_verdicts(const std::vector<Verdict>& verdicts) {
  constexpr std::array<std::pair<VerdictKind, const char*>, 5> kOthers{
      {{VerdictKind::kFail, "failed"},
       {VerdictKind::kInconclusive, "inconclusive"},
       {VerdictKind::kNotRun, "not run"},
       {VerdictKind::kIncomparable, "incomparable"},
       {VerdictKind::kInvalid, "invalid"}}};
  std::string out = "Claims passed";
  const char* separator = "; ";
  for (const auto& [kind, name] : kOthers) {
    const auto count = std::count_if(verdicts.begin(), verdicts.end(),
                                     [kind = kind](const Verdict& v) { return v.kind == kind; });
    if (count == 0) continue;
    out += text(separator, count, " ", name);
    separator = ", ";
  }
  return out;
}

}  // namespace

int64_t cheap_blocks(const Shown& shown, const std::string& strategy) {
  const auto whole = shown.plan(strategy, 0);
  if (!whole) return -1;
  const auto& samples = shown.run.sweep.losses.loss_nats;
  const double allowed = kSmallLoss * mean(samples[*whole]);
  int64_t most = 0;
  for (int64_t n = 1; n < shown.blocks(); ++n) {
    const auto plan = shown.plan(strategy, n);
    if (!plan) break;
    if (bootstrap_difference(samples[*plan], samples[*whole], shown.options).high > allowed) break;
    most = n;
  }
  return most;
}

std::vector<std::pair<std::string, std::string>> headline(const Shown& shown,
                                                          const std::vector<Verdict>& verdicts) {
  const Run& run = shown.run;
  std::vector<std::pair<std::string, std::string>> out;
  const auto passed = std::count_if(verdicts.begin(), verdicts.end(),
                                    [](const Verdict& v) { return v.kind == VerdictKind::kPass; });
  out.emplace_back(other_verdicts(verdicts), text(passed, " of ", verdicts.size()));
  if (run.experiment.strategies.empty()) return out;
  const std::string& strategy = run.experiment.strategies.front();
  if (const auto whole = shown.plan(strategy, 0))
    out.emplace_back("Normalised loss of the whole model",
                     with_interval(shown.losses[*whole].normalised, shown.losses[*whole].interval));
  for (const std::string& name : run.experiment.strategies) {
    const int64_t n = cheap_blocks(shown, name);
    if (n < 0) continue;
    out.emplace_back(
        text("Blocks removed by ", name, " for at most 10 % more loss"),
        text(n, " of ", shown.blocks(), " (",
             number_text(100.0 * static_cast<double>(n) / static_cast<double>(shown.blocks()), 2),
             " %)"));
  }
  out.emplace_back(text("First n where ", strategy, " is no better than a random guess"),
                   first_random(shown, strategy));
  for (const HealingGain& gain : shown.gains)
    if (gain.plan.strategy == strategy)
      out.emplace_back(
          text("Normalised loss without ", gain.plan.removed_count(), " blocks, healed"),
          text(number_text(gain.unhealed.normalised, 3), " to ",
               with_interval(gain.healed.normalised, gain.healed.interval)));
  for (const AccuracySummary* s : first_metrics(run.accuracy)) add_accuracy(*s, strategy, out);
  out.emplace_back(text("Block evaluations for ", asked_plans(run.sweep.plans), " plans"),
                   text(run.sweep.losses.block_evaluations, " instead of ",
                        run.sweep.losses.block_evaluations_alone));
  return out;
}

}  // namespace plumb::harness
