// Memory and latency against n: do they fall, and as fast as the arithmetic of the method says?

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/statistics/multiplicity.h"
#include "base/statistics/summary.h"
#include "base/statistics/trend.h"
#include "harness/cli/console.h"
#include "harness/verify/claims.h"

namespace plumb::harness {

namespace {

constexpr size_t kLeastPoints = 4;  // with 3, no order reaches p <= 0.05 (1/6)
constexpr double kPageNoiseBytes = 1 << 20;

using Samples = std::function<std::vector<double>(const metrics::Cost&)>;

std::vector<double> peak(const metrics::Cost& c) {
  return {static_cast<double>(c.peak_resident_bytes)};
}
std::vector<double> prefill(const metrics::Cost& c) { return c.prefill_ms; }
std::vector<double> prefill_blocks(const metrics::Cost& c) { return c.prefill_blocks_ms; }
std::vector<double> decode(const metrics::Cost& c) { return c.decode_ms_per_token; }

/// False, with the verdict set, where there is too little to judge.
bool enough(const Measurements& m, Verdict& v) {
  if (m.cost == nullptr) {
    not_run(v, m.no_cost, "run the stage cost: `plumb run` or `plumb measure`");
    return false;
  }
  if (m.cost->points.size() < kLeastPoints) {
    not_run(v,
            text(m.cost->points.size(), " configurations were measured, needed at least ",
                 kLeastPoints),
            "measure 5 values of n (--n, setting cost.n)");
    return false;
  }
  return true;
}

struct Curve {
  std::vector<double> n;
  std::vector<double> y;  ///< median of the repetitions
  std::vector<std::vector<double>> samples;
};

Curve curve_of(const CostResult& cost, const Samples& samples) {
  Curve curve;
  for (const CostPoint& point : cost.points) {
    curve.n.push_back(static_cast<double>(point.n));
    curve.samples.push_back(samples(point.cost));
    curve.y.push_back(median(curve.samples.back()));
  }
  return curve;
}

Record number(const std::string& name, const std::string& series, double value,
              const std::string& unit) {
  return {.name = name, .dimensions = {{"series", series}}, .value = value, .unit = unit};
}

/// "n = 7 to 14" where a step rises for certain: by more than page noise, or with no overlap of repetitions.
std::string rising_step(const Curve& curve) {
  for (size_t i = 1; i < curve.y.size(); ++i) {
    const auto& before = curve.samples[i - 1];
    const auto& after = curve.samples[i];
    const bool single = before.size() == 1 && after.size() == 1;
    const bool rises = single ? after[0] > before[0] + kPageNoiseBytes
                              : *std::min_element(after.begin(), after.end()) >
                                    *std::max_element(before.begin(), before.end());
    if (rises) return text("n = ", curve.n[i - 1], " to ", curve.n[i]);
  }
  return "";
}

struct Series {
  std::string name;
  std::string unit;
  Samples samples;
};

void judge_falls(const Measurements& m, Verdict& v, const std::vector<Series>& series) {
  if (!enough(m, v)) return;
  std::vector<double> falling, rising;
  std::string found, up;
  for (const Series& s : series) {
    const Curve curve = curve_of(*m.cost, s.samples);
    const TrendTest trend = mann_kendall(curve.n, curve.y);
    falling.push_back(trend.p_falling);
    rising.push_back(trend.p_rising);
    v.evidence.push_back(number("mann_kendall_s", s.name, trend.s, "1"));
    v.evidence.push_back(number("p_falling", s.name, trend.p_falling, "1"));
    const bool bytes = s.unit == "bytes";
    const auto shown = [&](double y) {
      return bytes ? bytes_text(static_cast<uint64_t>(y)) : number_text(y, 3) + " " + s.unit;
    };
    found +=
        text(found.empty() ? "" : "; ", s.name, " ", shown(curve.y.front()),
             " at n = ", curve.n.front(), " to ", shown(curve.y.back()), " at n = ", curve.n.back(),
             ", S = ", trend.s, ", p = ", number_text(trend.p_falling, 2));
    const std::string step = rising_step(curve);
    if (!step.empty()) up += text(up.empty() ? "" : "; ", s.name, " rises from ", step);
  }
  const auto worst = [](const std::vector<double>& p) {
    const auto adjusted = holm(p);
    return *std::max_element(adjusted.begin(), adjusted.end());
  };
  const auto adjusted_rising = holm(rising);
  const double p_up = *std::min_element(adjusted_rising.begin(), adjusted_rising.end());
  if (p_up <= kAlpha || !up.empty())
    return decide(v, VerdictKind::kFail, found + (up.empty() ? "" : "; " + up),
                  "look at cost.csv; on a busy machine measure again");
  if (worst(falling) <= kAlpha) return decide(v, VerdictKind::kPass, found);
  decide(v, VerdictKind::kInconclusive, found,
         "measure again on a quiet machine, or at more values of n (cost.n)");
}

void judge_slope(Verdict& v, const SlopeEstimate& slope, double tolerance,
                 const std::string& what) {
  const double low = std::min(slope.interval.low, slope.interval.high);
  const double high = std::max(slope.interval.low, slope.interval.high);
  Record record = number("slope_over_prediction", what, slope.slope, "1");
  record.interval = slope.interval;
  record.interval->low = low;
  record.interval->high = high;
  v.evidence.push_back(std::move(record));
  const std::string found = text(
      what, " falls by ", number_text(slope.slope, 3), " of the prediction [", number_text(low, 3),
      ", ", number_text(high, 3), "], tolerance ", 1 - tolerance, "..", 1 + tolerance);
  if (low >= 1 - tolerance && high <= 1 + tolerance) return decide(v, VerdictKind::kPass, found);
  if (high < 1 - tolerance || low > 1 + tolerance)
    return decide(v, VerdictKind::kFail, found, "find what else takes memory or time in cost.csv");
  decide(v, VerdictKind::kInconclusive, found,
         "measure again on a quiet machine, with more repetitions or values of n");
}

}  // namespace

void judge_memory_falls(const Measurements& m, Verdict& v) {
  judge_falls(m, v, {{"peak resident memory", "bytes", peak}});
}

void judge_latency_falls(const Measurements& m, Verdict& v) {
  judge_falls(m, v, {{"prefill", "ms", prefill}, {"decode", "ms/token", decode}});
}

void judge_memory_prediction(const Measurements& m, Verdict& v) {
  if (!enough(m, v)) return;
  const CostPoint& first = m.cost->points.front();
  const auto blocks = static_cast<double>(first.cost.blocks);
  if (blocks < 1)
    return not_run(v, "the first configuration has no block", "measure n = 0 as well");
  const double per_block = static_cast<double>(first.cost.block_bytes) / blocks;
  Curve curve = curve_of(*m.cost, peak);
  for (double& y : curve.y) y = -y / per_block;
  judge_slope(v, theil_sen(curve.n, curve.y), 0.1, "peak resident memory");
}

void judge_latency_prediction(const Measurements& m, Verdict& v) {
  if (!enough(m, v)) return;
  if (m.cost->points.front().n != 0)
    return not_run(v, "the whole model was not measured", "add 0 to cost.n");
  Curve curve = curve_of(*m.cost, prefill_blocks);
  const double whole = curve.y.front();
  if (!(whole > 0)) return not_run(v, "the blocks took no time", "take more cost.prefill_tokens");
  for (double& y : curve.y) y = -y / whole;
  for (double& n : curve.n) n /= static_cast<double>(m.cost->block_count);
  judge_slope(v, theil_sen(curve.n, curve.y), 0.15, "prefill time of the blocks");
}

}  // namespace plumb::harness
