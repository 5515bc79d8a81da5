// What healing does on a device beside products of the frozen weights: the adapters' product, the loss with its gradient, AdamW.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/kernels/adamw_step.h"
#include "models/kernels/cross_entropy_gradient.h"
#include "models/kernels/device_testing.h"
#include "models/kernels/lora_product.h"

namespace plumb::models {
namespace {

using testing::DeviceKernels;
using testing::kHalfUnit;
using testing::kHalfUnitOfBf16;
using testing::normal_values;

class TrainingKernels : public DeviceKernels {};
PLUMB_ON_DEVICES(TrainingKernels);

TEST_P(TrainingKernels, LoraProductIsTheDefinitions) {
  struct Shape {
    int64_t rows, in, rank, out, gap;
  };
  for (const Shape s : {Shape{1, 1, 1, 1, 0},
                        {4, 576, 8, 256, 0},
                        {5, 577, 7, 257, 3},
                        {9, 128, 64, 1024, 0},
                        {3, 1536, 2, 576, 5},
                        {2, 12, 256, 300, 0}})
    for (const Element type : {Element::kFp32, Element::kBf16}) {
      auto x = normal_values(s.rows * s.in, 1);
      const auto a = normal_values(s.rank * s.in, 2), b = normal_values(s.out * s.rank, 3);
      LoraProduct p{.x_type = type,
                    .rows = s.rows,
                    .in = s.in,
                    .rank = s.rank,
                    .out = s.out,
                    .y_stride = s.out + s.gap,
                    .scale = 0.75f};
      const auto y = normal_values(s.rows * p.y_stride, 4);
      p.x = up_as(type, x);
      p.a = up(a);
      p.b = up(b);
      const auto low_size = static_cast<size_t>(s.rows * s.rank);
      p.low = up(std::vector<float>(low_size, 42));
      p.y = up(y);
      expect_done(table().lora_product(&p, nullptr));
      const auto low = down(p.low, low_size), found = down(p.y, y.size());
      std::vector<double> needed_low(low_size), needed;
      for (int64_t row = 0; row < s.rows; ++row)
        for (int64_t i = 0; i < s.out; ++i)
          needed.push_back(y[static_cast<size_t>(row * p.y_stride + i)]);
      LoraProduct plain = p;
      plain.a = a.data();
      plain.b = b.data();
      lora_product_reference(plain, x.data(), needed_low.data(), needed.data());
      for (int64_t row = 0; row < s.rows; ++row) {
        std::vector<double> low_sizes(static_cast<size_t>(s.rank));
        const double low_steps = static_cast<double>(s.in) / kWarp + 10;
        for (int64_t r = 0; r < s.rank; ++r) {
          double& size = low_sizes[static_cast<size_t>(r)];
          for (int64_t i = 0; i < s.in; ++i)
            size += std::abs(double{a[static_cast<size_t>(r * s.in + i)]} *
                             x[static_cast<size_t>(row * s.in + i)]);
          const auto at = static_cast<size_t>(row * s.rank + r);
          ASSERT_NEAR(low[at], needed_low[at], low_steps * kHalfUnit * size);
        }
        for (int64_t i = 0; i < s.out; ++i) {
          double size = 0;
          for (int64_t r = 0; r < s.rank; ++r)
            size += std::abs(b[static_cast<size_t>(i * s.rank + r)]) *
                    low_sizes[static_cast<size_t>(r)];
          const double steps = low_steps + static_cast<double>(s.rank) + 3;
          const double before = y[static_cast<size_t>(row * p.y_stride + i)];
          ASSERT_NEAR(found[static_cast<size_t>(row * p.y_stride + i)],
                      needed[static_cast<size_t>(row * s.out + i)],
                      steps * kHalfUnit * (0.75 * size + std::abs(before)));
        }
        for (int64_t i = s.out; i < p.y_stride; ++i)
          ASSERT_EQ(found[static_cast<size_t>(row * p.y_stride + i)],
                    y[static_cast<size_t>(row * p.y_stride + i)]);
      }
    }
}

TEST_P(TrainingKernels, LossAndGradientAreTheDefinitions) {
  for (const int64_t vocabulary : {1, 2, 5, 255, 256, 1024, 1025, 4099})
    for (const Element type : {Element::kFp32, Element::kBf16})
      for (const bool gradient : {true, false}) {
        const int64_t rows = 4;
        auto logits = normal_values(rows * vocabulary, 5, 6);
        if (vocabulary > 4) logits[3] = 300;  // beyond what exp can be taken of alone
        std::vector<int64_t> targets;
        for (int64_t row = 0; row < rows; ++row)
          targets.push_back((row * 7919 + vocabulary - 1) % vocabulary);
        CrossEntropy c{.type = type,
                       .rows = rows,
                       .vocabulary = vocabulary,
                       .scale = 0.25f,
                       .gradient = gradient};
        c.logits = const_cast<void*>(up_as(type, logits));
        c.targets = up(targets);
        c.losses = up(std::vector<float>(static_cast<size_t>(rows), 42));
        expect_done(table().cross_entropy(&c, nullptr));
        std::vector<double> losses(static_cast<size_t>(rows)), needed(logits.size());
        cross_entropy_reference(logits.data(), targets.data(), 0.25, rows, vocabulary,
                                losses.data(), needed.data());
        const auto found_losses = down(c.losses, losses.size());
        const auto found = down_as(type, c.logits, logits.size());
        // exp, its rescaling and log err by two units each; a thread's terms and the joins by half of one.
        const double steps = static_cast<double>(vocabulary) / kLossThreads + 40;
        for (int64_t row = 0; row < rows; ++row) {
          const auto at = static_cast<size_t>(row);
          const float* own = logits.data() + row * vocabulary;
          const double top = *std::max_element(own, own + vocabulary);
          ASSERT_NEAR(found_losses[at], losses[at],
                      steps * kHalfUnit * (1 + std::abs(losses[at]) + std::abs(top)));
          for (int64_t i = 0; i < vocabulary; ++i) {
            const auto k = static_cast<size_t>(row * vocabulary + i);
            if (!gradient) {
              ASSERT_EQ(found[k], logits[k]);
              continue;
            }
            const double p = needed[k] / 0.25 + (i == targets[at] ? 1 : 0);
            const double bound =
                0.25 * kHalfUnit * (p * (steps + 2 * std::abs(own[i] - top)) + 4) +
                (type == Element::kBf16 ? kHalfUnitOfBf16 * std::abs(needed[k]) : 0);
            ASSERT_NEAR(found[k], needed[k], bound) << vocabulary << " row " << row << " " << i;
          }
        }
      }
}

TEST_P(TrainingKernels, LossShowsWhatIsWrongWithARow) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> logits = normal_values(6 * 300, 6);
  logits[300 + 17] = std::numeric_limits<float>::quiet_NaN();
  std::fill(logits.begin() + 600, logits.begin() + 899, -kInfinity);  // all but the last
  logits[1500 + 2] = std::numeric_limits<float>::quiet_NaN();         // behind nothing but -inf
  std::fill(logits.begin() + 1500, logits.begin() + 1502, -kInfinity);
  logits[1500 + 3] = -kInfinity;
  CrossEntropy c{.rows = 6, .vocabulary = 300, .scale = 1, .gradient = true};
  c.logits = up(logits);
  c.targets = up(std::vector<int64_t>{5, 5, 299, -1, 300, 5});
  c.losses = up(std::vector<float>(6));
  expect_done(table().cross_entropy(&c, nullptr));
  const auto losses = down(c.losses, 6);
  const auto gradient = down(static_cast<const float*>(c.logits), logits.size());
  EXPECT_TRUE(std::isfinite(losses[0]));
  EXPECT_TRUE(std::isnan(losses[1]) && std::isnan(losses[5])) << "a NaN is not passed over";
  EXPECT_EQ(losses[2], 0) << "the only token that can come";
  EXPECT_EQ(gradient[600], 0);
  for (const size_t row : {3u, 4u}) {
    EXPECT_TRUE(std::isnan(losses[row])) << "a target outside of the vocabulary";
    for (size_t i = 0; i < 300; ++i) ASSERT_EQ(gradient[300 * row + i], 0);
  }
}

TEST_P(TrainingKernels, AdamWStepsAsTheDefinition) {
  for (const int64_t count : {1, 3, 4, 5, 1023, 1024, 1027, 5000}) {
    auto p = normal_values(count, 7), m = normal_values(count, 8, 0.1),
         v = normal_values(count, 9, 0.01);
    for (float& value : v) value = std::abs(value);
    const auto g = normal_values(count, 10, 0.3);
    for (const double decay : {0.0, 0.1}) {
      AdamWStep s = adamw_factors(3e-3, 0.9, 0.999, 1e-8, decay, 7, 0.5);
      s.count = count;
      s.parameters = up(p);
      s.first = up(m);
      s.second = up(v);
      s.gradients = up(g);
      AdamWStep plain = s;
      plain.parameters = p.data();
      plain.first = m.data();
      plain.second = v.data();
      plain.gradients = g.data();
      const auto before = p;
      expect_done(table().adamw_step(&s, nullptr));
      adamw_reference(plain);
      const auto size = static_cast<size_t>(count);
      const auto found = down(s.parameters, size), first = down(s.first, size),
                 second = down(s.second, size);
      for (size_t i = 0; i < size; ++i) {
        // Some roundings of each operand; the step itself is of the learning rate's size at most some times.
        ASSERT_NEAR(first[i], m[i], 6 * kHalfUnit * (std::abs(m[i]) + std::abs(g[i])));
        ASSERT_NEAR(second[i], v[i], 6 * kHalfUnit * (v[i] + g[i] * g[i]));
        ASSERT_NEAR(
            found[i], p[i],
            16 * kHalfUnit * (std::abs(p[i]) + std::abs(p[i] - before[i])) + 1e-9 * kHalfUnit);
      }
    }
  }
}

TEST_P(TrainingKernels, RefuseArgumentsThatCannotBe) {
  LoraProduct p{.rows = 1, .in = 4, .rank = 257, .out = 4, .y_stride = 4};
  EXPECT_STREQ(table().lora_product(&p, nullptr), "the rank is above 256");
  p.rank = 2;
  p.y_stride = 3;
  EXPECT_STREQ(table().lora_product(&p, nullptr), "a stride is below the width of a row");
  p.rows = 0;
  EXPECT_EQ(table().lora_product(&p, nullptr), nullptr);
  CrossEntropy c{.rows = 1, .vocabulary = 0};
  EXPECT_STREQ(table().cross_entropy(&c, nullptr), "a loss over no vocabulary");
  float* floats = up(std::vector<float>(64));
  AdamWStep s{.parameters = floats,
              .first = floats + 16,
              .second = floats + 32,
              .gradients = floats + 49,
              .count = 8};
  EXPECT_STREQ(table().adamw_step(&s, nullptr), "an array is not aligned to 16 bytes");
  s.count = 0;
  EXPECT_EQ(table().adamw_step(&s, nullptr), nullptr);
}

}  // namespace
}  // namespace plumb::models
