// What a run found, in sentences for people who read nothing else.

#include <algorithm>

#include "base/error.h"
#include "base/statistics/summary.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

std::string blocks_text(int64_t n, int64_t blocks) {
  return text(n, " of ", blocks, " blocks (",
              number_text(100.0 * static_cast<double>(n) / static_cast<double>(blocks), 2), " %)");
}

std::string per_cent(double fraction) { return number_text(100 * fraction, 2) + " %"; }

void add_loss(const Shown& shown, const std::string& strategy, std::vector<std::string>& out) {
  const int64_t n = cheap_blocks(shown, strategy);
  if (n < 0) return;
  if (n == 0) {
    out.push_back(text("Chosen by ", strategy,
                       ", already the first block costs more than a tenth of the loss."));
    return;
  }
  out.push_back(text("Chosen by ", strategy, ", ", blocks_text(n, shown.blocks()),
                     " can go before the loss rises by more than a tenth, without any healing."));
}

void add_strategies(const Shown& shown, std::vector<std::string>& out) {
  const int64_t n = shown.blocks() / 4;
  const auto a = shown.plan("similarity", n), b = shown.plan("simple", n);
  if (!a || !b || shown.run.sweep.plans[*a].removed == shown.run.sweep.plans[*b].removed) return;
  const double similarity = shown.losses[*a].normalised, simple = shown.losses[*b].normalised;
  out.push_back(text("Without ", blocks_text(n, shown.blocks()), " the normalised loss is ",
                     number_text(similarity, 3), " where similarity chose them and ",
                     number_text(simple, 3), " where the deepest went; 1 is a uniform guess."));
}

void add_healing(const Shown& shown, std::vector<std::string>& out) {
  for (const HealingGain& gain : shown.gains)
    out.push_back(text(
        "Healing takes the loss of ", gain.plan.strategy, "'s model without ",
        blocks_text(gain.plan.removed_count(), shown.blocks()), " from ",
        number_text(gain.unhealed.normalised, 3), " to ", number_text(gain.healed.normalised, 3),
        gain.repaired ? text(", which repairs ", per_cent(*gain.repaired), " of the damage.")
                      : "."));
}

void add_accuracy(const Shown& shown, const AccuracySummary& s, std::vector<std::string>& out) {
  const auto whole = s.answered.whole();
  if (!whole) return;
  std::string line = text("Of the questions of ", s.answered.task, " the whole model answers ",
                          per_cent(s.plans[*whole].accuracy), " right; guessing would be ",
                          per_cent(s.answered.chance), ".");
  for (const AccuracyCurve& curve : s.curves) {
    if (!curve.collapse || !shown.is_compared(curve.strategy)) continue;
    line += curve.collapse->shown
                ? text(" With ", curve.strategy, "'s plans that collapses where ",
                       per_cent(curve.collapse->logistic.centre), " of the blocks are gone.")
                : text(" With ", curve.strategy,
                       "'s plans no collapse at one depth is shown: it falls block by block.");
  }
  if (!s.not_above_chance.empty())
    line += text(" Nothing is said of its fall: ", s.not_above_chance, ".");
  out.push_back(std::move(line));
}

void add_cost(const Shown& shown, std::vector<std::string>& out) {
  if (!shown.run.cost || shown.run.cost->points.size() < 2) return;
  const CostPoint& first = shown.run.cost->points.front();
  const CostPoint& last = shown.run.cost->points.back();
  const auto ratio = [](double a, double b) { return per_cent(a / b); };
  out.push_back(text(
      "From n = ", first.n, " to n = ", last.n, " the peak of memory falls to ",
      ratio(static_cast<double>(last.cost.peak_resident_bytes),
            static_cast<double>(first.cost.peak_resident_bytes)),
      ", the time of a prompt to ",
      ratio(median(last.cost.prefill_ms), median(first.cost.prefill_ms)), " and of a token to ",
      ratio(median(last.cost.decode_ms_per_token), median(first.cost.decode_ms_per_token)), "."));
}

/// "Not so here: Deep blocks are more alike than shallow ones."
void add_failures(const std::vector<Verdict>& verdicts, std::vector<std::string>& out) {
  std::string names;
  int64_t count = 0;
  for (const Verdict& verdict : verdicts)
    if (verdict.kind == VerdictKind::kFail) names += text(count++ == 0 ? "" : "; ", verdict.title);
  if (count > 0)
    out.push_back(text(count == 1 ? "One claim does" : text(count, " claims do"),
                       " not hold for this model as measured here: ", names, "."));
}

}  // namespace

std::vector<std::string> findings(const Shown& shown, const std::vector<Verdict>& verdicts) {
  std::vector<std::string> out;
  for (const std::string& strategy : shown.run.experiment.strategies)
    add_loss(shown, strategy, out);
  add_strategies(shown, out);
  add_healing(shown, out);
  for (const AccuracySummary* summary : first_metrics(shown.run.accuracy))
    add_accuracy(shown, *summary, out);
  add_cost(shown, out);
  add_failures(verdicts, out);
  return out;
}

}  // namespace plumb::harness
