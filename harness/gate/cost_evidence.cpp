// Times, sizes, and numbers that have an interval alone.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/statistics/rank_sum.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/gate/evidence.h"

namespace plumb::harness {
namespace {

const RepeatedSeries* find_series(const GateSnapshot& side, const std::string& record,
                                  const std::string& plan) {
  const auto found = std::ranges::find_if(side.repeated, [&](const RepeatedSeries& s) {
    return s.metric == record && is_plan(s.plan, plan);
  });
  return found == side.repeated.end() ? nullptr : &*found;
}

std::vector<double> flat(const RepeatedSeries& series) {
  std::vector<double> out;
  for (const auto& run : series.runs) out.insert(out.end(), run.begin(), run.end());
  return out;
}

double fact_number(const FactMap& facts, const std::string& name) {
  const auto found = facts.find(name);
  double value = 0;
  if (found == facts.end()) return 0;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return value;
}

/// Times as numbers that grow with what is worse: their logarithms for a relative limit, themselves for an absolute one,
/// and for tokens per second the negative speed.
struct TimeScale {
  bool relative = false, per_second = false;
  double tokens = 1;  ///< of one time

  double speed(double ms) const { return 1000 * tokens / ms; }
  double of(double ms) const { return relative ? std::log(ms) : per_second ? -speed(ms) : ms; }
  std::vector<double> of(const std::vector<double>& ms) const {
    std::vector<double> out;
    for (const double one : ms) out.push_back(of(one));
    return out;
  }
  /// What a limit is on this scale.
  double limit(double given) const {
    return !relative ? given : per_second ? -std::log1p(-given) : std::log1p(given);
  }
  /// A shift as people read it: a change of the metric.
  double change(double shift) const {
    if (!relative) return per_second ? -shift : shift;
    return std::expm1(per_second ? -shift : shift);
  }
  double shown(double ms) const { return per_second ? speed(ms) : ms; }
};

TimeScale scale_of(const GateContext& context, const NamedMetric& metric,
                   const Tolerance& tolerance) {
  TimeScale out{tolerance.relative, metric.metric.per_second, 1};
  if (metric.metric.record == "prefill_ms")
    out.tokens = fact_number(context.baseline.cost, "prefill tokens");
  return out;
}

std::optional<Evidence> other_machine(const GateContext& context, const Tolerance& tolerance) {
  for (const auto& [what, a, b] :
       {std::tuple("protocol", &context.baseline.cost, &context.candidate.cost),
        std::tuple("machine", &context.baseline.system, &context.candidate.system)})
    if (const std::string other = first_difference(*a, *b); !other.empty())
      return refused(tolerance, VerdictKind::kIncomparable,
                     text("another ", what, ", ", printable(other)),
                     "measure both on one machine in the same way, or make a baseline on this one");
  return std::nullopt;
}

/// Largest difference of two runs of the baseline, on the scale of the test.
std::optional<double> floor_of(const RepeatedSeries& baseline, const TimeScale& scale) {
  if (baseline.runs.size() < 2) return std::nullopt;
  double floor = 0;
  for (size_t i = 0; i < baseline.runs.size(); ++i)
    for (size_t j = i + 1; j < baseline.runs.size(); ++j)
      floor = std::max(
          floor,
          std::abs(hodges_lehmann(scale.of(baseline.runs[i]), scale.of(baseline.runs[j])).shift));
  return floor;
}

void fill_times(const GateContext& context, const TimeScale& scale, const Tolerance& tolerance,
                const std::vector<double>& before, const std::vector<double>& after,
                Evidence& out) {
  const std::vector<double> a = scale.of(before);
  std::vector<double> b = scale.of(after);
  const double limit = scale.limit(tolerance.limit);
  const ShiftEstimate shift = hodges_lehmann(b, a, 1 - 2 * context.alpha);
  out.beyond = shift.shift - limit;
  out.low = shift.interval->low - limit;
  out.high = shift.interval->high - limit;
  for (double& value : b) value -= limit;
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
  const double error = (out.high - out.low) / (2 * normal_quantile(1 - context.alpha));
  out.deviation = error * std::sqrt(2 / (1 / n + 1 / m));
  // From the tolerance to no change and to twice the tolerance, the nearer of both.
  const double twice = scale.relative && scale.per_second && 2 * tolerance.limit >= 1
                           ? 2 * limit
                           : scale.limit(2 * tolerance.limit);
  out.distance = std::min(limit, twice - limit);
  Finding& f = out.finding;
  f.baseline = scale.shown(median(before));
  f.candidate = scale.shown(median(after));
  f.change = scale.change(shift.shift);
  const double ends[] = {scale.change(shift.interval->low), scale.change(shift.interval->high)};
  f.interval = Interval{std::min(ends[0], ends[1]), std::max(ends[0], ends[1]),
                        shift.interval->level, shift.interval->method};
  f.p = mann_whitney(b, a).p_greater;
  f.samples = static_cast<int64_t>(std::min(a.size(), b.size()));
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

Evidence time_evidence(const GateContext& context, const NamedMetric& metric,
                       const Tolerance& tolerance) {
  const auto* a = find_series(context.baseline, metric.metric.record, tolerance.plan);
  const auto* b = find_series(context.candidate, metric.metric.record, tolerance.plan);
  if (a == nullptr || b == nullptr)
    return missing(context, metric, tolerance, a != nullptr, b != nullptr);
  if (auto other = other_machine(context, tolerance)) return *other;
  const TimeScale scale = scale_of(context, metric, tolerance);
  if ((scale.relative && scale.per_second && tolerance.limit >= 1) || !(scale.tokens > 0))
    return refused(tolerance, VerdictKind::kInvalid, "no speed falls by all of itself",
                   "give a limit below 100 %");
  const std::vector<double> before = flat(*a), after = flat(*b);
  const auto n = static_cast<int64_t>(before.size()), m = static_cast<int64_t>(after.size());
  if (const double least = least_rank_sum_p(n, m); least > context.alpha) {
    Evidence out =
        refused(tolerance, VerdictKind::kInvalid,
                text(n, " and ", m, " repetitions give no p below ", number_text(least, 2),
                     ", needed is ", number_text(context.alpha, 2)),
                "measure more repetitions (cost.repetitions): ten of each");
    out.finding.samples = std::min(n, m);
    out.finding.sample = "repetition";
    return out;
  }
  Evidence out;
  out.finding.tolerance = tolerance;
  out.finding.unit = metric.metric.unit;
  out.finding.sample = "repetition";
  out.timed = true;
  fill_times(context, scale, tolerance, before, after, out);
  if (const auto floor = floor_of(*a, scale))
    out.finding.noise_floor = std::abs(scale.change(*floor));
  return out;
}

Evidence byte_evidence(const GateContext& context, const NamedMetric& metric,
                       const Tolerance& tolerance) {
  const auto* a = find_series(context.baseline, metric.metric.record, tolerance.plan);
  const auto* b = find_series(context.candidate, metric.metric.record, tolerance.plan);
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
