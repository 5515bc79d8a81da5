// What becomes of the evidence of one tolerance: the verdict, why, and what would decide.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/statistics/sample_size.h"
#include "harness/cli/console.h"
#include "harness/gate/evidence.h"

namespace plumb::harness {
namespace {

constexpr double kPower = 0.8;
/// Of the bound of a spread that plans are made with: of runs, which are few and dear, less sure than of documents.
constexpr double kRunConfidence = 0.8;
/// With fewer degrees of freedom nothing is planned: the bound would be more than twice the spread.
constexpr int64_t kLeastDegrees = 4;
/// Runs of each side that have those.
constexpr int64_t kLeastRuns = 3;
/// Beyond so many of each side another machine is the better advice.
constexpr int64_t kManyRuns = 100;

std::string shown(double value, const std::string& unit) {
  return unit == "bytes" ? bytes_text(static_cast<uint64_t>(value)) : number_text(value);
}

std::string change_text(double value, bool relative, int digits = 3) {
  const std::string number = number_text(relative ? 100 * value : value, digits);
  return (value > 0 ? "+" : "") + number + (relative ? " %" : "");
}

/// "2.918 to 2.941 nats: +0.79 % [+0.61 %, +0.98 %] over 24 documents; ".
std::string found_text(const Finding& f) {
  const bool relative = f.tolerance.relative;
  std::string out = text(shown(*f.baseline, f.unit), " to ", shown(*f.candidate, f.unit),
                         f.unit == "1" || f.unit == "bytes" ? "" : " " + f.unit, ": ",
                         change_text(*f.change, relative));
  if (f.interval)
    out += text(" [", change_text(f.interval->low, relative), ", ",
                change_text(f.interval->high, relative), "]");
  if (f.runs)
    out += text(" over ", f.runs->baseline, " and ", f.runs->candidate, " runs");
  else if (f.samples > 0)
    out += text(" over ", f.samples, " ", f.sample, f.samples == 1 ? "" : "s");
  return out + "; ";
}

/// "beyond the tolerance of +1 %, p = 0.004 after Holm".
std::string beyond_text(const Finding& f) {
  std::string out = "beyond " + limit_text(f.tolerance);
  if (!f.p_holm) return out;
  const std::string word = p_text(*f.p_holm);
  return text(out, ", p ", word.starts_with("<") ? "" : "= ", word, " after Holm");
}

double level_of_each(double alpha, int64_t tests) {
  return alpha / static_cast<double>(std::max<int64_t>(1, tests));
}

/// Samples at which no change is shown within, and twice the tolerance beyond it.
void plan_samples(Evidence& e, double level) {
  Finding& f = e.finding;
  if (!e.deviation || !(e.distance > 0)) return;
  if (e.over_runs) {
    if (e.over_runs->degrees < kLeastDegrees) return;
    const double bound = deviation_bound(*e.deviation, e.over_runs->degrees + 1, kRunConfidence);
    f.enough = units_of_each_to_tell(bound, e.distance, level, kPower);
    return;
  }
  if (f.samples < 2) return;
  const double bound =
      e.deviation_is_bound ? *e.deviation : deviation_bound(*e.deviation, f.samples);
  f.enough = units_to_tell(bound, e.distance, level, kPower);
  if (f.enough) *f.enough = std::max(*f.enough, e.least_samples);
}

/// Samples at which the change would be decided if it stayed as it is.
std::optional<int64_t> samples_as_observed(const Evidence& e, double level) {
  if (!e.deviation || e.beyond == 0) return std::nullopt;
  const auto needed = e.over_runs ? units_of_each_to_tell : units_to_tell;
  return needed(*e.deviation, std::abs(e.beyond), level, kPower);
}

/// "2 more runs of the candidate (--candidate again) and 1 more of the baseline (plumb baseline update, --from again)".
std::string more_runs_text(const Evidence& e, int64_t of_each) {
  if (e.over_runs->interleaved) return text("--measure ", of_each);
  const RunCounts& have = *e.finding.runs;
  std::string out;
  const auto add = [&](int64_t count, const char* side, const char* how) {
    if (count <= 0) return;
    out += out.empty() ? text(count, " more ", count == 1 ? "run" : "runs", " of the ", side)
                       : text(" and ", count, " more of the ", side);
    out += text(" (", how, ")");
  };
  add(of_each - have.candidate, "candidate", "--candidate again for each");
  add(of_each - have.baseline, "baseline", "plumb baseline update, --from again for each");
  return out;
}

/// What would decide times.
void plan_runs(Evidence& e, double level) {
  Finding& f = e.finding;
  std::string& next = f.verdict.next_step;
  if (e.over_runs->degrees < kLeastDegrees) {
    f.more = std::max<int64_t>(1, kLeastRuns - f.samples);
    next = text(kLeastRuns, " runs of each side tell what runs differ by, and so how many decide: ",
                more_runs_text(e, kLeastRuns));
    return;
  }
  const auto observed = samples_as_observed(e, level);
  const bool planned = f.enough && *f.enough > f.samples;
  if (!planned && !(observed && *observed > f.samples)) {
    next = e.over_runs->interleaved ? text("measure another round: --measure ", f.samples + 1)
                                    : "measure again: another run of each side may decide";
    return;
  }
  const int64_t needed = planned ? *f.enough : *observed;
  f.more = needed - f.samples;
  next = text(
      planned ? "" : "the change is near the tolerance: ", "about ", needed, " runs of each side ",
      planned ? "show no change within the tolerance, and one of twice the tolerance "
                "beyond it, with 80 % power each"
              : "would decide if it stays as it is",
      ": ", more_runs_text(e, needed), needed > kManyRuns ? "; on a quieter machine fewer" : "");
}

void plan_further_samples(Evidence& e, double level) {
  Finding& f = e.finding;
  std::string& next = f.verdict.next_step;
  if (f.enough && *f.enough > f.samples) {
    f.more = *f.enough - f.samples;
    next = text("about ", *f.more, " more ", f.sample, "s (", *f.enough,
                " in all) show no change within the tolerance, and one of twice the "
                "tolerance beyond it, with 80 % power each");
    return;
  }
  if (const auto needed = samples_as_observed(e, level); needed && *needed > f.samples) {
    f.more = *needed - f.samples;
    next = text("the change is near the tolerance: about ", *f.more, " more ", f.sample,
                "s would decide if it stays as it is");
    return;
  }
  next = f.sample.empty() ? "more questions narrow both intervals"
                          : "measure again: another run of this size may decide";
}

void say_inconclusive(Evidence& e, const std::string& why, double level) {
  e.finding.verdict.kind = VerdictKind::kInconclusive;
  e.finding.verdict.reason = found_text(e.finding) + why;
  e.over_runs ? plan_runs(e, level) : plan_further_samples(e, level);
}

/// Times that are beyond the tolerance by bound and p. One process may have been disturbed, and its repetitions with it: of
/// equal programs on a machine that slows one run in five, 13 % of single runs come here (times_power_test.cpp).
bool is_repeated(Evidence& e) {
  Finding& f = e.finding;
  Verdict& v = f.verdict;
  if (f.runs->candidate > 1 && e.over_runs->repeated > 0) return true;
  v.kind = VerdictKind::kInconclusive;
  f.more = 1;
  if (f.runs->candidate > 1) {
    v.reason = text(found_text(f), beyond_text(f), ", but not without the slowest run");
    v.next_step = e.over_runs->interleaved
                      ? text("measure another round: --measure ", f.runs->candidate + 1)
                      : "run the candidate once more and give that run as well: --candidate again";
    return false;
  }
  v.reason = text(found_text(f), beyond_text(f), ", but in one run of the candidate");
  v.next_step =
      "a failure must repeat: run the candidate once more and give both runs, "
      "--candidate RUN --candidate ANOTHER";
  return false;
}

bool is_below_noise(Evidence& e) {
  Finding& f = e.finding;
  if (e.over_runs || !f.noise_floor || *f.noise_floor <= 0 || f.tolerance.limit > *f.noise_floor)
    return false;
  f.verdict.kind = VerdictKind::kInvalid;
  f.verdict.reason = text(found_text(f), "two runs of the baseline differ by ",
                          change_text(*f.noise_floor, f.tolerance.relative), ", ",
                          limit_text(f.tolerance), " is not above that");
  f.verdict.next_step = "give a tolerance above the noise, or make the noise smaller";
  return true;
}

}  // namespace

std::string limit_text(const Tolerance& t) {
  return text("the tolerance of ",
              t.sign > 0   ? "+"
              : t.sign < 0 ? "-"
                           : "",
              number_text(t.relative ? 100 * t.limit : t.limit), t.relative ? " %" : "");
}

void decide_evidence(Evidence& e, double alpha, int64_t tests) {
  Finding& f = e.finding;
  Verdict& v = f.verdict;
  const double level = level_of_each(alpha, tests);
  plan_samples(e, level);
  if (is_below_noise(e)) return;
  if (e.over_runs && e.over_runs->degrees == 0)
    return say_inconclusive(e, "one run of each side does not tell what runs differ by", level);
  if (f.p && f.samples > 0 && f.samples < e.least_samples && !e.over_runs)
    return say_inconclusive(e, text("needed are at least ", e.least_samples), level);
  if (e.high <= 0) {
    v.kind = VerdictKind::kPass;
    v.reason = found_text(f) + "within " + limit_text(f.tolerance);
    return;
  }
  if (e.low <= 0) return say_inconclusive(e, "on both sides of " + limit_text(f.tolerance), level);
  if (f.p_holm && *f.p_holm > alpha)
    return say_inconclusive(
        e, text("beyond ", limit_text(f.tolerance), ", but p = ", p_text(*f.p_holm), " after Holm"),
        level);
  if (e.over_runs && !is_repeated(e)) return;
  v.kind = VerdictKind::kFail;
  v.reason = found_text(f) + beyond_text(f);
  v.next_step = "find what made it worse; a wider tolerance or a waiver has to be argued for";
}

}  // namespace plumb::harness
