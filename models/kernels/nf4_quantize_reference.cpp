#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "models/kernels/nf4_quantize.h"

namespace plumb::models {
namespace {

constexpr float kLeastAbsmax = 1e-38f;

/// Halfway between neighbouring levels, each rounded once.
std::array<float, 15> midpoints() {
  std::array<float, 15> out;
  for (size_t i = 0; i < out.size(); ++i) out[i] = (kNf4Levels[i] + kNf4Levels[i + 1]) / 2;
  return out;
}

unsigned code_of(float scaled) {
  static const std::array<float, 15> bounds = midpoints();
  unsigned code = 0;
  for (const float bound : bounds) code += scaled > bound ? 1 : 0;
  return code;
}

}  // namespace

// The definition that the other versions are held to: no cleverness in this file.
void nf4_quantize_reference(std::span<const float> weights, std::span<uint8_t> codes,
                            std::span<float> absmax) {
  require_nf4_sizes(codes.size(), absmax.size(), weights.size());
  std::fill(codes.begin(), codes.end(), uint8_t{0x07});
  for (size_t block = 0; block < absmax.size(); ++block) {
    const size_t first = block * kNf4Block;
    const size_t count = std::min<size_t>(kNf4Block, weights.size() - first);
    float largest = 0;
    for (size_t i = first; i < first + count; ++i) {
      if (!std::isfinite(weights[i]))
        throw Error(ErrorKind::kInput,
                    text("weight ", i, " is ", weights[i], "; NF4 needs finite ones"));
      largest = std::max(largest, std::abs(weights[i]));
    }
    const bool whole = count == kNf4Block;
    const float divisor = std::max(largest, kLeastAbsmax), inverse = 1 / divisor;
    absmax[block] = whole ? largest : divisor;
    for (size_t i = first; i < first + count; ++i) {
      const float scaled = whole ? weights[i] * inverse : weights[i] / divisor;
      const unsigned code = code_of(std::clamp(scaled, -1.0f, 1.0f));
      codes[i / 2] = static_cast<uint8_t>(i % 2 == 0 ? code << 4 | (codes[i / 2] & 0x0Fu)
                                                     : (codes[i / 2] & 0xF0u) | code);
    }
  }
}

}  // namespace plumb::models
