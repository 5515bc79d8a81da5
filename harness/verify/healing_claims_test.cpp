// Every claim about healed models reaches every verdict that it can reach, on losses whose answer is planted.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/rng.h"
#include "harness/pipeline/composition.h"
#include "harness/verify/claims.h"
#include "harness/verify/verdict_testing.h"

namespace plumb::harness {
namespace {

using ::testing::HasSubstr;
using enum VerdictKind;

constexpr int64_t kL = 20;

/// Losses in nats of a strategy without n blocks, for a document.
using Loss = std::function<double(const std::string& strategy, double n, int64_t document)>;
struct Planted {
  SweepResult sweep;
  HealResult heal;
};
struct Plants {
  Loss unhealed = [](const std::string&, double n, int64_t) { return 3 + 0.2 * n; };
  Loss healed = [](const std::string&, double n, int64_t) { return 3 + 0.1 * n; };
  std::vector<std::string> strategies = {"similarity", "simple"};
  std::vector<int64_t> counts = {2, 4, 6, 8, 10, 12, 14};
  int64_t documents = 20;
};

/// With a level of its own for each document and a little noise at each point.
Planted planted(const Plants& plants = {}) {
  Planted out;
  for (int64_t d = 0; d < plants.documents; ++d) out.sweep.text.documents.push_back(d);
  out.sweep.vocabulary_size = 1000;
  Rng rng(11);
  std::vector<double> level;
  for (int64_t d = 0; d < plants.documents; ++d) level.push_back(0.5 * rng.normal());
  for (const std::string& strategy : plants.strategies)
    for (const int64_t n : plants.counts) {
      pruning::PruningPlan plan{kL, {}, strategy, "planted"};
      for (int64_t i = 0; i < n; ++i) plan.removed.push_back((strategy == "simple" ? 5 : 2) + i);
      std::vector<double> before, after;
      for (int64_t d = 0; d < plants.documents; ++d) {
        const auto at = level[static_cast<size_t>(d)];
        const auto x = static_cast<double>(n);
        before.push_back(plants.unhealed(strategy, x, d) + at + 0.02 * rng.normal());
        after.push_back(plants.healed(strategy, x, d) + at + 0.02 * rng.normal());
      }
      out.sweep.plans.push_back(plan);
      out.sweep.losses.loss_nats.push_back(before);
      out.heal.healed.push_back({plan, after, {}, {}, 0});
      TrainedPlan trained;
      trained.plan = plan;
      trained.frozen_bytes = static_cast<uint64_t>(1000 * (kL - n));
      out.heal.trained.push_back(trained);
    }
  out.heal.whole = {4000 * kL, 1000 * kL, 0};
  return out;
}

Verdict judged(testing::Judge judge, const Planted& p, const CostResult* cost = nullptr) {
  Measurements m;
  m.block_count = kL;
  m.sweep = &p.sweep;
  m.heal = &p.heal;
  m.cost = cost;
  m.draws = 500;
  return testing::verdict_of(judge, m);
}

double jumping(double n) { return 3 + 0.1 * n + (n > 9 ? 2.0 : 0.0); }

TEST(HealedContinuity, PassesALineAndFailsAJump) {
  Plants jump;
  jump.unhealed = [](const std::string&, double n, int64_t) { return jumping(n); };
  const Verdict line = judged(judge_healed_continuity, planted(jump));
  EXPECT_EQ(line.kind, kPass) << line.reason;
  EXPECT_THAT(line.reason, HasSubstr("similarity, 7 values of n"));
  ASSERT_EQ(line.evidence.size(), 12u);  // healed and unhealed, three numbers, two strategies
  jump.healed = jump.unhealed;
  jump.strategies = {"simple"};
  // A jump is two bends: a break fits it better than a line, though not well.
  Plants kink = jump;
  kink.healed = [](const std::string&, double n, int64_t) {
    return 3 + 0.05 * n + 0.5 * std::max(0.0, n - 8);
  };
  EXPECT_VERDICT(judged(judge_healed_continuity, planted(kink)), kFail, "a break is better");
  const Verdict open = judged(judge_healed_continuity, planted(jump));
  EXPECT_NE(open.kind, kPass) << open.reason;
}

TEST(HealedContinuity, SaysHowManyHealedPointsItNeeds) {
  Plants few;
  few.counts = {7, 14};
  EXPECT_VERDICT(judged(judge_healed_continuity, planted(few)), kNotRun,
                 "plans of 2 values of n were healed, needed are 5");
  Plants documents;
  documents.documents = 15;
  EXPECT_VERDICT(judged(judge_healed_continuity, planted(documents)), kNotRun,
                 "15 documents were measured, needed at least 16");
  Planted none = planted();
  none.heal = {};
  EXPECT_VERDICT(judged(judge_healed_continuity, none), kNotRun, "no healed model in this run");
}

TEST(HealingGain, IsPairedByDocument) {
  EXPECT_VERDICT(judged(judge_healing_gain, planted()), kPass, "the loss of 14 of 14 plans");
  Plants worse;
  worse.healed = [](const std::string&, double n, int64_t) { return 3 + (n == 4 ? 1 : 0.1) * n; };
  EXPECT_VERDICT(judged(judge_healing_gain, planted(worse)), kFail, "2 are worse than unhealed");
  Plants same;
  same.healed = [](const std::string&, double n, int64_t d) {
    return 3 + 0.2 * n + (d % 2 == 0 ? 0.3 : -0.3);
  };
  EXPECT_VERDICT(judged(judge_healing_gain, planted(same)), kInconclusive, "of 0 of 14");
}

TEST(SimilarityHealed, IsComparedAtTheHealedCounts) {
  const auto behind = [](double gap) {
    Plants plants;
    plants.healed = [gap](const std::string& strategy, double n, int64_t) {
      return 3 + 0.1 * n + (strategy == "simple" ? gap : 0);
    };
    plants.unhealed = [](const std::string& strategy, double n, int64_t) {
      return 3 + 0.2 * n + (strategy == "simple" ? 4 : 0);
    };
    return plants;
  };
  EXPECT_VERDICT(judged(judge_similarity_beats_simple_healed, planted(behind(0.1))), kPass,
                 "7 of 7 values of n");
  EXPECT_THAT(judged(judge_similarity_beats_simple_healed, planted(behind(0.1))).reason,
              HasSubstr("unhealed by 4"));
  EXPECT_VERDICT(judged(judge_similarity_beats_simple_healed, planted(behind(-0.1))), kFail,
                 "simple loses less at 7");
  EXPECT_VERDICT(judged(judge_similarity_beats_simple_healed, planted(behind(0))), kInconclusive,
                 "similarity loses less at 0");
  Plants one = behind(1);
  one.strategies = {"similarity"};
  EXPECT_VERDICT(judged(judge_similarity_beats_simple_healed, planted(one)), kNotRun,
                 "not both strategies");
}

TEST(MethodsCompose, WithinOnePerCentOfTheProduct) {
  EXPECT_VERDICT(judged(judge_methods_compose, planted()), kPass, "0.225 (1 - n / L)");
  Planted off = planted();
  off.heal.trained[2].frozen_bytes += off.heal.trained[2].frozen_bytes / 50;
  EXPECT_VERDICT(judged(judge_methods_compose, off), kFail, "off by 2 %");
  // Where the cost was measured at this n, the saving is that one's.
  CostResult cost;
  cost.block_count = kL;
  for (const auto& [n, bytes] : {std::pair<int64_t, uint64_t>{0, 1000}, {4, 700}}) {
    CostPoint point;
    point.n = n;
    point.cost.block_bytes = bytes;
    cost.points.push_back(point);
  }
  EXPECT_VERDICT(judged(judge_methods_compose, planted(), &cost), kFail, "product 0.175,");
}

// By hand: 80 blocks of 855,654,400 weights, two matrices of 32,000 x 8,192 and a gain.
TEST(MethodsCompose, LlamaByItsConfigurationIsNotThePapersNominalFigure) {
  const PublishedComposition llama = llama_2_70b();
  EXPECT_EQ(llama.whole_bytes, 2 * (80 * 855654400.0 + 2 * 32000 * 8192.0 + 8192));
  EXPECT_NEAR(llama.half_bytes / 1e9, 18.7, 0.05);
  EXPECT_NEAR(llama.factor(), 7.4, 0.05);
  EXPECT_NEAR(kNf4Bits, 4.127, 5e-4);
  EXPECT_EQ(llama.paper_half_bytes, 17.5e9);
  EXPECT_EQ(llama.paper_whole_bytes, 140e9);
}

}  // namespace
}  // namespace plumb::harness
