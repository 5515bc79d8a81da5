#include "models/kernels/panels.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "models/kernels/panels_reference.h"

namespace plumb::models::kernels {
namespace {

// Each needs the one before.
// clang-format off
#include "models/kernels/vector_math.inc"
#include "models/kernels/panels_testing.inc"
#include "models/kernels/panels_block_testing.inc"
// clang-format on

TYPED_TEST_SUITE(Panels, ElementTypes);

// Every size around the tiles: 32 tokens, 14 or 32 rows, 16 lanes, pairs, 32 features; widths that
// end inside each.
const BlockShape kShapes[] = {
    {1, 1, 2, 1, 1, 2, 1, 1e-5f},       {2, 31, 20, 2, 1, 10, 7, 1e-5f},
    {3, 32, 33, 3, 3, 12, 63, 1e-5f},   {1, 33, 64, 4, 2, 16, 64, 1e-5f},
    {2, 63, 65, 1, 1, 64, 65, 1e-5f},   {1, 64, 96, 6, 2, 34, 129, 1e-5f},
    {2, 65, 192, 3, 1, 64, 130, 1e-5f}, {1, 300, 48, 2, 2, 24, 100, 1e-5f}};

template <typename Type>
void expect_reference(const BlockShape& shape) {
  SCOPED_TRACE(::testing::Message() << "T " << shape.tokens << " D " << shape.width << " F "
                                    << shape.feed_forward_width << " head " << shape.head_width);
  const BlockCase<Type> c(shape);
  const auto expected = c.reference();
  double largest = 0;
  for (const auto v : expected) largest = std::max(largest, std::abs(Type::value(v)));
  Panels<Type>::for_each_set([&](const PanelKernels& set) {
    const auto actual = c.run(set);
    double worst = 0;
    for (size_t i = 0; i < actual.size(); ++i)
      worst = std::max(worst, std::abs(Type::value(actual[i]) - Type::value(expected[i])));
    EXPECT_LE(worst, block_tolerance<Type>(largest));
  });
}

TYPED_TEST(Panels, RunABlockAsTheReferenceDoes) {
  for (const BlockShape& shape : kShapes) expect_reference<TypeParam>(shape);
}

TYPED_TEST(Panels, RunABlockWithEveryOptionAsTheReferenceDoes) {
  for (size_t i = 0; i < std::size(kOptions); ++i) {
    SCOPED_TRACE(::testing::Message() << "options " << i);
    for (BlockShape shape : {kShapes[1], kShapes[3], kShapes[5]}) {
      shape.options = kOptions[i];
      expect_reference<TypeParam>(shape);
    }
  }
}

TYPED_TEST(Panels, RotateTheFirstFeaturesOfAHeadOnly) {
  for (const int64_t rotary : {2, 4, 12}) {
    BlockShape shape{2, 65, 40, 3, 1, 12, 30, 1e-5f};
    shape.rotary_width = rotary;
    expect_reference<TypeParam>(shape);
  }
}

TYPED_TEST(Panels, SeeNoKeyBeforeTheWindow) {
  for (const int64_t window : {1, 2, 31, 32, 33, 64, 97, 1000}) {
    SCOPED_TRACE(::testing::Message() << "window " << window);
    BlockShape shape{1, 150, 40, 2, 1, 16, 30, 1e-5f};
    shape.window = window;
    expect_reference<TypeParam>(shape);
  }
}

TYPED_TEST(Panels, GiveATokenTheSameBitsInAnyBatchLengthAndThreadCount) {
  const BlockCase<TypeParam> whole({3, 150, 64, 4, 2, 16, 100, 1e-5f});
  const int threads = at::get_num_threads();
  this->for_each_set([&](const PanelKernels& set) {
    const auto expected = whole.run(set);
    BlockCase<TypeParam> part = whole;
    part.shape.sequences = 1;
    part.shape.tokens = 97;
    part.x.assign(whole.x.begin() + 150 * 64, whole.x.begin() + (150 + 97) * 64);  // sequence 1
    for (const int count : {1, 2, 3}) {
      at::set_num_threads(count);
      EXPECT_EQ(whole.run(set), expected) << count << " threads";
      const auto actual = part.run(set);
      EXPECT_EQ(
          std::memcmp(actual.data(), expected.data() + 150 * 64, actual.size() * sizeof(actual[0])),
          0);
    }
    at::set_num_threads(threads);
  });
}

TYPED_TEST(Panels, WriteOverTheirInput) {
  const BlockCase<TypeParam> c({2, 70, 48, 2, 1, 24, 50, 1e-5f});
  this->for_each_set([&](const PanelKernels& set) {
    const auto expected = c.run(set);
    auto x = c.x;
    (set.*TypeParam::block)(c.shape, c.weights(), c.rotation(), x.data(), x.data());
    EXPECT_EQ(x, expected);
  });
}

TYPED_TEST(Panels, PassEveryBitThroughZeroWeights) {
  BlockCase<TypeParam> c({1, 40, 48, 2, 1, 24, 50, 1e-5f});
  std::fill(c.out.begin(), c.out.end(), typename TypeParam::Element{});
  std::fill(c.down.begin(), c.down.end(), typename TypeParam::Element{});
  c.x[5] = TypeParam::make(0.0);
  c.x[6] = TypeParam::make(-0.0);
  this->for_each_set([&](const PanelKernels& set) {
    EXPECT_EQ(std::memcmp(c.run(set).data(), c.x.data(), c.x.size() * sizeof(c.x[0])), 0);
  });
}

/// `spread` sets how far logits lie apart: at 40 nearly all terms of the softmax vanish.
template <typename Type>
void check_head(int64_t rows, int64_t width, int64_t vocabulary, double spread,
                bool biased = false) {
  using P = Panels<Type>;
  const HeadShape shape{rows, width, vocabulary, 1e-5f, biased ? Norm::kLayer : Norm::kRms};
  const auto gain = P::gains(width, 10);
  const auto w = P::random(vocabulary * width, spread / std::sqrt(static_cast<double>(width)), 11);
  const auto x = P::random(rows * width, 1.0, 12);
  const auto norm_bias = P::gains(width, 13), bias = P::gains(vocabulary, 14);
  HeadWeights weights{gain.data(), w.data()};
  if (biased) weights.norm_bias = norm_bias.data(), weights.unembedding_bias = bias.data();
  std::vector<int64_t> targets;
  for (int64_t r = 0; r < rows; ++r) targets.push_back((r * 7919 + vocabulary - 1) % vocabulary);
  std::vector<float> loss(static_cast<size_t>(rows)), expected_loss = loss;
  std::vector<float> logits(static_cast<size_t>(rows * vocabulary)), expected = logits;
  cross_entropy_reference<typename Type::Element>(shape, weights, x.data(), targets.data(),
                                                  expected_loss.data());
  logits_reference<typename Type::Element>(shape, weights, x.data(), expected.data());
  double largest = 0;
  for (const float v : expected) largest = std::max(largest, static_cast<double>(std::abs(v)));
  // A logit is one product of normed states (each rounded once) with exact weights: sqrt(D)
  // roundings in fp32, one in bf16, times 4 for the norm's own and for chance. The loss is two
  // logits' difference and a log within 2^-21.
  const double roundings =
      Type::kRounding < 0x1p-20 ? 4 * std::sqrt(static_cast<double>(width)) : 4;
  const double tolerance = roundings * Type::kRounding * largest;
  P::for_each_set([&](const PanelKernels& set) {
    (set.*Type::logits)(shape, weights, x.data(), logits.data());
    for (size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(logits[i], expected[i], tolerance) << i;
    (set.*Type::loss)(shape, weights, x.data(), targets.data(), loss.data());
    for (size_t r = 0; r < loss.size(); ++r) {
      ASSERT_NEAR(loss[r], expected_loss[r], 2 * tolerance + 0x1p-21) << "row " << r;
      // From the logits of the same set only the softmax is left: 2^-21 + 4 roundings of the
      // largest logit.
      const float* z = logits.data() + static_cast<int64_t>(r) * vocabulary;
      double sum = 0;
      for (int64_t v = 0; v < vocabulary; ++v) sum += std::exp(static_cast<double>(z[v]));
      EXPECT_NEAR(loss[r], std::log(sum) - static_cast<double>(z[targets[r]]),
                  0x1p-21 + 4 * 0x1p-24 * largest);
    }
  });
}

TYPED_TEST(Panels, MakeTheLossOfTheReferenceAtEverySize) {
  for (const int64_t rows : {1, 31, 32, 33, 100})
    for (const int64_t vocabulary : {1, 13, 14, 15, 31, 32, 33, 63, 64, 65, 1000}) {
      SCOPED_TRACE(::testing::Message() << rows << " rows, vocabulary " << vocabulary);
      check_head<TypeParam>(rows, 33, vocabulary, 3.0);
    }
  check_head<TypeParam>(65, 64, 4097, 1.0);
  check_head<TypeParam>(33, 96, 300, 40.0);
  for (const int64_t rows : {1, 33, 100}) check_head<TypeParam>(rows, 33, 65, 3.0, true);
}

TYPED_TEST(Panels, DoNothingForNoRows) {
  this->for_each_set([&](const PanelKernels& set) {
    (set.*TypeParam::loss)({0, 8, 8, 1e-5f}, {}, nullptr, nullptr, nullptr);
    (set.*TypeParam::logits)({0, 8, 8, 1e-5f}, {}, nullptr, nullptr);
    const BlockShape none{0, 5, 8, 1, 1, 8, 8, 1e-5f};
    (set.*TypeParam::block)(none, {}, {}, nullptr, nullptr);
  });
}

TEST(Exponential, StaysWithinThreeRoundings) {
  double worst = 0;
  for (float x = -87.0f; x <= 88.0f; x += 0.00037f) {
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(
        worst, std::abs(static_cast<double>(exponential(splat(x))[kLanes - 1]) - exact) / exact);
  }
  EXPECT_LE(worst, 3 * 0x1p-24);
  EXPECT_EQ(exponential(splat(0.0f))[0], 1.0f);
  EXPECT_EQ(exponential(splat(-88.0f))[0], 0.0f);
  EXPECT_EQ(exponential(splat(-std::numeric_limits<float>::infinity()))[0], 0.0f);
}

// Of |x|: the exponential's 3 roundings and a few products'; tanh's argument loses what x^3 costs, 4
// roundings of at most 2 |u| <= 20 where the result is not yet 0 or x.
TEST(Gelu, StaysWithinAFewRoundingsOfItsArgument) {
  for (float x = -12.0f; x <= 12.0f; x += 0.00071f) {
    const double exact = static_cast<double>(x);
    const double erf = 0.5 * exact * (1 + std::erf(exact / std::sqrt(2.0)));
    const double tanh =
        0.5 * exact *
        (1 + std::tanh(std::sqrt(2 / M_PI) * (exact + 0.044715 * exact * exact * exact)));
    ASSERT_NEAR(gelu(splat(x))[kLanes - 1], erf, 8 * 0x1p-24 * std::abs(exact)) << x;
    ASSERT_NEAR(gelu_tanh(splat(x))[kLanes - 1], tanh, 12 * 0x1p-24 * std::abs(exact)) << x;
  }
  EXPECT_EQ(gelu(splat(50.0f))[0], 50.0f);
  EXPECT_EQ(gelu_tanh(splat(50.0f))[0], 50.0f);
  EXPECT_EQ(gelu(splat(-50.0f))[0], 0.0f);
}

TEST(Bf16Rounding, TakesTheEvenOneOfTwoNeighboursAtEqualDistance) {
  const auto round = [](float v) { return narrow_bf16(splat(v))[0]; };
  EXPECT_EQ(round(1.0f + 0x1p-8f), 0x3F80);             // halfway: 1.0 is even
  EXPECT_EQ(round(1.0f + 0x1p-7f + 0x1p-8f), 0x3F82);   // halfway: up to the even one
  EXPECT_EQ(round(1.0f + 0x1p-8f + 0x1p-20f), 0x3F81);  // just above
  EXPECT_EQ(((uint32_t)pair_bf16(splat(1.0f), splat(-2.0f))[0]), 0xC0003F80u);
}

}  // namespace
}  // namespace plumb::models::kernels
