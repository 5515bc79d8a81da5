#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "models/kernels/nf4.h"
#include "models/kernels/thread_block.h"

/// NF4's arithmetic of one weight, for host and device: nf4.h and nf4_quantize.h say what it is.
namespace plumb::models {

inline constexpr float kNf4LeastAbsmax = 1e-38f;

/// Halfway between neighbouring levels, each rounded once.
inline constexpr std::array<float, 15> kNf4Bounds = [] {
  std::array<float, 15> out{};
  for (size_t i = 0; i < out.size(); ++i) out[i] = (kNf4Levels[i] + kNf4Levels[i + 1]) / 2;
  return out;
}();

/// The number of bounds below `scaled`; NaN has none below it.
PLUMB_KERNEL_CODE unsigned nf4_code(float scaled, const float* bounds) {
  unsigned code = 0;
  for (int i = 0; i < 15; ++i) code += scaled > bounds[i] ? 1u : 0u;
  return code;
}

/// What absmax is stored of a block's largest magnitude.
PLUMB_KERNEL_CODE float nf4_absmax(float largest, bool whole) {
  return whole ? largest : std::fmax(largest, kNf4LeastAbsmax);
}

/// The weight as a share of its block's magnitude, in [-1, 1].
PLUMB_KERNEL_CODE float nf4_scaled(float weight, float largest, bool whole) {
  const float divisor = std::fmax(largest, kNf4LeastAbsmax);
  const float scaled = whole ? weight * (1 / divisor) : weight / divisor;
  return scaled < -1 ? -1.0f : scaled > 1 ? 1.0f : scaled;
}

/// Of the block with number `block` of the flattened matrix.
PLUMB_KERNEL_CODE float nf4_scale(const Nf4Matrix& m, int64_t block) {
  if (m.absmax != nullptr) return m.absmax[block];
  // Two roundings, as the host's; one would be another scale.
  const float product = m.map[m.scale_codes[block]] * m.scales[block / 256];
#if defined(__CUDA_ARCH__)
  return __fadd_rn(product, m.offset);
#else
  return product + m.offset;
#endif
}

/// Of two weights that share a byte the one with an even number is in the high nibble.
PLUMB_KERNEL_CODE unsigned nf4_even(unsigned byte) { return byte >> 4; }
PLUMB_KERNEL_CODE unsigned nf4_odd(unsigned byte) { return byte & 0x0fu; }

}  // namespace plumb::models
