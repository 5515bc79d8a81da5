// Losses by document and answers by question, paired.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/statistics/bootstrap.h"
#include "base/statistics/proportion.h"
#include "base/statistics/summary.h"
#include "harness/answers/comparison.h"
#include "harness/cli/console.h"
#include "harness/gate/evidence.h"

namespace plumb::harness {
namespace {

/// Below so many documents a bootstrap knows too little of the spread.
constexpr int64_t kLeastDocuments = 8;
/// Level of the interval whose upper end plans are made with: one-sided 0.9, as of deviations.
constexpr double kPlanningLevel = 0.8;

const DocumentSeries* find_series(const GateSnapshot& side, const std::string& record,
                                  const std::string& plan) {
  const auto found = std::ranges::find_if(side.documents, [&](const DocumentSeries& s) {
    return s.metric == record && is_plan(s.plan, plan);
  });
  return found == side.documents.end() ? nullptr : &*found;
}

struct PairedValues {
  std::vector<double> baseline, candidate;
};

/// Of the documents that both have; both lists rise.
PairedValues paired(const DocumentSeries& a, const DocumentSeries& b) {
  PairedValues out;
  for (size_t i = 0, j = 0; i < a.documents.size() && j < b.documents.size();) {
    if (a.documents[i] < b.documents[j]) {
      ++i;
    } else if (b.documents[j] < a.documents[i]) {
      ++j;
    } else {
      out.baseline.push_back(a.values[i++]);
      out.candidate.push_back(b.values[j++]);
    }
  }
  return out;
}

/// p of "the mean is not above 0": Student's t of the documents.
double p_above(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  const double centre = mean(values), deviation = std::sqrt(variance(values));
  if (deviation == 0) return centre > 0 ? 0 : 1;
  return 1 - t_cdf(centre / (deviation / std::sqrt(n)), n - 1);
}

void fill_documents(const GateContext& context, const NamedMetric& metric,
                    const Tolerance& tolerance, const PairedValues& values, Evidence& out) {
  const int worse = worse_direction(metric.metric, tolerance);
  const double base = mean(values.baseline);
  const double allowed = tolerance.limit * (tolerance.relative ? base : 1);
  const double worsening = worse * (mean(values.candidate) - base);
  // The interval of a ratio of means is that of what deviates from the ratio, document by document.
  const double ratio = tolerance.relative ? worsening / base : 0;
  std::vector<double> excess(values.baseline.size()), deviations(values.baseline.size());
  for (size_t i = 0; i < excess.size(); ++i) {
    const double difference = worse * (values.candidate[i] - values.baseline[i]);
    excess[i] = difference - tolerance.limit * (tolerance.relative ? values.baseline[i] : 1);
    deviations[i] = difference - ratio * values.baseline[i];
  }
  const Interval interval = bootstrap_mean(deviations, {.draws = context.options.draws,
                                                        .seed = context.options.seed,
                                                        .level = 1 - 2 * context.alpha});
  out.beyond = worsening - allowed;
  out.low = interval.low + ratio * base - allowed;
  out.high = interval.high + ratio * base - allowed;
  // Of skewed losses one half of the interval is wider than the deviation says, and it may be that one that decides.
  const double half = std::max(out.beyond - out.low, out.high - out.beyond);
  out.deviation =
      std::max(std::sqrt(variance(excess)), half / normal_quantile(1 - context.alpha) *
                                                std::sqrt(static_cast<double>(excess.size())));
  out.distance = allowed;
  out.least_samples = kLeastDocuments;
  Finding& f = out.finding;
  f.baseline = base;
  f.candidate = mean(values.candidate);
  const auto as_change = [&](double beyond) {
    return worse * (beyond + allowed) / (tolerance.relative ? base : 1);
  };
  f.change = (*f.candidate - base) / (tolerance.relative ? base : 1);
  f.interval =
      Interval{as_change(worse > 0 ? out.low : out.high), as_change(worse > 0 ? out.high : out.low),
               interval.level, interval.method + ", paired"};
  f.p = p_above(excess);
  f.samples = static_cast<int64_t>(excess.size());
}

const TaskLog* find_task(const GateSnapshot& side, const std::string& task) {
  if (!side.answers) return nullptr;
  const auto found = std::ranges::find(side.answers->tasks, task, &TaskLog::task);
  return found == side.answers->tasks.end() ? nullptr : &*found;
}

const LoggedPlan* find_plan(const TaskLog* log, const std::string& plan, bool normalised) {
  if (log == nullptr) return nullptr;
  const auto found = std::ranges::find_if(log->plans, [&](const LoggedPlan& p) {
    return is_plan(p.name(), plan) && (!normalised || !p.right_normalised.empty());
  });
  return found == log->plans.end() ? nullptr : &*found;
}

void fill_answers(const GateContext& context, const Comparison& c, double margin,
                  const Tolerance& tolerance, Evidence& out) {
  out.beyond = -c.difference - margin;
  out.low = -c.upper_bound - margin;
  out.high = -c.non_inferiority.lower_bound - margin;
  out.distance = margin;
  // A loss of twice the margin turns that many more answers than no change does; dependence within clusters widens
  // the interval by what a deviation of single questions would not show.
  const int64_t n = c.counts.questions();
  const double discordant = wilson_interval(c.counts.discordant(), n, kPlanningLevel).high;
  const double widening =
      (c.deciding().high - c.deciding().low) / (c.interval.high - c.interval.low);
  out.deviation = std::sqrt(std::min(1.0, discordant + 2 * margin)) * std::max(1.0, widening);
  out.deviation_is_bound = true;
  Finding& f = out.finding;
  f.baseline = c.accuracy_a;
  f.candidate = c.accuracy_b;
  const double scale = tolerance.relative ? 1 / c.accuracy_a : 1;
  f.change = c.difference * scale;
  f.interval = Interval{c.non_inferiority.lower_bound * scale, c.upper_bound * scale,
                        1 - 2 * context.alpha, c.deciding().method};
  f.p = c.p_inferior;
  f.samples = n;
}

std::optional<Comparison> compared(const GateContext& context, const NamedMetric& metric,
                                   const PlanPair& plans, double margin) {
  CompareOptions options;
  options.tasks = {metric.of};
  options.margin = margin;
  options.alpha = context.alpha;
  for (Comparison& c :
       compare_logs(*context.baseline.answers, *context.candidate.answers, {plans}, options))
    if (c.metric.empty() || c.metric == metric.metric.record) return std::move(c);
  return std::nullopt;
}

}  // namespace

Evidence document_evidence(const GateContext& context, const NamedMetric& metric,
                           const Tolerance& tolerance) {
  const auto* a = find_series(context.baseline, metric.metric.record, tolerance.plan);
  const auto* b = find_series(context.candidate, metric.metric.record, tolerance.plan);
  if (a == nullptr || b == nullptr)
    return missing(context, metric, tolerance, a != nullptr, b != nullptr);
  if (const std::string other =
          first_difference(context.baseline.loss, context.candidate.loss, {"file"});
      !other.empty())
    return refused(tolerance, VerdictKind::kIncomparable, "another " + printable(other),
                   "measure both on the same documents with the same protocol");
  const PairedValues values = paired(*a, *b);
  if (values.baseline.empty())
    return refused(tolerance, VerdictKind::kIncomparable, "the runs have no document in common",
                   "measure both on the same documents");
  if (tolerance.relative && !(mean(values.baseline) > 0))
    return refused(
        tolerance, VerdictKind::kInvalid,
        text("a relative tolerance of a baseline of ", number_text(mean(values.baseline))),
        "give an absolute one");
  Evidence out;
  out.finding.tolerance = tolerance;
  out.finding.unit = metric.metric.unit;
  out.finding.sample = "document";
  fill_documents(context, metric, tolerance, values, out);
  if (a->noise_floor)
    out.finding.noise_floor = *a->noise_floor / (tolerance.relative ? *out.finding.baseline : 1);
  return out;
}

Evidence answer_evidence(const GateContext& context, const NamedMetric& metric,
                         const Tolerance& tolerance) {
  const bool normalised = metric.metric.record == "acc_norm";
  const auto* a = find_plan(find_task(context.baseline, metric.of), tolerance.plan, normalised);
  const auto* b = find_plan(find_task(context.candidate, metric.of), tolerance.plan, normalised);
  if (a == nullptr || b == nullptr)
    return missing(context, metric, tolerance, a != nullptr, b != nullptr);
  const PlanPair plans{a->name(), b->name()};
  double margin = tolerance.limit;
  std::optional<Comparison> c;
  if (tolerance.relative) c = compared(context, metric, plans, 0.02);
  if (c && !c->metric.empty()) margin = tolerance.limit * c->accuracy_a;
  if (!(margin > 0 && margin < 1))
    return refused(tolerance, VerdictKind::kInvalid,
                   text("the tolerance is ", number_text(margin), " of all questions"),
                   "needed is one between 0 and 1: that nothing at all was lost, no number of "
                   "questions can show");
  c = compared(context, metric, plans, margin);
  if (!c)
    return refused(tolerance, VerdictKind::kIncomparable, "the logs do not both have it",
                   "ask both the same questions by the same protocol");
  if (c->metric.empty())
    return refused(tolerance, c->verdict.kind, printable(c->verdict.reason), c->verdict.next_step);
  Evidence out;
  out.finding.tolerance = tolerance;
  out.finding.unit = metric.metric.unit;
  out.finding.sample = "question";
  fill_answers(context, *c, margin, tolerance, out);
  return out;
}

}  // namespace plumb::harness
