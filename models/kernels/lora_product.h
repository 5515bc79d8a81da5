#pragma once

#include <array>

#include "models/kernels/kernel_checks.h"
#include "models/kernels/thread_block.h"

/// low = x A^T, then y += scale * low B^T: models/device.h has shapes and limits. Two kernels one after the other.
///
/// The first: a warp a row of A and kLoraRows rows of x, its lanes along them, so that A is read once for all of these. The second: a
/// thread a column of y and kLoraRows rows of it, `low` in shared memory; a warp's rows of B follow each other.
namespace plumb::models {

inline constexpr int kLoraThreads = 256;
inline constexpr int kLoraRows = 4;
inline constexpr int64_t kLoraRanks = kLoraThreads / kWarp;  ///< of A's rows, a block of the first
inline constexpr int64_t kMostLoraRank = 256;

PLUMB_KERNEL_CODE int64_t lora_row_tiles(int64_t rows) {
  return (rows + kLoraRows - 1) / kLoraRows;
}
inline int64_t lora_low_blocks(const LoraProduct& p) {
  return lora_row_tiles(p.rows) * ((p.rank + kLoraRanks - 1) / kLoraRanks);
}
inline int64_t lora_add_blocks(const LoraProduct& p) {
  return lora_row_tiles(p.rows) * ((p.out + kLoraThreads - 1) / kLoraThreads);
}
inline size_t lora_shared_bytes(const LoraProduct& p) {
  return sizeof(float) * kLoraRows * static_cast<size_t>(p.rank);
}

inline const char* refusal(const LoraProduct& p) {
  if (any_negative({p.rows, p.in, p.rank, p.out, p.y_stride})) return kNegativeArgument;
  if (!is_known(p.x_type)) return kUnknownElement;
  if (p.rows == 0 || p.rank == 0 || p.out == 0) return nullptr;
  if (p.in == 0) return "a product over no columns";
  if (p.rank > kMostLoraRank) return "the rank is above 256";
  if (p.y_stride < p.out) return "a stride is below the width of a row";
  if (any_null({p.x, p.a, p.b, p.low, p.y})) return kNullArgument;
  return lora_low_blocks(p) > kMostBlocks || lora_add_blocks(p) > kMostBlocks ? kTooLarge : nullptr;
}

/// The definition, in double. x [rows, in] fp32, low [rows, rank]; y [rows, out] without gaps is added to.
void lora_product_reference(const LoraProduct& shape, const float* x, double* low, double* y);

template <typename X, typename Block>
PLUMB_KERNEL_CODE void lora_low_block(Block& block, const LoraProduct& p, bool wide) {
  using Sums = std::array<float, kLoraRows>;
  const int64_t tiles = lora_row_tiles(p.rows);
  const int64_t first = block.index() % tiles * kLoraRows;
  const int64_t ranks = block.index() / tiles * kLoraRanks;
  const X* x = static_cast<const X*>(p.x);
  typename Block::template Private<Sums> sums;
  block.each([&](int thread) {
    sums[thread] = {};
    const int64_t rank = ranks + thread / kWarp;
    if (rank >= p.rank) return;
    walk_row(thread % kWarp, kWarp, p.in, wide, [&](int64_t i, auto count) {
      const auto a = load_together<count()>(p.a + rank * p.in + i);
      PLUMB_UNROLL
      for (int r = 0; r < kLoraRows; ++r) {
        if (first + r >= p.rows) continue;
        const auto some = load_together<count()>(x + (first + r) * p.in + i);
        float& sum = sums[thread][static_cast<size_t>(r)];
        for (int j = 0; j < count(); ++j)
          sum = std::fma(a.values[j], to_float(some.values[j]), sum);
      }
    });
  });
  PLUMB_UNROLL
  for (int r = 0; r < kLoraRows; ++r) {
    typename Block::template Private<float> one;
    block.each([&](int thread) { one[thread] = sums[thread][static_cast<size_t>(r)]; });
    block.warp_sum(one);
    block.each([&](int thread) {
      const int64_t rank = ranks + thread / kWarp;
      if (thread % kWarp == 0 && rank < p.rank && first + r < p.rows)
        p.low[(first + r) * p.rank + rank] = one[thread];
    });
  }
}

template <typename Block>
PLUMB_KERNEL_CODE void lora_add_block(Block& block, const LoraProduct& p, bool wide) {
  const int64_t tiles = lora_row_tiles(p.rows);
  const int64_t first = block.index() % tiles * kLoraRows;
  const int64_t columns = block.index() / tiles * kLoraThreads;
  float* low = block.template shared<float>();
  block.each([&](int thread) {
    for (int64_t i = thread; i < kLoraRows * p.rank; i += Block::kCount)
      low[i] = first * p.rank + i < p.rows * p.rank ? p.low[first * p.rank + i] : 0.0f;
  });
  block.sync();
  block.each([&](int thread) {
    const int64_t column = columns + thread;
    if (column >= p.out) return;
    float sums[kLoraRows] = {};
    walk_row(0, 1, p.rank, wide, [&](int64_t i, auto count) {
      const auto b = load_together<count()>(p.b + column * p.rank + i);
      for (int j = 0; j < count(); ++j) PLUMB_UNROLL
      for (int r = 0; r < kLoraRows; ++r)
        sums[r] = std::fma(b.values[j], low[r * p.rank + i + j], sums[r]);
    });
    PLUMB_UNROLL
    for (int r = 0; r < kLoraRows; ++r) {
      if (first + r >= p.rows) continue;
      float& y = p.y[(first + r) * p.y_stride + column];
      y = std::fma(p.scale, sums[r], y);
    }
  });
}

}  // namespace plumb::models
