#include "metrics/similarity/distance_matrix.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"

namespace plumb::metrics {
namespace {

TEST(DistanceMatrix, HoldsEveryPairInAPlaceOfItsOwn) {
  DistanceMatrix distances(7, 3);
  EXPECT_EQ(distances.pair_count(), 28);
  for (int64_t n = 1; n <= 7; ++n)
    for (int64_t l = 0; l <= 7 - n; ++l)
      for (int64_t document = 0; document < 3; ++document)
        distances.at(n, l, document) = static_cast<double>(100 * n + 10 * l + document);
  for (int64_t n = 1; n <= 7; ++n)
    for (int64_t l = 0; l <= 7 - n; ++l) {
      const auto base = static_cast<double>(100 * n + 10 * l);
      EXPECT_EQ(distances.samples(n, l), (std::vector<double>{base, base + 1, base + 2}));
      EXPECT_EQ(distances.mean(n, l), base + 1);
    }
}

TEST(DistanceMatrix, RefusesPairsAndDocumentsThatDoNotExist) {
  DistanceMatrix distances(4, 2);
  for (const auto& [n, l, document] :
       {std::tuple{0, 0, 0}, {5, 0, 0}, {1, -1, 0}, {1, 4, 0}, {4, 1, 0}, {1, 0, 2}, {1, 0, -1}}) {
    EXPECT_THROW(distances.at(n, l, document) = 1, Error);
    EXPECT_THROW(std::as_const(distances).at(n, l, document), Error);
  }
  EXPECT_THROW(DistanceMatrix(0, 1), Error);
  EXPECT_THROW(DistanceMatrix(1, 0), Error);
}

TEST(DistanceMatrix, TakesTheSmallestStartOfEqualMeans) {
  DistanceMatrix distances(5, 1);
  const std::vector<double> row{0.3, 0.1, 0.2, 0.1};
  for (int64_t l = 0; l < 4; ++l) distances.at(2, l, 0) = row[static_cast<size_t>(l)];
  EXPECT_EQ(distances.best_start(2), 1);
  EXPECT_EQ(distances.best_start(5), 0);
}

}  // namespace
}  // namespace plumb::metrics
