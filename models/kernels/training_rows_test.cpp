// Every set of training's row kernels against the portable one, on shapes that no vector divides. healing/trained_block_test.cpp holds
// the machine's best set to fp64.

#include "models/kernels/training_rows.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"

namespace plumb::models::kernels {
namespace {

constexpr int64_t kRows = 5, kWidth = 37, kRank = 11;

uint16_t as_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}
float from_bf16(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }

/// Numbers of one of both types, kept in the bytes of floats.
class Values {
 public:
  Values(int64_t count, bool narrow, uint64_t stream, double size = 1)
      : narrow_(narrow), bytes_(static_cast<size_t>(count)), count_(count) {
    Rng rng(3, stream);
    for (int64_t i = 0; i < count; ++i) set(i, static_cast<float>(size * (2 * rng.uniform() - 1)));
  }
  void set(int64_t i, float value) {
    if (narrow_)
      reinterpret_cast<uint16_t*>(bytes_.data())[i] = as_bf16(value);
    else
      bytes_[static_cast<size_t>(i)] = value;
  }
  float operator[](int64_t i) const {
    return narrow_ ? from_bf16(reinterpret_cast<const uint16_t*>(bytes_.data())[i])
                   : bytes_[static_cast<size_t>(i)];
  }
  void* data() { return bytes_.data(); }
  float* floats() { return bytes_.data(); }
  int64_t size() const { return count_; }

 private:
  bool narrow_;
  std::vector<float> bytes_;
  int64_t count_;
};

struct Types {
  const char* name;
  TrainingRows TrainingKernels::*rows;
  bool states, products;  ///< bf16
};
constexpr Types kTypes[] = {{"bf16", &TrainingKernels::bf16, true, true},
                            {"bf16 and fp32", &TrainingKernels::bf16_fp32, true, false},
                            {"fp32", &TrainingKernels::fp32, false, false}};

/// run(rows, types) -> Values, of every set that runs here and of the portable one. Sums of 40 in another order, and another
/// reciprocal: 2^-18 of the largest value; a bf16 may fall to its neighbour, 2^-7.
template <typename Run>
void expect_same(const char* what, const Run& run) {
  for (const Types& types : kTypes)
    for (const TrainingKernels* set : all_training_kernels()) {
      if (!set->supported()) continue;
      Values found = run(set->*types.rows, types);
      Values needed = run(all_training_kernels().back()->*types.rows, types);
      float largest = 0;
      for (int64_t i = 0; i < needed.size(); ++i) largest = std::max(largest, std::abs(needed[i]));
      ASSERT_GT(largest, 0) << what;
      for (int64_t i = 0; i < needed.size(); ++i) {
        const float allowed =
            largest * 0x1p-18f + (types.states ? std::abs(needed[i]) * 0x1p-7f : 0);
        ASSERT_NEAR(found[i], needed[i], allowed)
            << what << ", " << set->name << ", " << types.name << ", " << i;
      }
    }
}

TEST(TrainingRows, OfEverySetAreThePortableOnes) {
  Values gain(kWidth, false, 1), bias(kWidth, false, 2), plus(kRows * kWidth, false, 3);
  for (const Norm kind : {Norm::kRms, Norm::kLayer}) {
    const NormOfRows norm{kind, gain.floats(), kind == Norm::kLayer ? bias.floats() : nullptr,
                          1e-5f};
    expect_same("norm", [&](const TrainingRows& rows, const Types& t) {
      Values x(kRows * kWidth, t.states, 4), out(kRows * kWidth, t.products, 5);
      rows.norm(norm, x.data(), kRows, kWidth, out.data());
      return out;
    });
    for (const float* added : {plus.floats(), static_cast<float*>(nullptr)})
      expect_same("norm's gradient", [&](const TrainingRows& rows, const Types& t) {
        Values x(kRows * kWidth, t.states, 4), g(kRows * kWidth, t.products, 6);
        Values out(kRows * kWidth, false, 5);
        rows.norm_gradient(norm, x.data(), g.data(), added, kRows, kWidth, out.floats());
        return out;
      });
  }
  for (const bool gated : {true, false}) {
    const int64_t inner = gated ? 2 * kWidth : kWidth;
    expect_same("silu", [&](const TrainingRows& rows, const Types& t) {
      Values x(kRows * inner, t.states, 7, 9), out(kRows * kWidth, t.products, 5);
      rows.silu(gated, x.data(), kRows, kWidth, out.data());
      return out;
    });
    expect_same("silu's gradient", [&](const TrainingRows& rows, const Types& t) {
      Values x(kRows * inner, t.states, 7, 9), g(kRows * kWidth, t.products, 6);
      Values out(kRows * inner, t.products, 5);
      rows.silu_gradient(gated, x.data(), g.data(), kRows, kWidth, out.data());
      return out;
    });
  }
}

TEST(TrainingRows, OfLowRankAreTheSums) {
  Values m(kRank * kWidth, false, 10), low(kRows * kRank, false, 11), bias(kWidth + 9, false, 12);
  const LowRankPart part{low.floats(), kRank, m.floats(), kRank, 4, kWidth};
  expect_same("finish", [&](const TrainingRows& rows, const Types& t) {
    const int64_t columns = kWidth + 9;
    Values y(kRows * columns, t.products, 13), plus(kRows * columns, t.states, 14);
    Values out(kRows * columns, t.states, 5);
    rows.finish(y.data(), kRows, columns, bias.floats(), std::span(&part, 1), 0.5f, plus.data(),
                out.data());
    for (int64_t n = 0; n < kRows; ++n)
      for (int64_t c = 0; c < columns; ++c) {
        double sum = y[n * columns + c] + bias[c] + plus[n * columns + c];
        for (int64_t r = 0; r < kRank && c >= 4 && c < 4 + kWidth; ++r)
          sum += 0.5 * low[n * kRank + r] * m[r * kWidth + c - 4];
        EXPECT_NEAR(out[n * columns + c], sum, t.states ? 0x1p-8 * std::abs(sum) + 1e-5 : 1e-5);
      }
    return out;
  });
  expect_same("low", [&](const TrainingRows& rows, const Types& t) {
    Values x(kRows * kWidth, t.products, 15), out(kRows * kRank, false, 5);
    rows.low(x.data(), kWidth, kRows, kWidth, m.floats(), kRank, out.floats(), kRank);
    for (int64_t n = 0; n < kRows; ++n)
      for (int64_t r = 0; r < kRank; ++r) {
        double sum = 0;
        for (int64_t c = 0; c < kWidth; ++c) sum += x[n * kWidth + c] * m[r * kWidth + c];
        EXPECT_NEAR(out[n * kRank + r], sum, 1e-5);
      }
    return out;
  });
  expect_same("outer", [&](const TrainingRows& rows, const Types& t) {
    Values x(kRows * kWidth, t.products, 15), sums(kRank * kWidth, false, 16);
    const Values before = sums;
    rows.outer(x.data(), kWidth, kRows, kWidth, low.floats(), kRank, kRank, 2.0f, 0, 32,
               sums.floats());
    rows.outer(x.data(), kWidth, kRows, kWidth, low.floats(), kRank, kRank, 2.0f, 32, kWidth,
               sums.floats());
    for (int64_t r = 0; r < kRank; ++r)
      for (int64_t c = 0; c < kWidth; ++c) {
        double sum = before[r * kWidth + c];
        for (int64_t n = 0; n < kRows; ++n) sum += 2.0 * low[n * kRank + r] * x[n * kWidth + c];
        EXPECT_NEAR(sums[r * kWidth + c], sum, 1e-5);
      }
    return sums;
  });
}

TEST(TrainingRows, OfTheLossAreTheDefinition) {
  const int64_t targets[kRows] = {0, 36, 5, 16, 31};
  expect_same("cross-entropy", [&](const TrainingRows& rows, const Types& t) {
    Values logits(kRows * kWidth, t.products, 20, 20), losses(kRows, false, 5);
    const Values before = logits;
    rows.cross_entropy(logits.data(), kRows, kWidth, targets, losses.floats());
    for (int64_t n = 0; n < kRows; ++n) {
      double sum = 0;
      for (int64_t v = 0; v < kWidth; ++v)
        sum += std::exp(static_cast<double>(before[n * kWidth + v]));
      for (int64_t v = 0; v < kWidth; ++v) {
        const double p = std::exp(static_cast<double>(before[n * kWidth + v])) / sum;
        const double needed = p - (v == targets[n] ? 1 : 0);
        EXPECT_NEAR(logits[n * kWidth + v], needed,
                    t.products ? 0x1p-8 * std::abs(needed) + 1e-6 : 1e-6);
      }
      EXPECT_NEAR(losses[n], std::log(sum) - before[n * kWidth + targets[n]], 1e-5);
    }
    return logits;
  });
}

TEST(TrainingRows, ShowALogitThatIsNotFinite) {
  const int64_t targets[kRows] = {};
  for (const Types& types : kTypes)
    for (const TrainingKernels* set : all_training_kernels())
      for (const float bad :
           {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
        for (const int64_t place : {3, 35}) {
          if (!set->supported()) continue;
          Values logits(kRows * kWidth, types.products, 20), losses(kRows, false, 5);
          logits.set(kWidth + place, bad);
          (set->*types.rows).cross_entropy(logits.data(), kRows, kWidth, targets, losses.floats());
          EXPECT_TRUE(std::isnan(losses[1])) << set->name << ", " << types.name;
          EXPECT_TRUE(std::isfinite(losses[0]) && std::isfinite(losses[2]));
        }
}

TEST(TrainingRows, OfAttentionSeeWhatCameBefore) {
  constexpr int64_t heads = 2, count = 3, keys = 21, first = 18;
  for (const TrainingKernels* set : all_training_kernels()) {
    if (!set->supported()) continue;
    Values scores(heads * count * keys, false, 30, 5), gradient(heads * count * keys, false, 31);
    const Values before = scores, given = gradient;
    set->softmax(scores.floats(), heads, count, keys, first);
    set->softmax_gradient(gradient.floats(), scores.floats(), heads, count, keys, first);
    for (int64_t n = 0; n < heads * count; ++n) {
      const int64_t seen = first + n % count + 1;
      double sum = 0, along = 0;
      for (int64_t k = 0; k < seen; ++k) sum += std::exp(static_cast<double>(before[n * keys + k]));
      for (int64_t k = 0; k < seen; ++k)
        along += std::exp(static_cast<double>(before[n * keys + k])) / sum * given[n * keys + k];
      for (int64_t k = 0; k < keys; ++k) {
        const double p = k < seen ? std::exp(static_cast<double>(before[n * keys + k])) / sum : 0;
        EXPECT_NEAR(scores[n * keys + k], p, 1e-6) << set->name;
        EXPECT_NEAR(gradient[n * keys + k], p * (given[n * keys + k] - along), 1e-6) << set->name;
      }
    }
  }
}

// What is turned and turned back is what it was, times both scales.
TEST(TrainingRows, TurnBackWhatTheyTurned) {
  constexpr int64_t T = 3, heads = 2, W = 41, half = 17, stride = 100;
  Values angles(T * half, false, 40, 3), cosine(T * half, false, 41), sine(T * half, false, 42);
  for (int64_t i = 0; i < T * half; ++i)
    cosine.set(i, std::cos(angles[i])), sine.set(i, std::sin(angles[i]));
  const RotationOfRows turn{cosine.floats(), sine.floats(), half};
  expect_same("rotation", [&](const TrainingRows& rows, const Types& t) {
    Values x(T * stride, t.states, 43), turned(heads * T * W, false, 5),
        back(T * stride, t.products, 44);
    rows.rotate(turn, x.data(), stride, T, heads, W, 2.0f, turned.floats());
    rows.rotate_back(turn, turned.floats(), stride, T, heads, W, 0.5f, back.data());
    for (int64_t row = 0; row < T; ++row)
      for (int64_t i = 0; i < heads * W; ++i)
        EXPECT_NEAR(back[row * stride + i], x[row * stride + i], t.products ? 0x1p-8 : 1e-6);
    const double a = x[0], b = x[half];
    EXPECT_NEAR(turned[0], 2 * (a * cosine[0] - b * sine[0]), 1e-5);
    return turned;
  });
}

}  // namespace
}  // namespace plumb::models::kernels
