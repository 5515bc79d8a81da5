#include "pruning/sweep/positions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "base/rng.h"
#include "pruning/sweep/sweep.h"

namespace plumb::pruning {
namespace {

class SampledPositions : public ::testing::TestWithParam<uint64_t> {};  // parameter: seed

TEST_P(SampledPositions, AreAscendingDistinctAndInRange) {
  const auto positions = sampled_positions(40, 12, GetParam(), 3);
  ASSERT_EQ(positions.size(), 12u);
  EXPECT_GE(positions.front(), 1);
  EXPECT_LE(positions.back(), 39);
  for (size_t i = 1; i < positions.size(); ++i) EXPECT_LT(positions[i - 1], positions[i]);
}

TEST_P(SampledPositions, AreAFunctionOfSeedAndDocument) {
  const auto positions = sampled_positions(256, 32, GetParam(), 5);
  EXPECT_EQ(positions, sampled_positions(256, 32, GetParam(), 5));
  EXPECT_NE(positions, sampled_positions(256, 32, GetParam(), 6));
  EXPECT_NE(positions, sampled_positions(256, 32, GetParam() + 1, 5));
}

TEST_P(SampledPositions, GiveAMeanWhoseVarianceIsAsStated) {
  // 400 draws of 10 of 30 fixed losses: the variance of their means against the mean of what each
  // draw states. Either is known to about 1 / sqrt(400 / 2) = 7 %; five times that is allowed.
  Rng rng(GetParam());
  std::vector<float> losses(30);
  for (float& loss : losses) loss = static_cast<float>(rng.normal());
  double sum = 0, squares = 0, stated = 0;
  constexpr int kDraws = 400;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<float> picked;
    for (const int64_t p : sampled_positions(31, 10, GetParam(), draw))
      picked.push_back(losses[static_cast<size_t>(p - 1)]);
    const PositionMean result = position_mean(picked, 30);
    sum += result.mean;
    squares += result.mean * result.mean;
    stated += result.variance / kDraws;
  }
  const double seen = (squares - sum * sum / kDraws) / (kDraws - 1);
  EXPECT_NEAR(seen / stated, 1.0, 0.35);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SampledPositions, ::testing::Range<uint64_t>(0, 10));

TEST(SampledPositionsOf, AllOrMoreThanThereAreIsAll) {
  const std::vector<int64_t> all{1, 2, 3, 4};
  EXPECT_EQ(sampled_positions(5, 0, 0, 0), all);
  EXPECT_EQ(sampled_positions(5, 4, 0, 0), all);
  EXPECT_EQ(sampled_positions(5, 1000, 0, 0), all);
}

TEST(SampledPositionsOf, ADocumentIsUniform) {
  std::map<int64_t, int> seen;
  constexpr int kDocuments = 3000;
  for (int document = 0; document < kDocuments; ++document)
    for (const int64_t p : sampled_positions(11, 3, 1, document)) ++seen[p];
  // Binomial(3000, 0.3): mean 900, sigma 25; five sigmas over ten positions.
  ASSERT_EQ(seen.size(), 10u);
  for (const auto& [position, count] : seen) EXPECT_NEAR(count, 900, 126) << position;
}

TEST(SampledPositionsOf, TooShortADocumentIsRefused) {
  EXPECT_THROW(sampled_positions(1, 0, 0, 0), Error);
  EXPECT_THROW(sampled_positions(5, -1, 0, 0), Error);
}

TEST(PositionMean, OfAllPositionsHasNoVariance) {
  const std::vector<float> losses{1, 2, 6};
  EXPECT_EQ(position_mean(losses, 3).mean, 3.0);
  EXPECT_EQ(position_mean(losses, 3).variance, 0.0);
  // s^2 = 7, P = 3 of 6: 7 / 3 / 2.
  EXPECT_DOUBLE_EQ(position_mean(losses, 6).variance, 7.0 / 6);
}

TEST(PositionMean, WithoutAVarianceIsRefused) {
  const std::vector<float> one{1}, none;
  EXPECT_THROW(position_mean(one, 2), Error);
  EXPECT_THROW(position_mean(none, 2), Error);
  EXPECT_NO_THROW(position_mean(one, 1));
}

}  // namespace
}  // namespace plumb::pruning
