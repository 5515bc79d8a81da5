#pragma once

#include <array>

#include "models/kernels/kernel_checks.h"
#include "models/kernels/nf4_arithmetic.h"
#include "models/kernels/thread_block.h"

/// NF4 with either kind of scales to fp32 or bf16, and the way back: nf4.h, nf4_quantize.h and models/device.h have the formats.
namespace plumb::models {

/// Eight weights a thread: four bytes of codes, one 16-byte store of bf16 or two of fp32. They share a scale.
inline constexpr int kExpandThreads = 256;
inline constexpr int64_t kExpandBlock = 8 * int64_t{kExpandThreads};

inline int64_t expand_blocks(const Nf4Matrix& w) {
  return (w.rows * w.columns + kExpandBlock - 1) / kExpandBlock;
}

inline const char* refusal(const Nf4Matrix& w, const void* out, Element type) {
  if (any_negative({w.rows, w.columns})) return kNegativeArgument;
  if (!is_known(type)) return kUnknownElement;
  if (w.rows == 0 || w.columns == 0) return nullptr;
  if (any_null({w.codes, out}) ||
      (w.absmax == nullptr && any_null({w.scale_codes, w.scales, w.map})))
    return kNullArgument;
  if (!is_aligned(out, 16) || !is_aligned(w.codes, 4))
    return "codes are not aligned to 4 bytes, or what they expand to is not to 16";
  return expand_blocks(w) > kMostBlocks ? kTooLarge : nullptr;
}

template <typename Y, typename Block>
PLUMB_KERNEL_CODE void nf4_expand_block(Block& block, const Nf4Matrix& w, Y* out,
                                        const std::array<float, 16>& table) {
  float* levels = block.template shared<float>();
  block.each([&](int thread) {
    if (thread < 16) levels[thread] = table[static_cast<size_t>(thread)];
  });
  block.sync();
  block.each([&](int thread) {
    const int64_t count = w.rows * w.columns;
    const int64_t first = block.index() * kExpandBlock + 8 * int64_t{thread};
    if (first >= count) return;
    const float scale = nf4_scale(w, first / kNf4Block);
    if (first + 8 > count) {
      for (int64_t i = first; i < count; ++i) {
        const unsigned byte = w.codes[i / 2];
        store(levels[i % 2 == 0 ? nf4_even(byte) : nf4_odd(byte)] * scale, out + i);
      }
      return;
    }
    constexpr int kStore = 16 / sizeof(Y);
    const auto codes = load_together<4>(w.codes + first / 2);
    Y values[8];
    for (int j = 0; j < 4; ++j) {
      store(levels[nf4_even(codes.values[j])] * scale, values + 2 * j);
      store(levels[nf4_odd(codes.values[j])] * scale, values + 2 * j + 1);
    }
    for (int part = 0; part < 8; part += kStore) {
      Together<kStore, Y> some;
      for (int j = 0; j < kStore; ++j) some.values[j] = values[part + j];
      store_together(some, out + first + part);
    }
  });
}

/// A warp a block of 64 weights, two a lane, whose byte it writes.
inline constexpr int kQuantizeThreads = 256;
inline constexpr int64_t kQuantizeBlocks =
    kQuantizeThreads / kWarp;  ///< of 64 weights, a block of threads

struct Nf4Quantize {
  const float* weights;
  uint8_t* codes;
  float* absmax;
  int64_t* bad;
  int64_t count;
};

inline int64_t quantize_blocks(int64_t count) {
  return (nf4_blocks(count) + kQuantizeBlocks - 1) / kQuantizeBlocks;
}

inline const char* refusal(const Nf4Quantize& q) {
  if (q.count < 0) return kNegativeArgument;
  if (q.count == 0) return nullptr;
  if (any_null({q.weights, q.codes, q.absmax, q.bad})) return kNullArgument;
  return quantize_blocks(q.count) > kMostBlocks ? kTooLarge : nullptr;
}

/// `first_bad(place, index)` makes *place the smaller of both, whoever else does it at the same time.
template <typename Block, typename FirstBad>
PLUMB_KERNEL_CODE void nf4_quantize_block(Block& block, const Nf4Quantize& q,
                                          const std::array<float, 15>& table,
                                          const FirstBad& first_bad) {
  float* bounds = block.template shared<float>();
  typename Block::template Private<float> largest;
  const auto first_of = [&](int thread) {
    const int64_t of_warp = block.index() * kQuantizeBlocks + thread / kWarp;
    return of_warp * kNf4Block + 2 * (thread % kWarp);
  };
  block.each([&](int thread) {
    if (thread < 15) bounds[thread] = table[static_cast<size_t>(thread)];
    float mine = 0;
    for (int64_t i = first_of(thread); i < first_of(thread) + 2 && i < q.count; ++i) {
      const float size = std::fabs(q.weights[i]);
      if (!(size <= 3.402823466e+38f)) first_bad(q.bad, i);  // NaN or infinite
      mine = std::fmax(mine, size);
    }
    largest[thread] = mine;
  });
  block.warp_largest(largest);
  block.sync();
  block.each([&](int thread) {
    const int64_t first = first_of(thread), of_block = first / kNf4Block;
    if (first >= q.count) return;
    const bool whole = (of_block + 1) * kNf4Block <= q.count;
    const auto code = [&](int64_t i) {
      return nf4_code(nf4_scaled(q.weights[i], largest[thread], whole), bounds);
    };
    const unsigned odd = first + 1 < q.count ? code(first + 1) : 7u;  // 7: a zero
    q.codes[first / 2] = static_cast<uint8_t>(code(first) << 4 | odd);
    if (thread % kWarp == 0) q.absmax[of_block] = nf4_absmax(largest[thread], whole);
  });
}

}  // namespace plumb::models
