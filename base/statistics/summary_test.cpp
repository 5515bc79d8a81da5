#include "base/statistics/summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/statistics/golden_statistics.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::Doubles;
using testing::error_of;
using testing::golden_statistics;
using testing::rounding;

TEST(Summary, EqualsNumpys) {
  for (const auto& entry : golden_statistics()["summary"]) {
    const auto x = entry["samples"].get<Doubles>();
    EXPECT_NEAR(mean(x), entry["mean"], rounding(30));  // samples are below 30
    EXPECT_NEAR(variance(x), entry["variance"], rounding(900));
    EXPECT_DOUBLE_EQ(median(x), entry["median"]);
    for (const auto& [p, value] : entry["percentiles"].items())
      EXPECT_EQ(percentile(x, std::stod(p)), value) << p << " of " << x.size();
  }
}

TEST(Percentile, TakesAProductThatRoundingLiftsForTheIntegerItIs) {
  Doubles x(100);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i + 1);
  for (int k = 1; k <= 100; ++k)
    EXPECT_EQ(percentile(x, k / 100.0), k);  // 0.07 * 100 > 7 in doubles
}

TEST(Summary, RefusesNoSamplesAndValuesThatAreNoNumbers) {
  EXPECT_EQ(error_of([] { mean({}); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] { median({}); }).kind(), ErrorKind::kInvariant);
  const Doubles bad = {1, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_STREQ(error_of([&] { mean(bad); }).what(),
               "sample 1 of a mean is nan; needed are finite numbers");
  EXPECT_EQ(error_of([&] { median(bad); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] { percentile(Doubles{1}, 0); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(variance(Doubles{5}), 0);
}

TEST(Normal, EqualsScipys) {
  const auto& normal = golden_statistics()["normal"];
  for (size_t i = 0; i < normal["p"].size(); ++i) {
    // Both are good to a few units in the last place; near p = 1 one ulp of p moves z by 1e-16 /
    // density: at 1 - 1e-9 the density is 6e-9, hence 2e-8.
    const double p = normal["p"][i];
    const double z = normal["quantile"][i];
    const double density = std::exp(-z * z / 2) / 2.5066282746310002;
    EXPECT_NEAR(normal_quantile(p), z, 1e-14 * std::abs(z) + 2.3e-16 * p / density);
  }
  for (size_t i = 0; i < normal["z"].size(); ++i) {
    const double p = normal["cdf"][i];
    EXPECT_NEAR(normal_cdf(normal["z"][i]), p, 1e-13 * p);
  }
  EXPECT_EQ(normal_cdf(-std::numeric_limits<double>::infinity()), 0);
  EXPECT_EQ(error_of([] { normal_quantile(1); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] { normal_cdf(std::nan("")); }).kind(), ErrorKind::kInvariant);
}

TEST(StudentsT, EqualsScipysAndIsNormalWithInfinitelyManyDegrees) {
  for (const auto& entry : golden_statistics()["t"]) {
    const double degrees = entry["degrees"], quantile = entry["quantile"];
    EXPECT_NEAR(t_quantile(entry["p"], degrees), quantile, 1e-11 * std::abs(quantile));
    EXPECT_NEAR(t_cdf(1.7, degrees), entry["cdf_of_1.7"].get<double>(), 1e-12);
  }
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(t_quantile(0.9, infinite), normal_quantile(0.9));
  EXPECT_EQ(t_cdf(-1.2, infinite), normal_cdf(-1.2));
  EXPECT_EQ(t_cdf(infinite, 3), 1);
  EXPECT_EQ(error_of([] { t_quantile(0.5, 0); }).kind(), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
