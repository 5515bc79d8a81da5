// Every claim reaches every verdict that it can reach, on measurements whose answer is planted.

#include "harness/verify/claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "harness/verify/claims_testing.h"
#include "harness/verify/verdict_testing.h"

namespace plumb::harness {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using enum VerdictKind;

Verdict judged(Judge judge, Measurements m) {
  m.block_count = m.block_count == 0 ? kBlocks : m.block_count;
  m.draws = 500;
  return verdict_of(judge, m);
}
Verdict of_cost(Judge judge, const CostResult& cost) { return judged(judge, {.cost = &cost}); }
Verdict of_profile(Judge judge, const ProfileResult& profile) {
  return judged(judge, {.profile = &profile});
}
Verdict of_sweep(const SweepResult& sweep) {
  return judged(judge_similarity_beats_simple, {.sweep = &sweep});
}

TEST(Claims, EachHasWordsAndASourceAndIsNotRunWithoutMeasurements) {
  const auto verdicts = judge_claims({.block_count = kBlocks}, {});
  ASSERT_EQ(verdicts.size(), claims().size());
  for (const Verdict& verdict : verdicts) {
    EXPECT_EQ(verdict.kind, kNotRun) << verdict.claim;
    for (const std::string& words : {verdict.claim, verdict.title, verdict.statement,
                                     verdict.source, verdict.reason, verdict.next_step})
      EXPECT_NE(words, "") << verdict.claim;
  }
  EXPECT_EQ(exit_code(verdicts), 0);
}

TEST(Claims, RequiredOneThatDidNotRunIsInconclusive) {
  const auto verdicts = judge_claims({.block_count = kBlocks}, {"healed-loss-continuous"});
  EXPECT_EQ(exit_code(verdicts), 3);
}

TEST(Claims, OneThatBreaksIsInvalidAndSaysWhy) {
  const auto profile = profile_of([](auto, auto l, auto) { return 0.1 + 0.01 * l; });
  const auto verdicts = judge_claims({.block_count = 4 * kBlocks, .profile = &profile}, {});
  const auto broken = std::count_if(verdicts.begin(), verdicts.end(),
                                    [](const Verdict& v) { return v.kind == kInvalid; });
  EXPECT_GT(broken, 0);
  EXPECT_EQ(exit_code(verdicts), 7);
}

TEST(Reconnection, CountsBits) {
  ReconnectionResult result;
  EXPECT_VERDICT(judged(judge_reconnection, {.reconnection = &result}), kNotRun, "no comparison");
  result.checks = {{"a", "losses", 10, 0, 0, ""}, {"b", "logits", 5, 0, 0, ""}};
  EXPECT_VERDICT(judged(judge_reconnection, {.reconnection = &result}), kPass, "15 values");
  result.checks[1].not_run = "no disk";
  EXPECT_VERDICT(judged(judge_reconnection, {.reconnection = &result}), kInconclusive, "no disk");
  result.checks[0].differing = 1;
  EXPECT_VERDICT(judged(judge_reconnection, {.reconnection = &result}), kFail, "1 of 10");
}

TEST(MemoryFalls, WithEveryStepOrNot) {
  EXPECT_VERDICT(of_cost(judge_memory_falls, cost_of({})), kPass, "S = -15");
  const auto rising_at_6 = [](double by) {
    CostModel model;
    model.peak = [by](double n) {
      return n == 6 ? 1e9 - kBlockBytes * 4 + by : 1e9 - kBlockBytes * n;
    };
    return cost_of(model);
  };
  constexpr double kMiB = 1 << 20;
  // One step up of five leaves S = -13, still a significant fall: only the step itself can fail it.
  EXPECT_VERDICT(of_cost(judge_memory_falls, rising_at_6(kMiB)), kPass, "S = -13");
  EXPECT_VERDICT(of_cost(judge_memory_falls, rising_at_6(kMiB + 1)), kFail, "from n = 4 to 6");
  CostModel flat;
  flat.peak = [](double) { return 1e9; };
  EXPECT_VERDICT(of_cost(judge_memory_falls, cost_of(flat)), kInconclusive, "S = 0");
  flat.peak = [](double n) { return 1e9 + 1e3 * n; };  // steps below page noise, but all of them
  EXPECT_VERDICT(of_cost(judge_memory_falls, cost_of(flat)), kFail, "S = 15");
  EXPECT_VERDICT(of_cost(judge_memory_falls, cost_of({}, {0, 2, 4})), kNotRun, "3 configurations");
}

TEST(LatencyFalls, WhereNoStepRisesBeyondItsRepetitions) {
  EXPECT_VERDICT(of_cost(judge_latency_falls, cost_of({})), kPass, "decode");
  CostModel model;
  model.decode = [](double n) {  // all repetitions of n = 6 above all of n = 4
    return n == 6 ? std::vector<double>{18.1, 18.2, 18.3}
                  : std::vector<double>{20. - n, 21. - n, 22. - n};
  };
  EXPECT_VERDICT(of_cost(judge_latency_falls, cost_of(model)), kFail,
                 "decode rises from n = 4 to 6");
  model.decode = [](double n) {  // one of them overlaps
    return n == 6 ? std::vector<double>{17.9, 18.2, 18.3}
                  : std::vector<double>{20. - n, 21. - n, 22. - n};
  };
  EXPECT_VERDICT(of_cost(judge_latency_falls, cost_of(model)), kPass, "S = -13");
  model.decode = [](double) { return std::vector<double>{20, 21, 22}; };
  EXPECT_VERDICT(of_cost(judge_latency_falls, cost_of(model)), kInconclusive, "S = 0");
  model.decode = [](double n) { return std::vector<double>{20. + 0.1 * n, 18. + 0.1 * n, 22.}; };
  EXPECT_VERDICT(of_cost(judge_latency_falls, cost_of(model)), kFail, "S = 15");
  EXPECT_VERDICT(of_cost(judge_latency_falls, cost_of({}, {0, 2, 4})), kNotRun, "at least 4");
}

TEST(MemoryPrediction, ComparesTheSlopeWithTheBlocksBytes) {
  EXPECT_VERDICT(of_cost(judge_memory_prediction, cost_of({})), kPass, "falls by 1 ");
  CostModel model;
  const auto slope = [&](double factor) {
    model.peak = [factor](double n) { return 2e9 - factor * kBlockBytes * n; };
    return of_cost(judge_memory_prediction, cost_of(model));
  };
  EXPECT_VERDICT(slope(0.95), kPass, "0.95");
  EXPECT_VERDICT(slope(0.85), kFail, "0.85");
  EXPECT_VERDICT(slope(1.2), kFail, "1.2");
  EXPECT_VERDICT(slope(0), kFail, "tolerance 0.9..1.1");
  model.peak = [](double n) {  // right in the mean, but every other point is half a block off
    return 2e9 - kBlockBytes * (n + (std::fmod(n, 4) == 0 ? 0.5 : -0.5));
  };
  EXPECT_VERDICT(of_cost(judge_memory_prediction, cost_of(model)), kInconclusive, "[");
  EXPECT_VERDICT(of_cost(judge_memory_prediction, cost_of({}, {0, 2, 4})), kNotRun, "3");
}

TEST(LatencyPrediction, ComparesTheSlopeWithTheShareOfBlocks) {
  EXPECT_VERDICT(of_cost(judge_latency_prediction, cost_of({})), kPass, "falls by 1 ");
  CostModel model;
  model.blocks = [](double n) { return std::vector<double>{100. - 4. * n}; };  // half as fast
  EXPECT_VERDICT(of_cost(judge_latency_prediction, cost_of(model)), kFail, "0.48");
  model.blocks = [](double n) {
    return std::vector<double>{96. - 8. * (n + (std::fmod(n, 4) == 0 && n > 0 ? 0.8 : 0))};
  };
  EXPECT_VERDICT(of_cost(judge_latency_prediction, cost_of(model)), kInconclusive, "[");
  EXPECT_VERDICT(of_cost(judge_latency_prediction, cost_of({}, {2, 4, 6, 8})), kNotRun,
                 "whole model");
}

TEST(DeepBlocksAlike, ComparesTheHalvesByDocument) {
  const auto sloped = [](double slope) {
    return profile_of(
        [slope](auto, auto l, auto d) { return 0.3 + slope * l + (d % 3 == 0 ? 0.001 : 0.0); });
  };
  EXPECT_VERDICT(of_profile(judge_deep_alike, sloped(-0.01)), kPass, "for 3 of 3");
  EXPECT_VERDICT(of_profile(judge_deep_alike, sloped(0.01)), kFail, "below 0 for 3");
  const auto split =
      profile_of([](auto, auto l, auto d) { return 0.3 + (d % 2 == 0 ? 0.01 : -0.01) * l; });
  EXPECT_VERDICT(of_profile(judge_deep_alike, split), kInconclusive, "for 0 of 3");
  const auto few = profile_of([](auto, auto, auto) { return 0.3; }, 15);
  EXPECT_VERDICT(of_profile(judge_deep_alike, few), kNotRun, "15 documents");
}

TEST(LastBlockDissimilar, IsInTheTopTenthOfItsRow) {
  const auto last_at = [](const std::function<double(int64_t)>& last) {
    return profile_of(
        [last](auto n, auto l, auto d) { return l + n == kBlocks ? last(d) : 0.2 + 0.01 * l; });
  };
  for (const Judge judge : {judge_last_dissimilar, judge_last_dissimilar_after_norm}) {
    EXPECT_VERDICT(of_profile(judge, last_at([](auto) { return 0.5; })), kPass, "for 3 of 3");
    EXPECT_VERDICT(of_profile(judge, last_at([](auto) { return 0.1; })), kFail, "with 0 %");
    // On average at the edge of the top tenth: about half of the resamples have it there.
    const auto edge = last_at([](auto d) { return d % 2 == 0 ? 0.1 : 0.5; });
    EXPECT_VERDICT(of_profile(judge, edge), kInconclusive, "95 %");
  }
  // The two claims look at their own state: only the pairs after the norm are far apart here.
  auto profile = last_at([](auto) { return 0.1; });
  for (auto& row : profile.profile.after_norm) row.assign(row.size(), 0.5);
  EXPECT_VERDICT(of_profile(judge_last_dissimilar, profile), kFail, "0 of 3");
  EXPECT_VERDICT(of_profile(judge_last_dissimilar_after_norm, profile), kPass, "3 of 3");
}

TEST(LastBlockKept, HoldsWhereNoChoiceReachesTheEnd) {
  const auto last_at = [](const std::function<double(int64_t)>& last) {
    return profile_of([last](auto n, auto l, auto d) { return l + n == kBlocks ? last(d) : 0.3; });
  };
  EXPECT_VERDICT(of_profile(judge_last_block_kept, last_at([](auto) { return 0.4; })), kPass,
                 "9 of 9");
  // A tie goes to the smaller start, which keeps the last block.
  EXPECT_VERDICT(of_profile(judge_last_block_kept, last_at([](auto) { return 0.3; })), kPass,
                 "9 of 9");
  EXPECT_VERDICT(of_profile(judge_last_block_kept, last_at([](auto) { return 0.2; })), kFail,
                 "0 of 9");
  const auto edge = last_at([](auto d) { return d % 2 == 0 ? 0.2 : 0.4001; });
  EXPECT_VERDICT(of_profile(judge_last_block_kept, edge), kInconclusive, "0 of 9");
}

TEST(SimilarityBeatsSimple, IsPairedByDocument) {
  // Documents differ by far more than strategies do: only a paired test sees the difference.
  const auto lead = [](double by) {
    return sweep_of([by](const std::string& strategy, auto n, auto d) {
      return 3.0 + static_cast<double>(d) + 0.1 * n + 0.001 * static_cast<double>(d % 3) +
             (strategy == "simple" ? by * (1 + 0.1 * static_cast<double>(d % 5)) : 0.0);
    });
  };
  EXPECT_VERDICT(of_sweep(lead(0.05)), kPass, "at 6 of 6");
  EXPECT_VERDICT(of_sweep(lead(-0.05)), kFail, "simple loses less at 6");
  const auto mixed = sweep_of([](const std::string& strategy, auto, auto d) {
    return 3.0 + (strategy == "simple" ? (d % 2 == 0 ? 0.1 : -0.1) : 0.0);
  });
  EXPECT_VERDICT(of_sweep(mixed), kInconclusive, "at 0 of 6");
  const auto few = sweep_of([](const auto&, auto, auto) { return 3.0; }, 15);
  EXPECT_VERDICT(of_sweep(few), kNotRun, "15 documents");
  auto equal = lead(0.05);
  for (size_t i = 0; i < equal.plans.size() / 2; ++i)
    equal.plans[i].removed = equal.plans[i + equal.plans.size() / 2].removed;
  EXPECT_VERDICT(of_sweep(equal), kNotRun, "same blocks");
}

TEST(HealedContinuity, IsNotJudgedOnAnUnhealedCurve) {
  const auto sweep = sweep_of([](const auto&, auto n, auto) { return 3.0 + 0.1 * n; });
  EXPECT_VERDICT(judged(judge_healed_continuity, {.sweep = &sweep}), kNotRun, "no healed model");
}

}  // namespace
}  // namespace plumb::harness
