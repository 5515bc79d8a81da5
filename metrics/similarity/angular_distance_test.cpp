#include "metrics/similarity/angular_distance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"
#include "base/rng.h"

namespace plumb::metrics {
namespace {

std::vector<float> random_normal(size_t width, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> out(width);
  for (float& value : out) value = static_cast<float>(rng.normal());
  return out;
}

// Unit vectors are off by a few rounding errors of double, and so is what is made from them.
constexpr double kRounding = 16 * std::numeric_limits<double>::epsilon();

class AngularDistance : public ::testing::TestWithParam<uint64_t> {};  // parameter: seed

TEST_P(AngularDistance, IgnoresPositiveScaleOfEitherState) {
  const auto x = random_normal(97, GetParam()), y = random_normal(97, GetParam() + 1000);
  auto scaled = y;
  for (float& v : scaled) v *= 8.0f;  // a power of two: the scaling itself is exact
  EXPECT_EQ(angular_distance(x, scaled), angular_distance(x, y));
}

TEST_P(AngularDistance, IsSymmetric) {
  const auto x = random_normal(64, GetParam()), y = random_normal(64, GetParam() + 1000);
  EXPECT_EQ(angular_distance(x, y), angular_distance(y, x));
}

TEST_P(AngularDistance, OfOppositeStatesAddsUpToOne) {
  const auto x = random_normal(33, GetParam()), y = random_normal(33, GetParam() + 1000);
  auto opposite = y;
  for (float& v : opposite) v = -v;
  EXPECT_NEAR(angular_distance(x, y) + angular_distance(x, opposite), 1.0, kRounding);
}

TEST_P(AngularDistance, ObeysTheTriangleInequality) {
  const auto x = random_normal(16, GetParam()), y = random_normal(16, GetParam() + 1000),
             z = random_normal(16, GetParam() + 2000);
  EXPECT_LE(angular_distance(x, z), angular_distance(x, y) + angular_distance(y, z) + kRounding);
}

TEST_P(AngularDistance, AgreesWithTheArcCosineWhereThatIsWellConditioned) {
  const auto x = random_normal(500, GetParam()), y = random_normal(500, GetParam() + 1000);
  long double dot = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    dot += static_cast<long double>(x[i]) * y[i];
    xx += static_cast<long double>(x[i]) * x[i];
    yy += static_cast<long double>(y[i]) * y[i];
  }
  const auto expected = std::acos(dot / std::sqrt(xx * yy)) / std::numbers::pi_v<long double>;
  // Random states of this width are nearly orthogonal; sums of 500 terms in double.
  EXPECT_NEAR(angular_distance(x, y), static_cast<double>(expected), 500 * kRounding);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AngularDistance, ::testing::Range<uint64_t>(0, 20));

TEST(AngularDistanceOf, KnownAnglesIsKnown) {
  const std::vector<float> east{1, 0}, north{0, 3}, north_east{2, 2}, west{-5, 0};
  EXPECT_EQ(angular_distance(east, east), 0.0);
  EXPECT_NEAR(angular_distance(east, north), 0.5, kRounding);
  EXPECT_NEAR(angular_distance(east, north_east), 0.25, kRounding);
  EXPECT_NEAR(angular_distance(east, west), 1.0, kRounding);
}

TEST(AngularDistanceOf, TinyAnglesKeepsItsDigits) {
  // The angle is atan(t), of which an arccos of a double cosine sees nothing: 1 - t^2 / 2 rounds
  // to 1.
  const float t = 0x1.0p-30f;
  const std::vector<float> x{1, 0}, y{1, t};
  const double expected = std::atan(static_cast<double>(t)) / std::numbers::pi;
  EXPECT_NEAR(angular_distance(x, y) / expected, 1.0, kRounding);
}

TEST(AngularDistanceOf, HugeAndTinyStatesIsFinite) {
  const float huge = std::numeric_limits<float>::max();
  const float tiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> x{huge, huge}, y{tiny, tiny};
  EXPECT_NEAR(angular_distance(x, y), 0.0, kRounding);
}

TEST(AngularDistanceOf, AStateWithoutDirectionIsAnError) {
  const std::vector<float> fine{1, 2}, zero{0, 0};
  const std::vector<float> bad{1, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<float> infinite{1, std::numeric_limits<float>::infinity()};
  for (const auto& state : {zero, bad, infinite}) {
    try {
      angular_distance(fine, state);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
    }
  }
}

TEST(AngularDistanceOf, DifferentWidthsIsAnError) {
  const std::vector<float> two{1, 2}, three{1, 2, 3}, none;
  EXPECT_THROW(angular_distance(two, three), Error);
  EXPECT_THROW(angular_distance(none, none), Error);
}

}  // namespace
}  // namespace plumb::metrics
