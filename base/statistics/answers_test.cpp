#include "base/statistics/answers.h"

#include <gtest/gtest.h>

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

TEST(Answers, RefusesWhatIsNone) {
  const std::vector<uint8_t> five(5, 1), none, bad = {0, 1, 3};
  const auto kind = [](auto action) { return error_of(action).kind(); };
  EXPECT_EQ(kind([&] { count_right({five, 2}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { count_right({five, 0}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { count_right({none, 1}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { count_right({bad, 1}); }), ErrorKind::kInvariant);
  EXPECT_EQ(kind([&] { resample_right({five, 1}, 0, 0); }), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
