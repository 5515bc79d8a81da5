#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "models/kernels/nf4.h"

namespace plumb::models {

/// The way into NF4 and, of its scales, into 8 bits: codes and scales are those of bitsandbytes 0.50.2 on a CPU, bit for bit.
///
///     absmax  of a whole block its largest magnitude; of the last, shorter one at least 1e-38
///     code    the number of midpoints between neighbouring levels that are below
///             whole block: clamp(weight * (1 / max(absmax, 1e-38))), shorter one: clamp(weight / absmax), to [-1, 1]
///
/// so that zeros and what is too small against 1e-38 become code 7. With odd N the last low nibble is code 7 as well.
///
/// weights [N], codes [nf4_code_bytes(N)], absmax [nf4_blocks(N)]: Error{kInvariant} for other sizes. Error{kInput} with the number of
/// the first weight that is not finite; the outputs are then unspecified.
void nf4_quantize_reference(std::span<const float> weights, std::span<uint8_t> codes,
                            std::span<float> absmax);
/// The same bits, with the vectors that this CPU has and all intra-op threads.
void nf4_quantize_cpu(std::span<const float> weights, std::span<uint8_t> codes,
                      std::span<float> absmax);

/// Double quantisation: absmax less its mean, in blocks of 256 with a byte each.
///
///     absmax[i] = kMap[code(i)] * scale[i / 256] + offset
inline constexpr int64_t kScaleBlock = 256;

struct QuantizedScales {
  std::vector<uint8_t> codes;  ///< [M]
  std::vector<float> scales;   ///< [ceil(M / 256)]: the largest magnitude of each block
  float offset = 0;            ///< the mean
};

/// The 256 values of bitsandbytes' signed dynamic map (Dettmers, "8-Bit Approximations for Parallelism in Deep Learning",
/// arXiv:1511.04561), ascending: 0, 1, and +-10^(e - 6) times the middles of 2^e equal parts of [0.1, 1], e = 0..6.
const std::array<float, 256>& dynamic_map();

/// The mean is at::mean's on one thread; it would depend on their number for more than 32,767 scales. Codes are found as
/// bitsandbytes' CPU library finds them: in a table of 65,536 points over [-1, 1], not at the nearest value itself.
/// Error{kInput} where the mean is not finite.
QuantizedScales quantize_scales(std::span<const float> absmax);
/// out [M]; Error{kInvariant} for another size.
void dequantize_scales(const QuantizedScales& quantized, std::span<float> out);

/// A matrix as QLoRA holds it: 4.127 bits a weight.
struct Nf4Weights {
  std::vector<uint8_t> codes;
  QuantizedScales scales;
  int64_t count = 0;  ///< N

  uint64_t size_bytes() const;
};
Nf4Weights nf4_weights(std::span<const float> weights);
void nf4_dequantize(const Nf4Weights& weights, std::span<float> out);

}  // namespace plumb::models
