#pragma once

#include <array>

#include "models/kernels/kernel_checks.h"
#include "models/kernels/nf4_arithmetic.h"
#include "models/kernels/thread_block.h"

/// y = x W^T with W in NF4, dequantised in registers: for so few rows of x that reading W is what takes the time. models/device.h has
/// shapes and limits; above some rows a dequantised W and a product of the device's library are faster.
///
/// A warp has kProductRows rows of W. In each step of 1024 columns a lane reads 16 bytes of each row's codes, 32 weights that
/// share a scale; x lies in shared memory, turned so that what the lanes read together are neighbours (a lane's 32 values are
/// kProductLane apart). Levels are summed first and scaled once a step.
namespace plumb::models {

inline constexpr int kProductThreads = 256;
inline constexpr int kProductRows = 4;  ///< of W, a warp
inline constexpr int64_t kProductBlockRows = kProductRows * (kProductThreads / kWarp);
inline constexpr int kProductLaneWeights = 32;
inline constexpr int64_t kProductStep = int64_t{kWarp} * kProductLaneWeights;  ///< columns
inline constexpr int kProductLane =
    kWarp + 1;                               ///< one more than the lanes: writes meet no bank twice
inline constexpr int kMostProductBatch = 8;  ///< rows of x in one launch

inline int64_t product_blocks(const Nf4Product& p) {
  return (p.weight.rows + kProductBlockRows - 1) / kProductBlockRows;
}
inline size_t product_shared_bytes(int batch) {
  return sizeof(float) * (16 + static_cast<size_t>(batch) * kProductLaneWeights * kProductLane);
}

inline const char* refusal(const Nf4Product& p) {
  const Nf4Matrix& w = p.weight;
  if (any_negative({w.rows, w.columns, p.batch})) return kNegativeArgument;
  if (!is_known(p.x_type)) return kUnknownElement;
  if (p.batch == 0 || w.rows == 0) return nullptr;
  if (w.columns == 0 || w.columns % kNf4Block != 0)
    return "the columns are no multiple of 64: dequantise the matrix and multiply";
  if (any_null({w.codes, p.x, p.y}) ||
      (w.absmax == nullptr && any_null({w.scale_codes, w.scales, w.map})))
    return kNullArgument;
  if (!is_aligned(w.codes, 16)) return "the codes are not aligned to 16 bytes";
  return product_blocks(p) > kMostBlocks ? kTooLarge : nullptr;
}

/// The definition: weights dequantised one by one, sums in double. x [batch, columns] fp32, y [batch, rows].
void nf4_product_reference(const Nf4Matrix& weight, const float* x, int64_t batch, double* y);

/// Rows [first, first + kBatch) of x.
template <int kBatch, typename X, typename Block>
PLUMB_KERNEL_CODE void nf4_product_block(Block& block, const Nf4Product& p, int64_t first,
                                         const std::array<float, 16>& table) {
  using Sums = std::array<float, static_cast<size_t>(kProductRows * kBatch)>;
  const Nf4Matrix& w = p.weight;
  const X* x = static_cast<const X*>(p.x) + first * w.columns;
  float* levels = block.template shared<float>();
  float* states = levels + 16;
  typename Block::template Private<Sums> sums;
  block.each([&](int thread) {
    if (thread < 16) levels[thread] = table[static_cast<size_t>(thread)];
    PLUMB_UNROLL
    for (int i = 0; i < kProductRows * kBatch; ++i) sums[thread][static_cast<size_t>(i)] = 0;
  });
  const auto row_of = [&](int thread, int r) {
    return block.index() * kProductBlockRows + thread / kWarp * kProductRows + r;
  };
  for (int64_t column = 0; column < w.columns; column += kProductStep) {
    block.sync();  // the step before has been read
    block.each([&](int thread) {
      PLUMB_UNROLL
      for (int b = 0; b < kBatch; ++b)
        for (int64_t i = thread; i < kProductStep; i += Block::kCount) {
          const int64_t at = column + i;
          const int64_t place = b * kProductLaneWeights + i % kProductLaneWeights;
          states[place * kProductLane + i / kProductLaneWeights] =
              at < w.columns ? to_float(x[b * w.columns + at]) : 0.0f;
        }
    });
    block.sync();
    block.each([&](int thread) {
      const int lane = thread % kWarp;
      const int64_t at = column + int64_t{lane} * kProductLaneWeights;
      if (at >= w.columns) return;
      PLUMB_UNROLL
      for (int r = 0; r < kProductRows; ++r) {
        const int64_t row = row_of(thread, r);
        if (row >= w.rows) continue;
        const int64_t weight = row * w.columns + at;
        const auto codes = load_together<16>(w.codes + weight / 2);
        float part[kBatch] = {};
        PLUMB_UNROLL
        for (int j = 0; j < 16; ++j) {
          const float even = levels[nf4_even(codes.values[j])];
          const float odd = levels[nf4_odd(codes.values[j])];
          PLUMB_UNROLL
          for (int b = 0; b < kBatch; ++b) {
            const float* state = states + (b * kProductLaneWeights + 2 * j) * kProductLane + lane;
            part[b] = std::fma(even, state[0], part[b]);
            part[b] = std::fma(odd, state[kProductLane], part[b]);
          }
        }
        const float scale = nf4_scale(w, weight / kNf4Block);
        PLUMB_UNROLL
        for (int b = 0; b < kBatch; ++b) {
          float& sum = sums[thread][static_cast<size_t>(r * kBatch + b)];
          sum = std::fma(scale, part[b], sum);
        }
      }
    });
  }
  PLUMB_UNROLL
  for (int i = 0; i < kProductRows * kBatch; ++i) {
    typename Block::template Private<float> one;
    block.each([&](int thread) { one[thread] = sums[thread][static_cast<size_t>(i)]; });
    block.warp_sum(one);
    block.each([&](int thread) {
      const int64_t row = row_of(thread, i / kBatch);
      if (thread % kWarp == 0 && row < w.rows)
        p.y[(first + i % kBatch) * w.rows + row] = one[thread];
    });
  }
}

/// work(first, size) for x in pieces of 8, 4, 2 and 1 rows, the size as a constant.
template <typename Work>
void in_batches(int64_t batch, const Work& work) {
  int64_t first = 0;
  for (; batch - first >= 8; first += 8) work(first, std::integral_constant<int, 8>());
  if (batch - first >= 4) work(first, std::integral_constant<int, 4>()), first += 4;
  if (batch - first >= 2) work(first, std::integral_constant<int, 2>()), first += 2;
  if (batch - first >= 1) work(first, std::integral_constant<int, 1>());
}

}  // namespace plumb::models
