// Claims about the accuracies of questions: the first metric of each task, one strategy.

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/statistics/curve_fit.h"
#include "base/statistics/multiplicity.h"
#include "base/statistics/summary.h"
#include "base/statistics/trend.h"
#include "harness/cli/console.h"
#include "harness/verify/claims.h"

namespace plumb::harness {

namespace {

/// So many widths before f0 a logistic has lost 1 / (1 + e^4) = 1.8 % of its fall: less than half of the margin of any
/// fall up to 0.55.
constexpr double kWidthsBefore = 4;
/// From 90 to 10 % of its fall a logistic takes 4.4 widths: a wider one than this takes 44 % of the blocks.
constexpr double kWidestCollapse = 0.1;

/// What one task says.
struct Finding {
  VerdictKind kind = VerdictKind::kNotRun;
  std::string reason;
  std::string next_step;
};

/// A task's curve that is judged: similarity's, or the first where it was not asked.
const AccuracyCurve& judged_curve(const AccuracySummary& s) {
  const AccuracyCurve* similarity = s.curve("similarity");
  return similarity != nullptr ? *similarity : s.curves.front();
}

/// What a set of this size can show, and that the smoke set is one.
std::string size_text(const AccuracySummary& s) {
  const int64_t questions = s.answered.questions();
  if (s.answered.task != "smoke") return text(" (", questions, " questions)");
  const auto least = [&](double discordant) {
    return number_text(minimum_detectable_difference(questions, discordant), 2);
  };
  return text(" (a smoke set of easy sentences, no benchmark: its ", questions,
              " questions find differences from ", least(0.05), " to ", least(0.2), " at best)");
}

/// FAIL where a task fails, NOT RUN where none could be judged, else INCONCLUSIVE where one is, else PASS.
void combine(Verdict& v, const std::vector<Finding>& findings) {
  const auto any = [&](VerdictKind kind) {
    return std::any_of(findings.begin(), findings.end(),
                       [&](const Finding& f) { return f.kind == kind; });
  };
  VerdictKind kind = VerdictKind::kNotRun;
  for (const VerdictKind found :
       {VerdictKind::kPass, VerdictKind::kInconclusive, VerdictKind::kFail})
    if (any(found)) kind = found;
  std::string reason, next;
  for (const Finding& f : findings) {
    reason += (reason.empty() ? "" : "; ") + f.reason;
    if (f.kind == kind && next.empty()) next = f.next_step;
  }
  decide(v, kind, reason, next);
}

/// What one task's curve says.
using JudgeCurve = std::function<Finding(const AccuracySummary&, const AccuracyCurve&)>;

/// Judges each task whose curve was fitted; the others are NOT RUN with the curve's reason.
void judge_curves(const std::vector<AccuracySummary>& tasks, Verdict& v, const JudgeCurve& judge,
                  const std::string& where_not_run) {
  std::vector<Finding> findings;
  for (const AccuracySummary* s : first_metrics(tasks)) {
    const AccuracyCurve& curve = judged_curve(*s);
    Finding f = curve.not_run.empty() ? judge(*s, curve)
                                      : Finding{VerdictKind::kNotRun, curve.not_run, where_not_run};
    f.reason = text(s->answered.task, ", ", curve.strategy, ": ", f.reason, size_text(*s));
    findings.push_back(std::move(f));
  }
  combine(v, findings);
}

void judge_tasks(const Measurements& m, Verdict& v, const JudgeCurve& judge) {
  if (m.accuracy == nullptr || m.accuracy->empty())
    return not_run(v, "no questions were asked",
                   "name tasks in questions.tasks, such as smoke, and run `plumb run`");
  judge_curves(*m.accuracy, v, judge, "take a model that knows the answers, or an easier task");
}

void judge_healed_tasks(const Measurements& m, Verdict& v, const JudgeCurve& judge) {
  if (m.healed_accuracy == nullptr || m.healed_accuracy->empty())
    return not_run(v, "no healed model was asked questions",
                   "set heal.n and heal.documents, and name tasks in questions.tasks");
  judge_curves(*m.healed_accuracy, v, judge,
               text("name ", kLeastPoints - 1,
                    " or more values in heal.n, such as every fourth n: the whole model is one "
                    "point; of a model that knows the answers"));
}

std::vector<Dimension> dimensions(const AccuracySummary& s, const AccuracyCurve& curve) {
  return {{"task", s.answered.task}, {"metric", s.answered.metric}, {"strategy", curve.strategy}};
}

double bic_of(const Collapse& c, const std::string& shape) {
  for (const ShapeScore& score : c.shapes)
    if (score.shape == shape) return score.bic;
  throw Error(ErrorKind::kInvariant, text("no shape '", shape, "' was fitted"));
}

Finding collapse_of(const AccuracySummary& s, const AccuracyCurve& curve, Verdict& v) {
  const Collapse& c = *curve.collapse;
  const std::string average =
      s.over_groups() ? text("macro average by ", s.answered.cluster_field, ", ") : "";
  v.evidence.push_back({.name = "f0",
                        .dimensions = dimensions(s, curve),
                        .value = c.logistic.centre,
                        .unit = "fraction of blocks",
                        .interval = c.f0});
  v.evidence.push_back({.name = "collapse_width",
                        .dimensions = dimensions(s, curve),
                        .value = c.logistic.width,
                        .unit = "fraction of blocks",
                        .interval = c.width,
                        .higher_is_better = false});
  const double line = bic_of(c, "line"), fall = std::min(bic_of(c, "step"), bic_of(c, "logistic"));
  const std::string fits =
      text("BIC of the fall less that of a line ", number_text(fall - line, 3));
  if (c.width.low > kWidestCollapse)
    return {
        VerdictKind::kFail,
        text(average, "the fall is no collapse: its width is ",
             with_interval(c.logistic.width, c.width), ", all above ", kWidestCollapse, "; ", fits),
        "see the curve: accuracy is lost block by block"};
  if (c.shown)
    return {
        VerdictKind::kPass,
        text(average, "from ", number_text(c.logistic.upper, 2), " to ",
             number_text(c.logistic.lower, 2), " at f0 = ", with_interval(c.logistic.centre, c.f0),
             " of the blocks removed, width ", with_interval(c.logistic.width, c.width), ", ",
             c.sharp ? "sharp: below one step of n" : "not shown to be sharp", "; ", fits),
        ""};
  return {VerdictKind::kInconclusive,
          text(average, "no collapse stands out; ", fits, ", f0 at an end of the range in ",
               number_text(100 * c.at_range_end, 2), " % of the resamples"),
          "ask more questions, or remove more blocks"};
}

/// Questions that would show a margin with probability 0.8, where a share of the answers differs.
int64_t questions_needed(double discordant) {
  const double z = (normal_quantile(1 - kAlpha) + normal_quantile(0.8)) / kFlatMargin;
  return static_cast<int64_t>(std::ceil(z * z * discordant));
}

Finding flatness_of(const AccuracySummary& s, const AccuracyCurve& curve, Verdict& v) {
  const Collapse& c = *curve.collapse;
  if (!c.shown)
    return {VerdictKind::kNotRun, "no collapse was shown, so nothing lies before it",
            "see accuracy-collapses"};
  const double end = c.f0.low - kWidthsBefore * c.logistic.width;
  int64_t compared = 0, flat = 0, last = 0;
  double discordant = 0;
  std::string worse;
  for (const PlanComparison& pair : s.against_whole) {
    if (s.answered.plans[pair.plan].strategy != curve.strategy) continue;
    if (compared > 0 && s.fraction(pair.plan) > end) break;
    last = s.answered.plans[pair.plan].n;
    ++compared;
    flat += pair.pair.flat.shown ? 1 : 0;
    discordant = std::max(discordant, static_cast<double>(pair.pair.counts.discordant()) /
                                          static_cast<double>(s.answered.questions()));
    if (pair.pair.interval.high < -kFlatMargin && pair.pair.p_holm <= kAlpha && worse.empty())
      worse = text("n = ", last, " is worse by ", number_text(-pair.pair.difference, 3));
    auto where = dimensions(s, curve);
    where.push_back({"n", last});
    v.evidence.push_back({.name = "accuracy_less_whole",
                          .dimensions = where,
                          .value = pair.pair.difference,
                          .unit = "1",
                          .interval = pair.pair.interval,
                          .higher_is_better = true});
  }
  const std::string found = text("shown to lose less than ", kFlatMargin, " at ", flat, " of ",
                                 compared, " values of n up to ", last);
  if (flat == compared) return {VerdictKind::kPass, found, ""};
  if (!worse.empty())
    return {VerdictKind::kFail, text(found, "; ", worse), "see the table of paired differences"};
  return {VerdictKind::kInconclusive, found,
          text("ask about ", questions_needed(discordant), " questions: so many show a loss below ",
               kFlatMargin, " with probability 0.8 where as many answers differ as here")};
}

/// p of each task's test that accuracy never rises, adjusted over the tasks.
std::map<const AccuracySummary*, double> rising_p(
    const std::vector<const AccuracySummary*>& tasks) {
  std::vector<double> p;
  for (const AccuracySummary* s : tasks) {
    const AccuracyCurve& curve = judged_curve(*s);
    p.push_back(curve.falling ? curve.falling->p : 1);
  }
  const std::vector<double> adjusted = holm(p);
  std::map<const AccuracySummary*, double> out;
  for (size_t i = 0; i < tasks.size(); ++i) out[tasks[i]] = adjusted[i];
  return out;
}

Finding monotony_of(const AccuracySummary& s, const AccuracyCurve& curve, double p_rising) {
  std::vector<double> n, accuracy;
  for (const size_t plan : curve.plans) {
    n.push_back(static_cast<double>(s.answered.plans[plan].n));
    accuracy.push_back(s.plans[plan].averages.macro);
  }
  const double p_falling = mann_kendall(n, accuracy).p_falling;
  const std::string found = text(
      "accuracy falls over n with p = ", number_text(p_falling, 2),
      " (Mann-Kendall), and that it never rises has p = ", number_text(p_rising, 2), " (isotonic)");
  if (p_rising <= kAlpha)
    return {VerdictKind::kFail, found, "see where the curve rises in the figure"};
  if (p_falling <= kAlpha) return {VerdictKind::kPass, found, ""};
  return {VerdictKind::kInconclusive, found, "ask more questions, or remove more blocks"};
}

Finding better_answers(const AccuracySummary& s, Verdict& v) {
  std::vector<const PlanComparison*> pairs;
  std::vector<double> p;
  for (const PlanComparison& pair : s.against_simple)
    if (s.answered.plans[pair.plan].strategy == "similarity" &&
        2 * s.answered.plans[pair.plan].n <= s.answered.block_count) {
      pairs.push_back(&pair);
      p.push_back(pair.pair.p);
    }
  if (pairs.empty())
    return {VerdictKind::kNotRun, "the plans are the same, or one strategy was not asked",
            "ask similarity and simple over 1..L/2"};
  const auto adjusted = holm(p);
  int64_t better = 0, worse = 0;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const PairedSummary& pair = pairs[i]->pair;
    if (adjusted[i] <= kAlpha) ++(pair.difference > 0 ? better : worse);
    v.evidence.push_back({.name = "similarity_less_simple_accuracy",
                          .dimensions = {{"task", s.answered.task},
                                         {"metric", s.answered.metric},
                                         {"n", s.answered.plans[pairs[i]->plan].n}},
                          .value = pair.difference,
                          .unit = "1",
                          .interval = pair.interval,
                          .higher_is_better = true});
  }
  const std::string found = text("similarity answers better than simple at ", better, " of ",
                                 pairs.size(), " values of n, worse at ", worse);
  if (worse > 0)
    return {VerdictKind::kFail, found, "compare the two curves; the claim is about other models"};
  if (better > 0) return {VerdictKind::kPass, found, ""};
  return {VerdictKind::kInconclusive, found, "ask more questions"};
}

}  // namespace

void judge_accuracy_collapses(const Measurements& m, Verdict& v) {
  judge_tasks(m, v, [&](const auto& s, const auto& curve) { return collapse_of(s, curve, v); });
}

void judge_flat_before_collapse(const Measurements& m, Verdict& v) {
  judge_tasks(m, v, [&](const auto& s, const auto& curve) { return flatness_of(s, curve, v); });
}

void judge_healed_accuracy_collapses(const Measurements& m, Verdict& v) {
  judge_healed_tasks(m, v,
                     [&](const auto& s, const auto& curve) { return collapse_of(s, curve, v); });
}

void judge_healed_flat_before_collapse(const Measurements& m, Verdict& v) {
  judge_healed_tasks(m, v,
                     [&](const auto& s, const auto& curve) { return flatness_of(s, curve, v); });
}

void judge_accuracy_falls(const Measurements& m, Verdict& v) {
  std::map<const AccuracySummary*, double> p;
  if (m.accuracy != nullptr) p = rising_p(first_metrics(*m.accuracy));
  judge_tasks(m, v,
              [&](const auto& s, const auto& curve) { return monotony_of(s, curve, p.at(&s)); });
}

void judge_similarity_answers_better(const Measurements& m, Verdict& v) {
  judge_tasks(m, v, [&](const auto& s, const auto&) { return better_answers(s, v); });
}

}  // namespace plumb::harness
