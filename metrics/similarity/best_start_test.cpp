#include "metrics/similarity/best_start.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"
#include "base/statistics/bootstrap.h"

namespace plumb::metrics {
namespace {

DistanceMatrix random_distances(int64_t L, int64_t documents, uint64_t seed) {
  Rng rng(seed);
  DistanceMatrix distances(L, documents);
  for (int64_t n = 1; n <= L; ++n)
    for (int64_t l = 0; l <= L - n; ++l)
      for (int64_t document = 0; document < documents; ++document)
        distances.at(n, l, document) = rng.uniform();
  return distances;
}

class BestStarts : public ::testing::TestWithParam<uint64_t> {};  // parameter: seed

/// By the definition: draw documents, average, take the first least.
double stability_by_definition(const DistanceMatrix& distances, int64_t n, int64_t draws,
                               uint64_t seed) {
  const int64_t first = distances.best_start(n);
  int64_t same = 0;
  std::vector<int64_t> picked;
  for (int64_t draw = 0; draw < draws; ++draw) {
    resample(distances.document_count(), seed, static_cast<uint64_t>(draw), picked);
    DistanceMatrix resampled(distances.block_count(), distances.document_count());
    for (int64_t l = 0; l <= distances.block_count() - n; ++l)
      for (size_t i = 0; i < picked.size(); ++i)
        resampled.at(n, l, static_cast<int64_t>(i)) = distances.at(n, l, picked[i]);
    same += resampled.best_start(n) == first;
  }
  return static_cast<double>(same) / static_cast<double>(draws);
}

TEST_P(BestStarts, StabilityIsTheShareOfResamplesWithTheSameArgmin) {
  const auto distances = random_distances(5, 6, GetParam());
  for (const BestStart& start : best_starts(distances, 200, GetParam())) {
    EXPECT_EQ(start.first, distances.best_start(start.n));
    // Exact: random means are no closer than rounding, so the order of a sum changes no argmin.
    EXPECT_EQ(start.stability, stability_by_definition(distances, start.n, 200, GetParam()));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, BestStarts, ::testing::Range<uint64_t>(0, 10));

TEST(BestStart, CoversEveryNButTheWholeModel) {
  const auto starts = best_starts(random_distances(9, 2, 1), 10, 0);
  ASSERT_EQ(starts.size(), 8u);
  for (size_t i = 0; i < starts.size(); ++i) EXPECT_EQ(starts[i].n, static_cast<int64_t>(i) + 1);
  EXPECT_TRUE(best_starts(random_distances(1, 2, 1), 10, 0).empty());
}

TEST(BestStart, OfOneDocumentOrOfTiesIsCertain) {
  for (const BestStart& start : best_starts(random_distances(6, 1, 3), 100, 0))
    EXPECT_EQ(start.stability, 1.0);
  const DistanceMatrix ties(6, 4);  // all zero
  for (const BestStart& start : best_starts(ties, 100, 0)) {
    EXPECT_EQ(start.first, 0);
    EXPECT_EQ(start.stability, 1.0);
  }
}

TEST(BestStart, BetweenTwoThatTakeTurnsIsAToss) {
  // Two starts, each best on half of the documents, the first by a hair: a resample of 100
  // documents picks either about as often.
  DistanceMatrix distances(2, 100);
  for (int64_t document = 0; document < 100; ++document) {
    distances.at(1, 0, document) = document % 2 == 0 ? 0.1 : 0.2;
    distances.at(1, 1, document) = document % 2 == 0 ? 0.2001 : 0.1;
  }
  const auto starts = best_starts(distances, 10000, 0);
  // P(at least half of 100 tosses) = 0.54; 10,000 draws give it to +- 0.005 (one sigma), five
  // allowed.
  EXPECT_EQ(starts[0].first, 0);
  EXPECT_NEAR(starts[0].stability, 0.5398, 0.025);
}

TEST(BestStart, FromNoDrawsIsRefused) {
  EXPECT_THROW(best_starts(random_distances(3, 2, 1), 0, 0), Error);
}

}  // namespace
}  // namespace plumb::metrics
