// What a gate promises about its errors, by simulation: pairs of runs with a known difference. Times by run:
// times_power_test.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "harness/gate/gate_testing.h"

namespace plumb::harness {
namespace {

using testing::add_answers;
using testing::add_losses;
using testing::add_times;
using testing::bare_snapshot;
using testing::judged;
using testing::normals;

/// One kind of evidence: how a pair of runs is drawn, `effect` tolerances worse, with so many samples.
struct Kind {
  const char* name;
  const char* tolerance;
  int64_t pilot;
  double
      needed;  ///< ((z(0.95) + z(0.8)) deviation / tolerance)^2, with the deviation that is drawn
  void (*draw)(int64_t samples, double effect, Rng& rng, GateSnapshot& baseline,
               GateSnapshot& candidate);
};

void draw_losses(int64_t samples, double effect, Rng& rng, GateSnapshot& baseline,
                 GateSnapshot& candidate) {
  const auto before = normals(static_cast<size_t>(samples), 3, 0.4, rng);
  auto after = before;
  // Differences are skewed, as those of losses are: an exponential has a mean and deviation of 1.
  for (double& value : after) value += 0.03 * effect + 0.08 * (-std::log(1 - rng.uniform()) - 1);
  add_losses(baseline, before);
  add_losses(candidate, after);
}

void draw_answers(int64_t samples, double effect, Rng& rng, GateSnapshot& baseline,
                  GateSnapshot& candidate) {
  std::vector<uint8_t> before, after;
  for (int64_t i = 0; i < samples; ++i) {
    const double u = rng.uniform();
    const double lost = 0.03 + 0.03 * effect;  // turned from right to wrong; 0.03 turn back
    const bool only_before = u < lost, only_after = u >= lost && u < lost + 0.03;
    const bool both = u < 0.75;
    before.push_back(only_before || (!only_after && both));
    after.push_back(only_after || (!only_before && both));
  }
  add_answers(baseline, before);
  add_answers(candidate, after);
}

/// Times of three runs and of two, which differ by 2 %.
void draw_times(int64_t samples, double effect, Rng& rng, GateSnapshot& baseline,
                GateSnapshot& candidate) {
  const testing::Machine machine{"", 0.02, 0};
  add_times(baseline, testing::timed_runs(machine, 3, samples, 10, rng));
  add_times(candidate, testing::timed_runs(machine, 2, samples, 10 / (1 - 0.05 * effect), rng));
}

constexpr Kind kLosses{"losses", "loss:abs:+0.03", 24, 44, draw_losses};
constexpr Kind kAnswers{"answers", "own.acc:abs:-0.03", 240, 797, draw_answers};
constexpr Kind kTimes{"times", "decode.tok_s:rel:-5%", 10, 0, draw_times};

struct Pair {
  GateSnapshot baseline = bare_snapshot(), candidate = bare_snapshot();
};

Pair drawn(const Kind& kind, int64_t samples, double effect, uint64_t seed, uint64_t stream) {
  Pair pair;
  Rng rng(seed, stream);
  kind.draw(samples, effect, rng, pair.baseline, pair.candidate);
  return pair;
}

GateResult gate(const Pair& pair, const std::vector<std::string>& words) {
  return judged(pair.baseline, pair.candidate, testing::tolerances(words));
}

/// Share of pairs that fail, each with a loss, answers and times as a real one has them.
double fail_rate(int pairs, double effect) {
  int failed = 0;
  for (int i = 0; i < pairs; ++i) {
    Pair pair;
    Rng rng(21, static_cast<uint64_t>(i));
    for (const Kind& kind : {kLosses, kAnswers, kTimes})
      kind.draw(kind.pilot, effect, rng, pair.baseline, pair.candidate);
    failed += gate_exit_code(gate(pair, {kLosses.tolerance, kAnswers.tolerance, kTimes.tolerance}),
                             3) == 1;
  }
  return static_cast<double>(failed) / pairs;
}

/// Without a difference; and with one of the tolerance itself, where a test of level 0.05 is allowed just that: Monte-Carlo
/// error of four standard deviations there, the promise itself where nothing differs.
void expect_few_false_alarms(int pairs) {
  const double without = fail_rate(pairs, 0), at_the_edge = fail_rate(pairs, 1);
  EXPECT_LE(without, 0.05);
  EXPECT_LE(at_the_edge, 0.05 + 4 * std::sqrt(0.05 * 0.95 / pairs));
  std::printf("of %d pairs %.4f failed without a difference, %.4f at the tolerance\n", pairs,
              without, at_the_edge);
}

/// A small pair says what would be enough; of pairs of that size, those with twice the tolerance's effect fail and those
/// without a difference pass, but for a fifth. Rates lie below by what the plan adds for its own uncertainty, so that
/// no allowance for the simulation's error is made.
void expect_what_it_said_to_be_enough(const Kind& kind, int pairs) {
  int missed = 0, not_passed = 0, unplanned = 0;
  double sum = 0;
  for (int i = 0; i < pairs; ++i) {
    const auto stream = static_cast<uint64_t>(i);
    const GateResult pilot = gate(drawn(kind, kind.pilot, 0, 31, stream), {kind.tolerance});
    const auto enough = pilot.findings.at(0).enough;
    if (!enough) {
      ++unplanned;
      continue;
    }
    sum += static_cast<double>(*enough);
    const auto verdict = [&](double effect, uint64_t seed) {
      return gate(drawn(kind, *enough, effect, seed, stream), {kind.tolerance})
          .findings.at(0)
          .verdict.kind;
    };
    missed += verdict(2, 32) != VerdictKind::kFail;
    not_passed += verdict(0, 33) != VerdictKind::kPass;
  }
  EXPECT_EQ(unplanned, 0) << kind.name;
  EXPECT_LE(missed, pairs / 5) << kind.name << " of " << pairs;
  EXPECT_LE(not_passed, pairs / 5) << kind.name << " of " << pairs;
  // Nor is it so large that it would promise anything: at most three times what the true spread needs.
  EXPECT_LE(sum / pairs, 3 * kind.needed) << kind.name;
  std::printf("%s: of %d pairs %d missed, %d not passed, mean size %.0f\n", kind.name, pairs,
              missed, not_passed, sum / pairs);
}

TEST(GatePower, RaisesFewFalseAlarms) { expect_few_false_alarms(1000); }
TEST(GatePower, FindsTwiceTheToleranceOfLosses) { expect_what_it_said_to_be_enough(kLosses, 1000); }
TEST(GatePower, FindsTwiceTheToleranceOfAnswers) {
  expect_what_it_said_to_be_enough(kAnswers, 1000);
}

TEST(GatePowerLong, RaisesFewFalseAlarms) { expect_few_false_alarms(20000); }
TEST(GatePowerLong, FindsTwiceTheToleranceOfLosses) {
  expect_what_it_said_to_be_enough(kLosses, 20000);
}
TEST(GatePowerLong, FindsTwiceTheToleranceOfAnswers) {
  expect_what_it_said_to_be_enough(kAnswers, 10000);
}

}  // namespace
}  // namespace plumb::harness
