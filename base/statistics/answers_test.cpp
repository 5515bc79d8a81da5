#include "base/statistics/answers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "base/statistics/bootstrap.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::error_of;

std::vector<uint8_t> random_answers(size_t questions, size_t points) {
  Rng rng(3, questions);
  std::vector<uint8_t> right(questions * points);
  for (uint8_t& answer : right) answer = static_cast<uint8_t>(rng.below(2));
  return right;
}

// More questions than fit the byte counters, and rows of fewer, as many and more bytes than a
// register: all against one answer at a time.
TEST(Answers, ResampledCountsAreThoseOfThePickedQuestions) {
  for (const size_t questions : {1u, 254u, 255u, 256u, 1000u})
    for (const size_t points : {1u, 15u, 16u, 29u, 33u}) {
      const auto right = random_answers(questions, points);
      const Answers answers{right, static_cast<int64_t>(points)};
      const auto counts = resample_right(answers, 3, 9);
      ASSERT_EQ(counts.size(), 3 * points);
      std::vector<int64_t> picked;
      for (size_t draw = 0; draw < 3; ++draw) {
        resample(static_cast<int64_t>(questions), 9, draw, picked);
        for (size_t p = 0; p < points; ++p) {
          int64_t expected = 0;
          for (const int64_t q : picked) expected += right[static_cast<size_t>(q) * points + p];
          EXPECT_EQ(counts[draw * points + p], expected);
        }
      }
    }
}

TEST(Answers, CountsByPoint) {
  const std::vector<uint8_t> right = {1, 0, 1,  //
                                      1, 0, 0};
  const auto counts = count_right({right, 3});
  EXPECT_EQ(counts, (std::vector<int64_t>{2, 0, 1}));
}

TEST(Answers, AllRightStaysAllRightInEveryResample) {
  const std::vector<uint8_t> right(700 * 2, 1);
  for (const int64_t count : resample_right({right, 2}, 20, 1)) EXPECT_EQ(count, 700);
}

TEST(Answers, GroupsWeighAlikeWhateverTheirSizes) {
  const std::vector<uint8_t> right = {1, 1,  //
                                      1, 0,  //
                                      0, 0,  //
                                      1, 0};
  const std::vector<int64_t> groups = {0, 0, 1, 0};
  EXPECT_EQ(accuracies({right, 2}), (std::vector<double>{0.75, 0.25}));
  EXPECT_EQ(accuracies({right, 2, groups}), (std::vector<double>{0.5, (1.0 / 3) / 2}));
  // Once more the first group's questions: no group's accuracy moves.
  std::vector<uint8_t> twice = right;
  std::vector<int64_t> of_twice = groups;
  for (const size_t q : {0u, 1u, 3u}) {
    twice.insert(twice.end(), {right[2 * q], right[2 * q + 1]});
    of_twice.push_back(0);
  }
  EXPECT_EQ(accuracies({twice, 2, of_twice}), accuracies({right, 2, groups}));
}

TEST(Answers, ResamplesDrawQuestionsWithinTheirGroups) {
  // One group all right, one all wrong: nothing can vary. Without groups it does.
  std::vector<uint8_t> fixed(12, 0);
  std::vector<int64_t> halves(12, 1);
  for (size_t q = 0; q < 5; ++q) fixed[q] = 1, halves[q] = 0;
  for (const double accuracy : resample_accuracies({fixed, 1, halves}, 50, 4))
    EXPECT_EQ(accuracy, 0.5);
  const auto free = resample_accuracies({fixed, 1}, 50, 4);
  EXPECT_NE(*std::min_element(free.begin(), free.end()),
            *std::max_element(free.begin(), free.end()));

  // Else the variance is sum p (1 - p) / n_g over the squared number of groups; that of 4,000 draws has a relative error
  // of sqrt(2 / 4000) = 2.2 %, of which five are allowed.
  const auto right = random_answers(330, 1);
  std::vector<int64_t> groups(330);
  std::vector<double> sizes(3), count(3);
  for (size_t q = 0; q < 330; ++q) {
    const size_t g = q < 10 ? 0 : q < 110 ? 1 : 2;
    groups[q] = static_cast<int64_t>(g);
    ++sizes[g];
    count[g] += right[q];
  }
  double expected = 0;
  for (size_t g = 0; g < 3; ++g)
    expected += count[g] / sizes[g] * (1 - count[g] / sizes[g]) / sizes[g] / 9;
  const auto drawn = resample_accuracies({right, 1, groups}, 4000, 5);
  const double mean = accuracies({right, 1, groups})[0];
  double variance = 0;
  for (const double accuracy : drawn) variance += (accuracy - mean) * (accuracy - mean) / 4000;
  EXPECT_NEAR(variance / expected, 1, 5 * std::sqrt(2.0 / 4000));
}

TEST(Answers, PrecisionsAreInverseVariances) {
  // 3 of 7 right, and all.
  std::vector<uint8_t> right(14, 1);
  for (const size_t q : {0u, 1u, 2u, 3u}) right[2 * q] = 0;
  const auto weights = precisions({right, 2});
  EXPECT_NEAR(weights[0], 0.25 / (3.5 / 8 * 4.5 / 8), 1e-15);
  EXPECT_NEAR(weights[1], 0.25 / (7.5 / 8 * 0.5 / 8), 1e-15);
  // Groups of 2 (one right) and 6 (three right): 1/4 p (1 - p) (1/2 + 1/6) for the mean, 1/8 p (1 - p) by question.
  const std::vector<uint8_t> half = {0, 1, 0, 1, 0, 1, 0, 1};
  const std::vector<int64_t> groups = {0, 0, 1, 1, 1, 1, 1, 1};
  EXPECT_NEAR(precisions({half, 1})[0], 1, 1e-15);
  EXPECT_NEAR(precisions({half, 1, groups})[0], (1.0 / 8) / ((1.0 / 2 + 1.0 / 6) / 4), 1e-15);
}

TEST(Answers, RefusesWhatIsNone) {
  const std::vector<uint8_t> five(5, 1), none, bad = {0, 1, 3};
  const auto kind = [](auto action) { return error_of(action).kind(); };
  EXPECT_EQ(kind([&] { count_right({five, 2}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { count_right({five, 0}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { count_right({none, 1}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { count_right({bad, 1}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { resample_right({five, 1}, 0, 0); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { resample_accuracies({five, 1}, 0, 0); }), ErrorKind::kInvariant);
  for (const std::vector<int64_t>& groups : std::vector<std::vector<int64_t>>{
           {0, 0, 1, 1}, {0, 0, 0, 2, 2}, {0, -1, 0, 0, 0}, {0, 1, 2, 3, 5}})
    EXPECT_EQ(kind([&] { accuracies({five, 1, groups}); }), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
