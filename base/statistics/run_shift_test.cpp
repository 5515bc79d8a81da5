#include "base/statistics/run_shift.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "base/json_fields.h"
#include "base/rng.h"
#include "base/testing.h"

namespace plumb {
namespace {

/// Runs of one value each, which have nothing inside.
Runs single(const nlohmann::ordered_json& values) {
  Runs out;
  for (const double value : values) out.push_back({value});
  return out;
}

TEST(RunShift, OfSingleValuesIsStudentsTwoSampleTest) {
  const auto golden = parse_json(read_file(PLUMB_SOURCE_DIR "/fixtures/golden/rank_sum.json"));
  for (const auto& entry : golden["two_sample"]) {
    const RunShift found = run_shift(single(entry["b"]), single(entry["a"]), 0.95);
    // Sums of at most 22 values below 3, and Student's t by boost and by scipy.
    EXPECT_NEAR(found.p_above(0), entry["p"].get<double>(), 1e-12);
    ASSERT_TRUE(found.interval.has_value());
    EXPECT_NEAR(found.interval->low, entry["interval"]["low"].get<double>(), 1e-11);
    EXPECT_NEAR(found.interval->high, entry["interval"]["high"].get<double>(), 1e-11);
  }
}

TEST(RunShift, IsAsSureWithOneRepetitionAsWithMany) {
  // A run's repetitions are alike: a thousand of them are one observation.
  const Runs a = {{1}, {1.5}, {0.7}}, b = {{2}, {2.2}};
  Runs many_a = a, many_b = b;
  for (Runs* runs : {&many_a, &many_b})
    for (auto& run : *runs) run.assign(1000, run[0]);
  const RunShift one = run_shift(b, a), many = run_shift(many_b, many_a);
  EXPECT_EQ(one.shift, many.shift);
  EXPECT_EQ(one.error, many.error);
  EXPECT_EQ(one.degrees, 3);
  EXPECT_NEAR(one.shift, 2.1 - 3.2 / 3, 1e-15);
  EXPECT_NEAR(one.p_above(0), 1 - one.p_above(2 * one.shift), 1e-12);  // symmetrical about it
}

TEST(RunShift, IsNeverSurerThanTheRepetitionsInside) {
  // Medians that agree by chance, of repetitions that scatter: the median's variance is that of a normal sample's.
  Rng rng(3);
  Runs a, b;
  for (Runs* side : {&a, &b})
    for (int run = 0; run < 2; ++run) {
      std::vector<double> values(401);
      for (double& value : values) value = rng.normal();
      std::ranges::sort(values);
      const double median = values[200];
      for (double& value : values) value -= median;
      side->push_back(values);
    }
  const RunShift found = run_shift(b, a);
  EXPECT_EQ(found.shift, 0);
  // sqrt(pi / 2 / 401) for one run; its estimate from 1604 values is off by a few per cent.
  EXPECT_NEAR(found.deviation, std::sqrt(1.5707963 / 401), 0.1 * std::sqrt(1.5707963 / 401));
  // One repetition of ten that was slow changes neither the median nor that by much.
  const Runs calm = {{1, 1.01, 0.99, 1.02, 0.98, 1.01, 0.99, 1, 1.01, 0.99}};
  Runs hiccup = calm;
  hiccup[0][4] = 5;
  EXPECT_LE(run_shift(hiccup, calm).deviation, 2 * run_shift(calm, calm).deviation);
}

TEST(RunShift, OfOneRunEachHasNoBounds) {
  const RunShift found = run_shift({{2, 2.1}}, {{1, 1.1}});
  EXPECT_EQ(found.degrees, 0);
  EXPECT_FALSE(found.interval.has_value());
  EXPECT_EQ(found.p_above(0), 1);
  EXPECT_NEAR(found.shift, 1, 1e-15);
  EXPECT_EQ(found.repeated, found.shift);
}

TEST(RunShift, KnowsWhatIsLeftWithoutTheGreatestRun) {
  const RunShift found = run_shift({{3}, {9}, {4}}, {{1}, {2}});
  EXPECT_DOUBLE_EQ(found.repeated, 3.5 - 1.5);
  EXPECT_DOUBLE_EQ(found.repeated_error, found.deviation);              // sqrt(1 / 2 + 1 / 2)
  EXPECT_DOUBLE_EQ(found.error, found.deviation * std::sqrt(5 / 6.0));  // 1 / 2 + 1 / 3
  EXPECT_EQ(run_shift({{2}, {2}}, {{1}, {1}}).p_above(0.5), 0);         // nothing scatters
  EXPECT_EQ(run_shift({{2}, {2}}, {{1}, {1}}).p_above(1.5), 1);
}

TEST(RunShift, RefusesWhatIsNoRun) {
  const auto kind = [](const Runs& b, const Runs& a, double level = 0.95) {
    return testing::error_of([&] { run_shift(b, a, level); }).kind();
  };
  EXPECT_EQ(kind({}, {{1}}), ErrorKind::kInvariant);
  EXPECT_EQ(kind({{1}}, {{}}), ErrorKind::kInvariant);
  EXPECT_EQ(kind({{std::nan("")}}, {{1}}), ErrorKind::kInvariant);
  EXPECT_EQ(kind({{1}}, {{1}}, 1), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
