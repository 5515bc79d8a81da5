// RMS norm, rotation of heads and their gradients on a device, against their definitions in double.

#include <gtest/gtest.h>

#include <cmath>

#include "models/kernels/device_testing.h"
#include "models/kernels/head_rotation.h"
#include "models/kernels/rms_norm.h"

namespace plumb::models {
namespace {

using testing::DeviceKernels;
using testing::kHalfUnit;
using testing::kHalfUnitOfBf16;
using testing::normal_values;

class NormKernels : public DeviceKernels {};
PLUMB_ON_DEVICES(NormKernels);

constexpr float kEpsilon = 1e-2f;  // of the values' size, so that where it stands shows
// Ends of a thread's four, of a block's 128 and of its 512; a real width, and one that no four divides.
constexpr int64_t kWidths[] = {1, 3, 4, 127, 128, 130, 512, 516, 576, 2561};

/// Additions that a value of a sum of `width` squares goes through, each half a unit, and some products.
double roundings(int64_t width, int64_t threads) {
  return static_cast<double>(width / threads) + 24;
}

TEST_P(NormKernels, NormIsTheDefinitions) {
  for (const int64_t width : kWidths)
    for (const Element x_type : {Element::kFp32, Element::kBf16})
      for (const Element y_type : {Element::kFp32, Element::kBf16}) {
        const int64_t rows = 5;
        auto x = normal_values(rows * width, 1), gain = normal_values(width, 2);
        RmsNorm n{
            .x_type = x_type, .y_type = y_type, .rows = rows, .width = width, .epsilon = kEpsilon};
        n.x = up_as(x_type, x);
        n.gain = up(gain);
        auto blank = std::vector<float>(x.size(), 42);
        n.y = const_cast<void*>(up_as(y_type, blank));
        expect_done(table().rms_norm(&n, nullptr));
        std::vector<double> needed(x.size());
        rms_norm_reference(x.data(), gain.data(), kEpsilon, rows, width, needed.data());
        const double bound = roundings(width, kNormThreads) * kHalfUnit +
                             (y_type == Element::kBf16 ? kHalfUnitOfBf16 : 0);
        const auto found = down_as(y_type, n.y, x.size());
        for (size_t i = 0; i < x.size(); ++i)
          ASSERT_NEAR(found[i], needed[i], bound * std::abs(needed[i]) + 1e-37)
              << width << " value " << i;
      }
}

TEST_P(NormKernels, GradientIsTheDefinitions) {
  for (const int64_t width : kWidths)
    for (const Element type : {Element::kFp32, Element::kBf16})
      for (const bool in_place : {false, true}) {
        const int64_t rows = 4;
        auto x = normal_values(rows * width, 3);
        const auto gain = normal_values(width, 4), gradient = normal_values(rows * width, 5);
        RmsNormGradient n{.x_type = type, .rows = rows, .width = width, .epsilon = kEpsilon};
        n.x = up_as(type, x);
        n.gain = up(gain);
        float* g = up(gradient);
        n.gradient = g;
        n.dx = in_place ? g : up(std::vector<float>(x.size(), 42));
        expect_done(table().rms_norm_gradient(&n, nullptr));
        std::vector<double> needed(x.size());
        rms_norm_gradient_reference(x.data(), gain.data(), gradient.data(), kEpsilon, rows, width,
                                    needed.data());
        const auto found = down(n.dx, x.size());
        for (int64_t row = 0; row < rows; ++row) {
          double squares = 0, size = 0;  // what the sums are made of, without cancelling
          const auto at = [&](int64_t i) { return static_cast<size_t>(row * width + i); };
          for (int64_t i = 0; i < width; ++i) {
            squares += double{x[at(i)]} * x[at(i)];
            size += std::abs(double{gradient[at(i)]} * gain[static_cast<size_t>(i)] * x[at(i)]);
          }
          const double factor = 1 / std::sqrt(squares / static_cast<double>(width) + kEpsilon);
          for (int64_t i = 0; i < width; ++i) {
            const double scale =
                factor * (std::abs(double{gradient[at(i)]} * gain[static_cast<size_t>(i)]) +
                          std::abs(x[at(i)]) * factor * factor * size / static_cast<double>(width));
            ASSERT_NEAR(found[at(i)], needed[at(i)],
                        2 * roundings(width, kNormThreads) * kHalfUnit * scale + 1e-37)
                << width << " row " << row << " value " << i;
          }
        }
      }
}

/// Heads as columns of a wider product, with angles.
struct Heads {
  HeadRotation shape;
  std::vector<float> x, gradient, cosine, sine, gain;
  int64_t offset = 0;  ///< of the first head in a row
};

Heads heads(int64_t rows, int64_t tokens, int64_t count, int64_t width, int64_t half, bool normed) {
  Heads h;
  h.offset = 3;
  HeadRotation& s = h.shape;
  s = {};
  s.rows = rows;
  s.tokens = tokens;
  s.heads = count;
  s.width = width;
  s.half = half;
  s.epsilon = kEpsilon;
  s.x_stride = count * width + 7;
  s.y_stride = count * width + 2;
  s.dx_stride = count * width + 5;
  h.x = normal_values(rows * s.x_stride + h.offset, 6);
  h.gradient = normal_values(rows * s.y_stride, 7);
  h.gain = normed ? normal_values(width, 8) : std::vector<float>();
  for (int64_t i = 0; i < tokens * half; ++i) {
    h.cosine.push_back(static_cast<float>(std::cos(0.7 * static_cast<double>(i))));
    h.sine.push_back(static_cast<float>(std::sin(0.7 * static_cast<double>(i))));
  }
  return h;
}

/// Heads side by side out of rows of `stride` values.
std::vector<float> gathered(const std::vector<float>& values, const HeadRotation& s, int64_t stride,
                            int64_t offset) {
  std::vector<float> out;
  for (int64_t row = 0; row < s.rows; ++row)
    for (int64_t i = 0; i < s.heads * s.width; ++i)
      out.push_back(values[static_cast<size_t>(offset + row * stride + i)]);
  return out;
}

struct Shape {
  int64_t rows, tokens, heads, width, half;
};
constexpr Shape kShapes[] = {{1, 1, 1, 2, 1},   {6, 3, 3, 8, 4},    {7, 7, 5, 64, 32},
                             {4, 2, 2, 80, 16}, {3, 3, 9, 128, 64}, {2, 1, 1, 256, 128},
                             {5, 5, 2, 33, 16}, {2, 2, 3, 40, 0}};

TEST_P(NormKernels, RotationAndItsGradientAreTheDefinitions) {
  for (const Shape& shape : kShapes)
    for (const bool normed : {false, true})
      for (const Element type : {Element::kFp32, Element::kBf16}) {
        Heads h = heads(shape.rows, shape.tokens, shape.heads, shape.width, shape.half, normed);
        HeadRotation s = h.shape;
        s.x_type = type;
        const void* x = up_as(type, h.x);
        s.x = type == Element::kFp32
                  ? static_cast<const void*>(static_cast<const float*>(x) + h.offset)
                  : static_cast<const Bf16*>(x) + h.offset;
        s.gain = normed ? up(h.gain) : nullptr;
        s.cosine = up(h.cosine);
        s.sine = up(h.sine);
        const auto y_size = static_cast<size_t>(s.rows * s.y_stride);
        s.y = up(std::vector<float>(y_size, 42));
        expect_done(table().rotate_heads(&s, nullptr));
        HeadRotation back = s;
        back.y = up(h.gradient);
        const auto dx_size = static_cast<size_t>(s.rows * s.dx_stride);
        back.dx = up(std::vector<float>(dx_size, 42));
        expect_done(table().rotate_heads_gradient(&back, nullptr));

        HeadRotation plain = h.shape;
        plain.gain = normed ? h.gain.data() : nullptr;
        plain.cosine = h.cosine.data();
        plain.sine = h.sine.data();
        const auto flat = gathered(h.x, s, s.x_stride, h.offset);
        const auto g = gathered(h.gradient, s, s.y_stride, 0);
        std::vector<double> needed(flat.size()), needed_dx(flat.size());
        rotate_heads_reference(plain, flat.data(), needed.data());
        rotate_heads_gradient_reference(plain, flat.data(), g.data(), needed_dx.data());
        const auto all_y = down(s.y, y_size), all_dx = down(back.dx, dx_size);
        const auto y = gathered(all_y, s, s.y_stride, 0), dx = gathered(all_dx, s, s.dx_stride, 0);
        // Of a head's largest values: a normed one has at most sqrt(width) |gain|, a gradient as much / root mean square.
        for (size_t first = 0; first < flat.size(); first += static_cast<size_t>(s.width)) {
          double largest = 0, largest_dx = 0;
          for (size_t i = first; i < first + static_cast<size_t>(s.width); ++i) {
            largest = std::max(largest, std::abs(needed[i]));
            largest_dx = std::max(largest_dx, std::abs(needed_dx[i]) + std::abs(g[i]));
          }
          if (normed) {
            double squares = 0;
            for (size_t i = first; i < first + static_cast<size_t>(s.width); ++i)
              squares += double{flat[i]} * flat[i];
            largest_dx *= 1 + 4 / std::sqrt(squares / static_cast<double>(s.width) + kEpsilon);
          }
          const double bound = 4 * roundings(s.width, kWarp) * kHalfUnit;
          for (size_t i = first; i < first + static_cast<size_t>(s.width); ++i) {
            ASSERT_NEAR(y[i], needed[i], bound * largest) << shape.width << " value " << i;
            ASSERT_NEAR(dx[i], needed_dx[i], bound * largest_dx) << shape.width << " value " << i;
          }
        }
        // What lies between the rows is the caller's.
        for (int64_t row = 0; row < s.rows; ++row)
          for (int64_t i = s.heads * s.width; i < s.y_stride; ++i)
            ASSERT_EQ(all_y[static_cast<size_t>(row * s.y_stride + i)], 42);
      }
}

TEST_P(NormKernels, RefuseArgumentsThatCannotBe) {
  RmsNorm n{.rows = 2, .width = 4};
  EXPECT_STREQ(table().rms_norm(&n, nullptr), "a pointer is null");
  n.rows = -1;
  EXPECT_STREQ(table().rms_norm(&n, nullptr), "a size is negative");
  n.rows = 0;
  EXPECT_EQ(table().rms_norm(&n, nullptr), nullptr);
  n = {.x_type = static_cast<Element>(7), .rows = 1, .width = 1};
  EXPECT_STREQ(table().rms_norm(&n, nullptr), "the type of the values is unknown");
  n = {.rows = int64_t{1} << 31, .width = 4};
  float one = 0;
  n.x = n.gain = &one;
  n.y = &one;
  EXPECT_STREQ(table().rms_norm(&n, nullptr), "more blocks of threads are needed than a grid has");
  RmsNormGradient g{.rows = 2, .width = 0};
  EXPECT_STREQ(table().rms_norm_gradient(&g, nullptr), "a norm of rows without values");
  HeadRotation h = heads(2, 2, 2, 8, 5, false).shape;
  EXPECT_STREQ(table().rotate_heads(&h, nullptr), "more features are rotated than a head has");
  h.half = 4;
  h.x_stride = 15;
  EXPECT_STREQ(table().rotate_heads(&h, nullptr), "a stride is below the width of a row");
}

}  // namespace
}  // namespace plumb::models
