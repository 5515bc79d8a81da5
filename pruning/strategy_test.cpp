#include "pruning/strategy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "base/rng.h"

namespace plumb::pruning {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kBlocks = 12;

metrics::Profile random_profile(uint64_t seed) {
  Rng rng(seed);
  metrics::Profile profile{metrics::DistanceMatrix(kBlocks, 3), {}, {}};
  for (int64_t n = 1; n <= kBlocks; ++n)
    for (int64_t l = 0; l <= kBlocks - n; ++l)
      for (int64_t document = 0; document < 3; ++document)
        profile.before_norm.at(n, l, document) = rng.uniform();
  for (int64_t l = 0; l < kBlocks; ++l) profile.block_influence.push_back(rng.uniform());
  return profile;
}

std::string usage_error(const std::string& strategy, int64_t n, const StrategyInputs& inputs) {
  try {
    make_plan(strategy, n, inputs);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

class Strategies : public ::testing::TestWithParam<uint64_t> {};  // parameter: seed

TEST_P(Strategies, RemoveExactlyNBlocksAndSayWhy) {
  const auto profile = random_profile(GetParam());
  for (const std::string& name : strategy_names())
    for (int64_t n = 0; n < kBlocks; ++n) {
      StrategyInputs inputs{kBlocks, &profile, GetParam(), {}};
      for (int64_t block = 0; block < n; ++block) inputs.explicit_blocks.push_back(block);
      const PruningPlan plan = make_plan(name, n, inputs);
      EXPECT_EQ(plan.removed_count(), n) << name;
      EXPECT_EQ(plan.strategy, name);
      EXPECT_EQ(plan.block_count, kBlocks);
      EXPECT_FALSE(plan.evidence.empty());
      EXPECT_NO_THROW(validate(plan));
    }
}

TEST_P(Strategies, SimilarityRemovesTheLeastDistantStretch) {
  const auto profile = random_profile(GetParam());
  for (int64_t n = 1; n < kBlocks; ++n) {
    const auto plan = make_plan("similarity", n, {kBlocks, &profile, 0, {}});
    ASSERT_TRUE(plan.first().has_value());
    for (int64_t l = 0; l <= kBlocks - n; ++l)
      EXPECT_LE(profile.before_norm.mean(n, *plan.first()), profile.before_norm.mean(n, l));
  }
}

TEST_P(Strategies, BlockInfluenceKeepsNoBlockOfLessInfluence) {
  const auto profile = random_profile(GetParam());
  for (int64_t n = 1; n < kBlocks; ++n) {
    const auto plan = make_plan("block-influence", n, {kBlocks, &profile, 0, {}});
    for (const int64_t gone : plan.removed)
      for (const int64_t kept : plan.kept())
        EXPECT_LT(profile.block_influence[static_cast<size_t>(gone)],
                  profile.block_influence[static_cast<size_t>(kept)]);
  }
}

TEST_P(Strategies, DeepestIsSimpleMovedToTheEnd) {
  for (int64_t n = 1; n < kBlocks; ++n) {
    const auto simple = make_plan("simple", n, {kBlocks, nullptr, 0, {}});
    const auto deepest = make_plan("deepest", n, {kBlocks, nullptr, 0, {}});
    EXPECT_EQ(*deepest.first(), *simple.first() + 1);
    EXPECT_EQ(deepest.removed.back(), kBlocks - 1);
  }
}

TEST_P(Strategies, RandomIsAFunctionOfSeedAndN) {
  for (int64_t n = 1; n < kBlocks; ++n) {
    const StrategyInputs inputs{kBlocks, nullptr, GetParam(), {}};
    const auto plan = make_plan("random", n, inputs);
    EXPECT_EQ(plan.removed, make_plan("random", n, inputs).removed);
    EXPECT_TRUE(plan.first().has_value());  // contiguous
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Strategies, ::testing::Range<uint64_t>(0, 20));

TEST(Strategy, RandomReachesEveryStart) {
  std::set<int64_t> starts;
  for (uint64_t seed = 0; seed < 500; ++seed)  // a start is missed with probability (9/10)^500
    starts.insert(*make_plan("random", 3, {kBlocks, nullptr, seed, {}}).first());
  EXPECT_EQ(starts.size(), 10u);
}

TEST(Strategy, SimpleKeepsTheLastBlock) {
  const StrategyInputs inputs{30, nullptr, 0, {}};
  EXPECT_THAT(make_plan("simple", 3, inputs).removed, ElementsAre(26, 27, 28));
  EXPECT_THAT(make_plan("simple", 29, inputs).kept(), ElementsAre(29));
}

TEST(Strategy, BlockInfluenceBreaksTiesTowardsTheDeeperBlock) {
  metrics::Profile profile{metrics::DistanceMatrix(4, 1), {}, {0.5, 0.1, 0.5, 0.5}};
  EXPECT_THAT(make_plan("block-influence", 2, {4, &profile, 0, {}}).removed, ElementsAre(1, 3));
}

TEST(Strategy, SimilarityBreaksTiesTowardsTheShallowerBlock) {
  metrics::Profile profile{metrics::DistanceMatrix(4, 1), {}, {0, 0, 0, 0}};  // all distances 0
  EXPECT_THAT(make_plan("similarity", 2, {4, &profile, 0, {}}).removed, ElementsAre(0, 1));
}

TEST(Strategy, ThatCannotAnswerSaysWhatItNeeds) {
  const auto profile = random_profile(0);
  const StrategyInputs bare{kBlocks, nullptr, 0, {}};
  EXPECT_THAT(usage_error("similarity", 2, bare), HasSubstr("needs a profile"));
  EXPECT_THAT(usage_error("block-influence", 2, bare), HasSubstr("needs a profile"));
  EXPECT_THAT(usage_error("similarity", 2, {kBlocks + 1, &profile, 0, {}}), HasSubstr("12 blocks"));
  EXPECT_THAT(usage_error("simple", kBlocks, bare), HasSubstr("0..11"));
  EXPECT_THAT(usage_error("simple", -1, bare), HasSubstr("n = -1"));
  EXPECT_THAT(usage_error("explicit", 2, {kBlocks, nullptr, 0, {1, 2, 3}}), HasSubstr("3 blocks"));
  EXPECT_THAT(usage_error("explicit", 2, {kBlocks, nullptr, 0, {1, 1}}), HasSubstr("twice"));
  EXPECT_THAT(usage_error("smallest", 2, bare),
              HasSubstr("similarity, simple, deepest, random, block-influence, explicit"));
}

}  // namespace
}  // namespace plumb::pruning
