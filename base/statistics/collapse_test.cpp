#include "base/statistics/collapse.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/statistics/latent_answers_testing.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::error_of;
using testing::latent_answers;

std::vector<double> fractions(int points) {
  std::vector<double> out;
  for (int i = 0; i < points; ++i) out.push_back(i / (points + 1.0));
  return out;
}

std::vector<double> curve_of(const LogisticFit& truth, const std::vector<double>& removed) {
  std::vector<double> out;
  for (const double f : removed) out.push_back(truth.at(f));
  return out;
}

const LogisticFit kTruth{.upper = 0.65, .lower = 0.26, .centre = 0.45, .width = 0.04};

TEST(Collapse, FindsWhereAndHowSharply) {
  const auto removed = fractions(29);
  const auto rows = latent_answers(4000, curve_of(kTruth, removed), 0.6, 1);
  const Collapse found = fit_collapse(removed, {rows, 29}, {.level = 0.999});
  EXPECT_NEAR(found.logistic.centre, 0.45, 0.01);
  EXPECT_LT(found.f0.low, 0.45);
  EXPECT_GT(found.f0.high, 0.45);
  EXPECT_LT(found.width.low, 0.04);
  EXPECT_GT(found.width.high, 0.04);
  EXPECT_LE(found.breakpoint.low, found.segmented.breakpoint);
  EXPECT_GE(found.breakpoint.high, found.segmented.breakpoint);
  EXPECT_EQ(found.shapes.front().shape, "logistic");
  EXPECT_EQ(found.shapes.size(), 4u);
  EXPECT_TRUE(found.shown);
  EXPECT_FALSE(found.sharp);
  EXPECT_EQ(found.at_range_end, 0);
  EXPECT_NEAR(found.grid_step, 1.0 / 30, 1e-12);
}

TEST(Collapse, IsSharpWhereAccuracyFallsWithinOneStep) {
  const auto removed = fractions(29);
  std::vector<double> accuracy(29, 0.65);
  for (size_t i = 14; i < accuracy.size(); ++i) accuracy[i] = 0.25;
  const auto rows = latent_answers(2000, accuracy, 0.6, 2);
  const Collapse found = fit_collapse(removed, {rows, 29}, {.draws = 500});
  EXPECT_TRUE(found.sharp);
  EXPECT_GT(found.f0.low, removed[13]);
  EXPECT_LT(found.f0.high, removed[14]);
  EXPECT_EQ(found.shapes.front().shape, "step");
}

TEST(Collapse, TellsALineFromALogistic) {
  const auto removed = fractions(29);
  std::vector<double> accuracy;
  for (const double f : removed) accuracy.push_back(0.7 - 0.4 * f);
  const auto rows = latent_answers(3000, accuracy, 0.6, 3);
  const Collapse found = fit_collapse(removed, {rows, 29}, {.draws = 50});
  const auto line = std::find_if(found.shapes.begin(), found.shapes.end(),
                                 [](const ShapeScore& score) { return score.shape == "line"; });
  EXPECT_LT(line->bic, found.shapes.front().bic + 6);
  EXPECT_FALSE(found.shown);
}

TEST(Collapse, SaysWhereThereIsNone) {
  const auto removed = fractions(29);
  const auto rows = latent_answers(500, std::vector<double>(29, 0.25), 0.3, 4);
  const Collapse found = fit_collapse(removed, {rows, 29}, {.draws = 500});
  EXPECT_GT(found.f0.high - found.f0.low, 0.3);
  EXPECT_FALSE(found.shown);
  EXPECT_FALSE(found.sharp);
}

// The centre of the fall is beyond the last point.
TEST(Collapse, SaysWhereTheFallGoesOn) {
  std::vector<double> removed, accuracy;
  for (int i = 0; i < 14; ++i) {
    removed.push_back(i / 30.0);
    accuracy.push_back(0.7 - 0.3 / (1 + std::exp((0.55 - removed.back()) / 0.04)));
  }
  const auto rows = latent_answers(2000, accuracy, 0.6, 7);
  const Collapse found = fit_collapse(removed, {rows, 14}, {.draws = 300});
  EXPECT_GT(found.at_range_end, 0.3);
  EXPECT_FALSE(found.shown);
}

TEST(Collapse, TakesAKnownFloor) {
  const auto removed = fractions(20);
  const auto rows = latent_answers(2000, curve_of(kTruth, removed), 0.6, 5);
  const Collapse found = fit_collapse(removed, {rows, 20}, {.floor = 0.25, .draws = 100});
  EXPECT_EQ(found.logistic.lower, 0.25);
  EXPECT_NE(fit_collapse(removed, {rows, 20}, {.draws = 100}).logistic.lower, 0.25);
}

TEST(Collapse, OfGroupsIsThatOfTheirMean) {
  // 4,000 questions follow the truth, 400 stay at 0.25: half way between is where the mean of both begins.
  const auto removed = fractions(29);
  auto rows = latent_answers(4000, curve_of(kTruth, removed), 0.6, 7);
  const auto flat = latent_answers(400, std::vector<double>(29, 0.25), 0.6, 8);
  rows.insert(rows.end(), flat.begin(), flat.end());
  std::vector<int64_t> groups(4400, 0);
  std::fill(groups.begin() + 4000, groups.end(), 1);
  const Collapse all = fit_collapse(removed, {rows, 29}, {.draws = 200});
  const Collapse mean = fit_collapse(removed, {rows, 29, groups}, {.draws = 200});
  // The errors of the mean at a point are sqrt(0.65 0.35 / 4000 + 0.25 0.75 / 400) / 2 = 0.011.
  EXPECT_NEAR(mean.logistic.upper, (0.65 + 0.25) / 2, 0.03);
  EXPECT_NEAR(all.logistic.upper, (0.65 * 4000 + 0.25 * 400) / 4400, 0.03);
  EXPECT_LT(mean.f0.low, 0.45);
  EXPECT_GT(mean.f0.high, 0.45);
  EXPECT_NE(mean.f0.method, all.f0.method);
}

TEST(Collapse, IsAFunctionOfItsArguments) {
  const auto removed = fractions(12);
  const auto rows = latent_answers(300, curve_of(kTruth, removed), 0.6, 6);
  const CollapseOptions options{.draws = 100, .seed = 5};
  const Collapse one = fit_collapse(removed, {rows, 12}, options);
  const Collapse other = fit_collapse(removed, {rows, 12}, options);
  EXPECT_EQ(one.f0.low, other.f0.low);
  EXPECT_EQ(one.width.high, other.width.high);
  EXPECT_NE(fit_collapse(removed, {rows, 12}, {.draws = 100, .seed = 6}).f0.low, one.f0.low);
}

TEST(Collapse, RefusesWhatIsNoCurve) {
  const auto removed = fractions(6);
  const std::vector<uint8_t> rows(6 * 10, 1), few(4 * 10, 1);
  const std::vector<double> four = {0, 0.1, 0.2, 0.3};
  const auto kind = [](auto action) { return error_of(action).kind(); };
  EXPECT_EQ(kind([&] { fit_collapse(four, {few, 4}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { fit_collapse(removed, {rows, 5}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { fit_collapse(removed, {rows, 6}, {.draws = 0}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { fit_collapse(removed, {rows, 6}, {.level = 1}); }), ErrorKind::kInvariant);
}

/// Shares of `runs` samples whose intervals hold the true f0 and w.
std::pair<double, double> coverage(int64_t questions, const LogisticFit& truth, int runs) {
  const auto removed = fractions(15);
  const auto accuracy = curve_of(truth, removed);
  int of_centre = 0, of_width = 0;
  for (int run = 0; run < runs; ++run) {
    const auto rows = latent_answers(questions, accuracy, 0.6, static_cast<uint64_t>(run));
    const Collapse found = fit_collapse(removed, {rows, 15}, {.draws = 400});
    of_centre += found.f0.low <= truth.centre && truth.centre <= found.f0.high;
    of_width += found.width.low <= truth.width && truth.width <= found.width.high;
  }
  return {static_cast<double>(of_centre) / runs, static_cast<double>(of_width) / runs};
}

// Four Monte-Carlo errors of a share near 95 %, and 400 draws' own error of some half a point.
double margin(int runs) { return 4 * std::sqrt(0.95 * 0.05 / runs) + 0.005; }

TEST(CollapseLong, IntervalsHoldTheTruthAboutAsOftenAsTheySay) {
  const int runs = 4000;
  for (const int64_t questions : {200, 1000}) {
    LogisticFit truth = kTruth;
    truth.width = 0.08;
    const auto [of_centre, of_width] = coverage(questions, truth, runs);
    EXPECT_GE(of_centre, 0.93 - margin(runs)) << questions;
    EXPECT_LE(of_centre, 0.97 + margin(runs)) << questions;
    EXPECT_GE(of_width, 0.93 - margin(runs)) << questions;
    EXPECT_LE(of_width, 0.97 + margin(runs)) << questions;
  }
}

}  // namespace
}  // namespace plumb
