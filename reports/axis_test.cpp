#include "reports/axis.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <set>

#include "base/rng.h"
#include "base/testing.h"

namespace plumb::reports {
namespace {

using plumb::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A range of any size anywhere: the span between 1e-9 and 1e12, the middle up to 1000 spans off.
std::pair<double, double> random_range(uint64_t seed) {
  Rng rng(seed);
  const double span = std::pow(10, -9 + 21 * rng.uniform());
  const double middle = span * std::pow(10, 3 * rng.uniform()) * (rng.below(2) == 0 ? -1 : 1);
  return {middle - span / 2, middle + span / 2};
}

class AxisOverSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(AxisOverSeeds, TicksAreNiceMultiplesInTheRangeAndCoverIt) {
  for (uint64_t i = 0; i < 200; ++i) {
    const auto [low, high] = random_range(GetParam() * 200 + i);
    for (const int about : {2, 4, 6, 8, 10}) {
      const Axis made = axis(low, high, {.about = about});
      ASSERT_FALSE(made.ticks.empty()) << low << " " << high;
      ASSERT_EQ(made.ticks.size(), made.labels.size());
      const double mantissa = made.step / std::pow(10, std::floor(std::log10(made.step) + 1e-9));
      EXPECT_TRUE(std::abs(mantissa - 1) < 1e-6 || std::abs(mantissa - 2) < 1e-6 ||
                  std::abs(mantissa - 2.5) < 1e-6 || std::abs(mantissa - 5) < 1e-6)
          << made.step;
      // The nearest of steps whose ratios are at most 2.5 is off by a factor of sqrt(2.5) at most.
      EXPECT_LE(made.step * about, std::sqrt(2.5) * 1.000001 * (high - low));
      EXPECT_GE(made.step * about, (high - low) / (std::sqrt(2.5) * 1.000001));
      const double slack = 1e-6 * (high - low);
      EXPECT_GE(made.ticks.front(), low - slack);
      EXPECT_LE(made.ticks.back(), high + slack);
      EXPECT_LT(made.ticks.front() - low, made.step + slack);
      EXPECT_LT(high - made.ticks.back(), made.step + slack);
      for (size_t k = 1; k < made.ticks.size(); ++k)
        EXPECT_NEAR(made.ticks[k] - made.ticks[k - 1], made.step, slack);
    }
  }
}

TEST_P(AxisOverSeeds, LabelsTellTheTicksApart) {
  for (uint64_t i = 0; i < 200; ++i) {
    const auto [low, high] = random_range(GetParam() * 200 + i);
    for (const bool per_cent : {false, true}) {
      const Axis made = axis(low, high, {.per_cent = per_cent});
      const std::set<std::string> distinct(made.labels.begin(), made.labels.end());
      EXPECT_EQ(distinct.size(), made.labels.size())
          << low << " to " << high << ": " << ::testing::PrintToString(made.labels);
    }
  }
}

TEST_P(AxisOverSeeds, WholeNumbersHaveWholeTicks) {
  Rng rng(GetParam());
  for (int i = 0; i < 200; ++i) {
    const double low = static_cast<double>(rng.below(50)) - 0.3 * rng.uniform();
    const Axis made = axis(low, low + 1 + static_cast<double>(rng.below(100)), {.integers = true});
    EXPECT_GE(made.step, 1);
    for (const double tick : made.ticks) EXPECT_EQ(tick, std::floor(tick));
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, AxisOverSeeds, ::testing::Range<uint64_t>(0, 3));

TEST(Axis, WritesAsManyDecimalsAsTheStepNeeds) {
  EXPECT_THAT(axis(0, 1, {.about = 4}).labels, ElementsAre("0.00", "0.25", "0.50", "0.75", "1.00"));
  EXPECT_THAT(axis(-2, 2, {.about = 4}).labels, ElementsAre("\u22122", "\u22121", "0", "1", "2"));
  EXPECT_THAT(axis(0, 0.3, {.about = 3, .per_cent = true}).labels,
              ElementsAre("0\u202F%", "10\u202F%", "20\u202F%", "30\u202F%"));
  EXPECT_THAT(axis(0, 20000, {.about = 2}).labels, ElementsAre("0", "10\u202F000", "20\u202F000"));
}

TEST(Axis, RefusesARangeThatIsNone) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {1, 1}, {2, 1}, {nan, 1}, {0, nan}, {0, infinity}, {-infinity, 0}, {-1e308, 1e308}}) {
    const Error error = error_of([low = low, high = high] { axis(low, high); });
    EXPECT_EQ(error.kind(), ErrorKind::kInvariant);
    EXPECT_THAT(error.what(), HasSubstr("an axis needs low < high"));
  }
}

TEST(Readable, IsForPeople) {
  EXPECT_EQ(readable(0), "0");
  EXPECT_EQ(readable(-0.0), "0");
  EXPECT_EQ(readable(7), "7");
  EXPECT_EQ(readable(-538090752), "\u2212538\u202F090\u202F752");
  EXPECT_EQ(readable(1234), "1234");
  EXPECT_EQ(readable(0.53125), "0.5312");
  EXPECT_EQ(readable(212.53, 4), "212.5");
  EXPECT_EQ(readable(1.2e-7), "1.2 \u00d7 10\u207b\u2077");
  EXPECT_EQ(readable(3e15), "3 \u00d7 10\u00b9\u2075");
  EXPECT_EQ(readable(std::numeric_limits<double>::quiet_NaN()), "not a number");
}

TEST(Px, HasTwoDecimalsAtMostAndNoNegativeZero) {
  EXPECT_EQ(px(1.0), "1");
  EXPECT_EQ(px(1.256), "1.26");
  EXPECT_EQ(px(-0.001), "0");
  EXPECT_EQ(px(12.50), "12.5");
}

}  // namespace
}  // namespace plumb::reports
