// Times, by run.

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/statistics/run_shift.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/gate/evidence.h"

namespace plumb::harness {
namespace {

/// One-sided level of the bound that must be beyond the tolerance without the candidate's slowest run as well. Simulated, with
/// spreads of 2 to 20 % and one run in five slowed by 1.5 to 2: equal sides then fail in at most 4 % of the pairs, without
/// any such bound in up to 8 % (8 runs against 2), and a slowdown of twice the tolerance is found as often as without it.
constexpr double kRepeatedLevel = 0.75;

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
  Runs of(const Runs& ms) const {
    Runs out = ms;
    for (auto& run : out)
      for (double& one : run) one = of(one);
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
  /// A number of this scale as people read it: of the metric.
  double shown(double value) const {
    if (!relative) return per_second ? -value : value;
    return per_second ? speed(std::exp(value)) : std::exp(value);
  }
};

TimeScale scale_of(const GateContext& context, const NamedMetric& metric,
                   const Tolerance& tolerance) {
  TimeScale out{tolerance.relative, metric.metric.per_second, 1};
  if (metric.metric.record == "prefill_ms")
    out.tokens = fact_number(context.baseline.cost, "prefill tokens");
  return out;
}

void fill_times(const GateContext& context, const TimeScale& scale, const Tolerance& tolerance,
                const Runs& before, const Runs& after, Evidence& out) {
  const double limit = scale.limit(tolerance.limit);
  const RunShift shift = run_shift(scale.of(after), scale.of(before), 1 - 2 * context.alpha);
  out.over_runs = Evidence::OverRuns{shift.degrees, 0, context.options.interleaved};
  if (shift.degrees > 0)
    out.over_runs->repeated =
        shift.repeated - limit -
        shift.repeated_error * t_quantile(kRepeatedLevel, static_cast<double>(shift.degrees));
  out.beyond = out.low = out.high = shift.shift - limit;
  // From the tolerance to no change and to twice the tolerance, the nearer of both.
  const double twice = scale.relative && scale.per_second && 2 * tolerance.limit >= 1
                           ? 2 * limit
                           : scale.limit(2 * tolerance.limit);
  out.distance = std::min(limit, twice - limit);
  Finding& f = out.finding;
  f.baseline = scale.shown(shift.before);
  f.candidate = scale.shown(shift.after);
  f.change = scale.change(shift.shift);
  f.runs = RunCounts{std::ssize(before), std::ssize(after)};
  f.samples = std::min(f.runs->baseline, f.runs->candidate);
  if (!shift.interval) return;
  out.low = shift.interval->low - limit;
  out.high = shift.interval->high - limit;
  out.deviation = shift.deviation;
  const double ends[] = {scale.change(shift.interval->low), scale.change(shift.interval->high)};
  f.interval = Interval{std::min(ends[0], ends[1]), std::max(ends[0], ends[1]),
                        shift.interval->level, shift.interval->method};
  f.p = shift.p_above(limit);
}

/// The largest difference of two runs, as a change of the metric.
double largest_difference(const Runs& runs, const TimeScale& scale) {
  std::vector<double> medians;
  for (const auto& run : scale.of(runs)) medians.push_back(median(run));
  const auto [least, greatest] = std::ranges::minmax(medians);
  return std::abs(scale.change(greatest - least));
}

}  // namespace

const RepeatedSeries* find_repeated(const GateSnapshot& side, const std::string& record,
                                    const std::string& plan) {
  const auto found = std::ranges::find_if(side.repeated, [&](const RepeatedSeries& s) {
    return s.metric == record && is_plan(s.plan, plan);
  });
  return found == side.repeated.end() ? nullptr : &*found;
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

Evidence time_evidence(const GateContext& context, const NamedMetric& metric,
                       const Tolerance& tolerance) {
  const auto* a = find_repeated(context.baseline, metric.metric.record, tolerance.plan);
  const auto* b = find_repeated(context.candidate, metric.metric.record, tolerance.plan);
  if (a == nullptr || b == nullptr)
    return missing(context, metric, tolerance, a != nullptr, b != nullptr);
  if (auto other = other_machine(context, tolerance)) return *other;
  const TimeScale scale = scale_of(context, metric, tolerance);
  if ((scale.relative && scale.per_second && tolerance.limit >= 1) || !(scale.tokens > 0))
    return refused(tolerance, VerdictKind::kInvalid, "no speed falls by all of itself",
                   "give a limit below 100 %");
  if (tolerance.limit == 0)
    return refused(tolerance, VerdictKind::kInvalid,
                   "the tolerance is 0, and two runs of one program differ by more",
                   "give a tolerance above the noise");
  for (const Runs* runs : {&a->runs, &b->runs})
    for (const auto& run : *runs)
      if (!std::ranges::all_of(run, [](double ms) { return ms > 0; }))
        return refused(tolerance, VerdictKind::kInvalid, "a run has a time that is not above 0",
                       "measure again");
  Evidence out;
  out.finding.tolerance = tolerance;
  out.finding.unit = metric.metric.unit;
  out.finding.sample = "run";
  fill_times(context, scale, tolerance, a->runs, b->runs, out);
  if (a->runs.size() > 1) out.finding.noise_floor = largest_difference(a->runs, scale);
  return out;
}

}  // namespace plumb::harness
