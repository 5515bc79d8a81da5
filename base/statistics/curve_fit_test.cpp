#include "base/statistics/curve_fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "base/statistics/golden_statistics.h"
#include "base/statistics/logistic_fit.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::Doubles;
using testing::error_of;
using testing::golden_statistics;

/// One golden curve with its weights.
struct Curve {
  Doubles x, y, weights;
  explicit Curve(const nlohmann::ordered_json& entry)
      : x(entry["x"].get<Doubles>()),
        y(entry["y"].get<Doubles>()),
        weights(entry["weights"].get<Doubles>()) {}
  CurvePoints points() const { return {x, y, weights}; }
};

constexpr double kClosed = 1e-11;   // closed forms of a few dozen points
constexpr double kSearched = 1e-6;  // searches on either side stop at the square root of rounding

void expect_same(double found, const nlohmann::ordered_json& expected, double tolerance) {
  EXPECT_NEAR(found, expected.get<double>(), tolerance * (1 + std::abs(found)));
}

TEST(CurveFit, EqualsStatsmodelsLinesAndSteps) {
  for (const auto& entry : golden_statistics()["curves"]) {
    const Curve curve(entry);
    const LineFit line = fit_line(curve.points());
    expect_same(line.intercept, entry["line"]["intercept"], kClosed);
    expect_same(line.slope, entry["line"]["slope"], kClosed);
    expect_same(line.squares, entry["line"]["squares"], kClosed);
    const StepFit step = fit_step(curve.points());
    expect_same(step.breakpoint, entry["step"]["break"], kClosed);
    expect_same(step.before, entry["step"]["before"], kClosed);
    expect_same(step.after, entry["step"]["after"], kClosed);
    expect_same(step.squares, entry["step"]["squares"], kClosed);
  }
}

TEST(CurveFit, EqualsASearchForTheBestBreak) {
  for (const auto& entry : golden_statistics()["curves"]) {
    const SegmentedFit fit = fit_segmented(Curve(entry).points());
    const auto& expected = entry["segmented"];
    expect_same(fit.breakpoint, expected["break"], kSearched);
    expect_same(fit.level, expected["level"], kSearched);
    expect_same(fit.slope_before, expected["before"], kSearched);
    expect_same(fit.slope_after, expected["after"], kSearched);
    expect_same(fit.squares, expected["squares"], kClosed);
    EXPECT_LE(fit.squares, expected["squares"].get<double>() * (1 + 1e-9));
  }
}

TEST(CurveFit, CriterionDiffersAsStatsmodelsDoes) {
  for (const auto& entry : golden_statistics()["curves"]) {
    const Curve curve(entry);
    const CurvePoints points{curve.x, curve.y, {}};
    double mean = 0, squares = 0;
    for (const double y : curve.y) mean += y / static_cast<double>(curve.y.size());
    for (const double y : curve.y) squares += (y - mean) * (y - mean);
    const double ours = bayes_criterion(points, fit_line(points).squares, kLineParameters) -
                        bayes_criterion(points, squares, kLineParameters - 1);
    const auto& theirs = entry["unweighted"];
    EXPECT_NEAR(ours, theirs["line_bic"].get<double>() - theirs["mean_bic"].get<double>(), 1e-9);
  }
}

TEST(CurveFit, FindsABreakThatIsThere) {
  Doubles x, y;
  for (int i = 0; i < 12; ++i) {
    x.push_back(i);
    y.push_back(i < 6.25 ? 4 - 0.5 * i : 4 - 0.5 * 6.25 - 3 * (i - 6.25));
  }
  const SegmentedFit fit = fit_segmented({x, y, {}});
  EXPECT_NEAR(fit.breakpoint, 6.25, 1e-12);
  EXPECT_NEAR(fit.slope_before, -0.5, 1e-12);
  EXPECT_NEAR(fit.slope_after, -3, 1e-12);
  EXPECT_NEAR(fit.at(3), 2.5, 1e-12);
  EXPECT_LT(bayes_criterion({x, y, {}}, fit.squares, kSegmentedParameters),
            bayes_criterion({x, y, {}}, fit_line({x, y, {}}).squares, kLineParameters) - 100);
}

TEST(CurveFit, IsNeverWorseThanWhatItContains) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    Doubles x, y, weights;
    for (size_t i = 0; i < 5 + rng.below(20); ++i) {
      x.push_back((x.empty() ? 0 : x.back()) + 0.1 + rng.uniform());
      y.push_back(rng.normal());
      weights.push_back(0.5 + rng.uniform());
    }
    const CurvePoints points{x, y, weights};
    EXPECT_LE(fit_segmented(points).squares, fit_line(points).squares * (1 + 1e-12));
    // A step that rises is no falling logistic.
    const StepFit step = fit_step(points);
    if (step.after >= step.before) continue;
    // At an eighth of the least gap and amid the step's own, each value is off by at most
    // 1 / (1 + e^4) of the drop.
    double off = 0;
    for (const double w : weights) off += w * std::pow(0.018 * (step.before - step.after), 2);
    EXPECT_LE(std::sqrt(LogisticFitter(x, weights).fit(y).squares),
              std::sqrt(step.squares) + std::sqrt(off));
  }
}

TEST(LogisticFit, EqualsTheBestOfManySearches) {
  for (const auto& entry : golden_statistics()["curves"]) {
    const Curve curve(entry);
    for (const char* name : {"logistic", "floor"}) {
      LogisticBounds bounds{.least = 0, .most = 1};
      if (name == std::string("floor")) bounds.floor = 0.25;
      const LogisticFit fit = LogisticFitter(curve.x, curve.weights, bounds).fit(curve.y);
      const auto& expected = entry[name];
      expect_same(fit.upper, expected["upper"], kSearched);
      expect_same(fit.lower, expected["lower"], kSearched);
      expect_same(fit.centre, expected["centre"], kSearched);
      expect_same(fit.width, expected["width"], kSearched);
      expect_same(fit.squares, expected["squares"], kClosed);
    }
  }
}

// NIST Statistical Reference Datasets, Rat42 (pasture yield over growing time, Ratkowsky 1983),
// certified to 11 digits: y = b1 / (1 + exp(b2 - b3 t)) with b = 72.462237576, 2.6180768402,
// 0.067359200066 and squares 8.0565229338. It rises, so x = -t here.
TEST(LogisticFit, EqualsACertifiedDataset) {
  const Doubles t = {79, 70, 63, 57, 42, 28, 21, 14, 9};
  const Doubles y = {67.08, 64.62, 61.73, 56.11, 39.35, 22.33, 18.59, 10.8, 8.93};
  Doubles x;
  for (const double time : t) x.push_back(-time);
  const LogisticFit fit = LogisticFitter(x, {}, {.floor = 0}).fit(y);
  EXPECT_NEAR(fit.upper, 72.462237576, 1e-6 * 72);
  EXPECT_NEAR(fit.width, 1 / 0.067359200066, 1e-6 * 15);
  EXPECT_NEAR(fit.centre, -2.6180768402 / 0.067359200066, 1e-6 * 39);
  EXPECT_NEAR(fit.squares, 8.0565229338, 1e-9);
}

TEST(LogisticFit, FindsWhatIsThereWithoutNoise) {
  Doubles x;
  for (int i = 0; i < 29; ++i) x.push_back(i / 30.0);
  for (const double centre : {0.1, 0.45, 0.8})
    for (const double width : {0.01, 0.04, 0.15}) {
      const LogisticFit truth{.upper = 0.62, .lower = 0.26, .centre = centre, .width = width};
      Doubles y;
      for (const double at : x) y.push_back(truth.at(at));
      const LogisticFit fit = LogisticFitter(x, {}, {.least = 0, .most = 1}).fit(y);
      EXPECT_NEAR(fit.centre, centre, 1e-6) << centre << " " << width;
      EXPECT_NEAR(fit.width, width, 1e-6) << centre << " " << width;
    }
}

TEST(LogisticFit, HasAStepWithinItsGapAndARiseAsFlat) {
  const Doubles x = {0, 0.1, 0.2, 0.3, 0.4, 0.5}, step = {0.6, 0.6, 0.6, 0.2, 0.2, 0.2};
  const LogisticFit fit = LogisticFitter(x, {}, {.least = 0, .most = 1}).fit(step);
  EXPECT_GT(fit.centre, 0.2);
  EXPECT_LT(fit.centre, 0.3);
  EXPECT_LT(fit.width, 0.02);
  const Doubles rise = {0.2, 0.2, 0.3, 0.4, 0.6, 0.6};
  const LogisticFit flat = LogisticFitter(x, {}, {.least = 0, .most = 1}).fit(rise);
  EXPECT_NEAR(flat.at(0), flat.at(0.5), 1e-9);
}

// Only the lower half of the fall is there: free levels would put the upper one far above 1, and
// mirrored, the lower one below 0.
TEST(LogisticFit, StaysWithinItsBoundsAndIsTheBestThere) {
  Doubles x, high, low;
  for (int i = 0; i < 12; ++i) {
    x.push_back(i / 12.0);
    high.push_back(1.5 / (1 + std::exp(x.back() / 0.3)) + (i % 2 == 0 ? 0.01 : -0.01));
  }
  for (size_t i = 0; i < x.size(); ++i) low.push_back(0.9 - high[x.size() - 1 - i]);
  for (const auto& y : {high, low}) {
    const LogisticFit free = LogisticFitter(x, {}).fit(y);
    EXPECT_TRUE(free.upper > 1.01 || free.lower < -0.01);
    const LogisticFit fit = LogisticFitter(x, {}, {.least = 0, .most = 1}).fit(y);
    EXPECT_GE(fit.lower, 0);
    EXPECT_LE(fit.upper, 1 + 1e-12);
    EXPECT_GT(fit.squares, free.squares);
    for (uint64_t k = 0; k < 200; ++k) {  // no other curve within the bounds is better
      Rng rng(k);
      const auto near = [&](double value) { return value * (1 + 0.02 * rng.normal()); };
      LogisticFit other{.upper = std::min(1.0, near(fit.upper)),
                        .lower = std::max(0.0, fit.lower + 0.005 * rng.normal()),
                        .centre = near(fit.centre),
                        .width = near(fit.width)};
      double squares = 0;
      for (size_t i = 0; i < x.size(); ++i) squares += std::pow(y[i] - other.at(x[i]), 2);
      if (other.centre >= x.front() && other.centre <= x.back()) {
        EXPECT_GE(squares, fit.squares * (1 - 1e-9));
      }
    }
  }
}

TEST(CurveFit, RefusesWhatIsNoCurve) {
  const Doubles x = {0, 1, 2, 3, 4}, y = {1, 2, 3, 4, 5}, four = {1, 2, 3, 4};
  const Doubles twice = {0, 1, 1, 3, 4}, bad = {1, std::nan(""), 3, 4, 5}, zero = {1, 1, 0, 1, 1};
  const auto kind = [](auto action) { return error_of(action).kind(); };
  EXPECT_EQ(kind([&] { fit_line({x, four, {}}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { fit_line({four, four, {}}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { fit_step({twice, y, {}}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { fit_segmented({x, bad, {}}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { fit_segmented({x, y, zero}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { LogisticFitter(twice, {}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { LogisticFitter(x, {}).fit(four); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { LogisticFitter(x, {}, {.least = 1, .most = 0}); }), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
