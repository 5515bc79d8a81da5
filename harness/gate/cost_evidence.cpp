// Sizes, and numbers that have an interval alone.

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/gate/evidence.h"

namespace plumb::harness {
namespace {

std::vector<double> flat(const RepeatedSeries& series) {
  std::vector<double> out;
  for (const auto& run : series.runs) out.insert(out.end(), run.begin(), run.end());
  return out;
}

const Estimate* find_estimate(const GateSnapshot& side, const NamedMetric& metric,
                              const std::string& plan) {
  const bool curve = metric.metric.record == "f0";
  const std::string asked = curve ? plan.substr(0, plan.find(':')) : plan;
  const Estimate* first = nullptr;
  for (const Estimate& e : side.estimates) {
    if (e.metric != metric.metric.record || (!metric.of.empty() && e.task != metric.of)) continue;
    if (curve && asked.empty() ? e.plan == "similarity" : is_plan(e.plan, asked) || e.plan == asked)
      return &e;
    if (curve && asked.empty() && first == nullptr) first = &e;
  }
  return first;
}

/// Questions of a task as both logs name them; none where a side has no log.
std::set<std::string> questions_of(const GateSnapshot& side, const std::string& task) {
  std::set<std::string> out;
  if (side.answers)
    for (const TaskLog& log : side.answers->tasks)
      if (log.task == task)
        for (const LoggedQuestion& q : log.questions)
          out.insert(q.doc_hash + q.prompt_hash + q.target_hash);
  return out;
}

double error_of(const Estimate& e) {
  return (e.interval.high - e.interval.low) / (2 * normal_quantile((1 + e.interval.level) / 2));
}

}  // namespace

Evidence byte_evidence(const GateContext& context, const NamedMetric& metric,
                       const Tolerance& tolerance) {
  const auto* a = find_repeated(context.baseline, metric.metric.record, tolerance.plan);
  const auto* b = find_repeated(context.candidate, metric.metric.record, tolerance.plan);
  if (a == nullptr || b == nullptr)
    return missing(context, metric, tolerance, a != nullptr, b != nullptr);
  if (metric.metric.record == "peak_resident_bytes")
    if (auto other = other_machine(context, tolerance)) return *other;
  const std::vector<double> before = flat(*a), after = flat(*b);
  Evidence out;
  Finding& f = out.finding;
  f.tolerance = tolerance;
  f.unit = metric.metric.unit;
  f.sample = "run";
  f.samples = static_cast<int64_t>(std::min(before.size(), after.size()));
  f.baseline = *std::ranges::max_element(before);
  f.candidate = *std::ranges::max_element(after);
  const double base = tolerance.relative ? *f.baseline : 1;
  f.change = (*f.candidate - *f.baseline) / base;
  if (before.size() > 1) f.noise_floor = (*f.baseline - *std::ranges::min_element(before)) / base;
  out.beyond = out.low = out.high = *f.change - tolerance.limit;
  out.distance = tolerance.limit;
  return out;
}

Evidence estimate_evidence(const GateContext& context, const NamedMetric& metric,
                           const Tolerance& tolerance) {
  const auto* a = find_estimate(context.baseline, metric, tolerance.plan);
  const auto* b = find_estimate(context.candidate, metric, tolerance.plan);
  if (a == nullptr || b == nullptr)
    return missing(context, metric, tolerance, a != nullptr, b != nullptr);
  if (a->task != b->task ||
      questions_of(context.baseline, a->task) != questions_of(context.candidate, b->task))
    return refused(tolerance, VerdictKind::kIncomparable, "it was measured on other questions",
                   "ask both the same questions by the same protocol");
  const double base = tolerance.relative ? a->value : 1;
  if (!(base > 0))
    return refused(tolerance, VerdictKind::kInvalid,
                   text("a relative tolerance of a baseline of ", number_text(a->value)),
                   "give an absolute one");
  Evidence out;
  Finding& f = out.finding;
  f.tolerance = tolerance;
  f.unit = metric.metric.unit;
  f.baseline = a->value;
  f.candidate = b->value;
  f.change = (b->value - a->value) / base;
  const double error = std::hypot(error_of(*a), error_of(*b)) / base;
  const double reach = normal_quantile(1 - context.alpha) * error;
  f.interval = Interval{*f.change - reach, *f.change + reach, 1 - 2 * context.alpha,
                        "normal, from both intervals as if they were independent"};
  const auto p_above = [&](double value) {
    return error > 0 ? 1 - normal_cdf(value / error) : value > 0 ? 0.0 : 1.0;
  };
  const int worse = worse_direction(metric.metric, tolerance);
  if (worse != 0) {
    out.beyond = worse * *f.change - tolerance.limit;
    out.low = out.beyond - reach;
    out.high = out.beyond + reach;
    f.p = p_above(out.beyond);
  } else {
    const double size = std::abs(*f.change);
    out.beyond = size - tolerance.limit;
    out.low = std::max(0.0, size - reach) - tolerance.limit;
    out.high = size + reach - tolerance.limit;
    f.p = std::min(1.0, 2 * p_above(out.beyond));
  }
  out.distance = tolerance.limit;
  return out;
}

}  // namespace plumb::harness
