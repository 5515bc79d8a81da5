#include "base/statistics/multiplicity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/statistics/golden_statistics.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::Doubles;
using testing::error_of;
using testing::golden_statistics;

TEST(Multiplicity, EqualsStatsmodels) {
  for (const auto& entry : golden_statistics()["holm"]) {
    const auto p = entry["p"].get<Doubles>();
    const auto by_holm = holm(p), bh = benjamini_hochberg(p), by = benjamini_yekutieli(p);
    ASSERT_EQ(by_holm.size(), entry["adjusted"].size());
    for (size_t i = 0; i < p.size(); ++i) {
      EXPECT_DOUBLE_EQ(by_holm[i], entry["adjusted"][i]) << entry.dump();
      EXPECT_DOUBLE_EQ(bh[i], entry["bh"][i]) << entry.dump();
      EXPECT_DOUBLE_EQ(by[i], entry["by"][i]) << entry.dump();
    }
  }
}

// Benjamini and Hochberg 1995, section 4.1: 15 comparisons of two treatments of infarction. At
// 0.05 Bonferroni's way rejects 3, the false discovery rate's way 4.
TEST(Multiplicity, RejectsAsManyAsBenjaminiAndHochbergsExample) {
  const Doubles p = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                     0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000};
  const auto rejected = [](const Doubles& adjusted) {
    return std::count_if(adjusted.begin(), adjusted.end(), [](double q) { return q <= 0.05; });
  };
  EXPECT_EQ(rejected(holm(p)), 3);
  EXPECT_EQ(rejected(benjamini_hochberg(p)), 4);
}

TEST(Multiplicity, OrdersTheThreeWaysAndNeverLowersAPValue) {
  const Doubles p = {0.9, 0.01, 0.3, 0.01, 0, 1};
  const auto by_holm = holm(p), bh = benjamini_hochberg(p), by = benjamini_yekutieli(p);
  for (size_t i = 0; i < p.size(); ++i) {
    EXPECT_GE(bh[i], p[i]);
    EXPECT_GE(by_holm[i], bh[i]);
    EXPECT_GE(by[i], bh[i]);
    EXPECT_LE(std::max(by_holm[i], by[i]), 1);
  }
  EXPECT_EQ(bh[1], bh[3]);
}

TEST(Multiplicity, RefusesWhatIsNoPValueAndTakesNone) {
  for (const auto adjust : {holm, benjamini_hochberg, benjamini_yekutieli}) {
    EXPECT_TRUE(adjust({}).empty());
    EXPECT_EQ(adjust(Doubles{0.3})[0], 0.3);
    EXPECT_EQ(error_of([&] { adjust(Doubles{0.1, 1.1}); }).kind(), ErrorKind::kInvariant);
    EXPECT_EQ(error_of([&] { adjust(Doubles{std::nan("")}); }).kind(), ErrorKind::kInvariant);
  }
}

}  // namespace
}  // namespace plumb
