#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace plumb::models {

/// NF4, the 4-bit storage of QLoRA's frozen weights, as bitsandbytes lays it out.
///
///     weight[i] = kNf4Levels[code(i)] * absmax[i / 64]
///
/// Order   the weight matrix is flattened row-major and cut into blocks of 64; a block may cross
/// rows, the last one may
///         be shorter. `i` counts weights over the whole flattened matrix.
/// codes   [ceil(N / 2)] bytes, two weights a byte: weight 2k is in the HIGH nibble of byte k,
/// weight 2k + 1 in the low
///         one. With odd N the low nibble of the last byte is unused.
/// absmax  [ceil(N / 64)] fp32: the largest magnitude of each block.
/// Size    4 + 32 / 64 = 4.5 bits a weight (4.127 where absmax is itself quantised, which is not
/// done here). Source  Dettmers et al., "QLoRA", arXiv:2305.14314, appendix E; the bytes are those
/// of bitsandbytes 0.50.2.
inline constexpr int64_t kNf4Block = 64;

/// Quantiles of a normal distribution scaled to [-1, 1] with an exact zero at code 7; the literals
/// are the shortest that read back to bitsandbytes' floats.
inline constexpr std::array<float, 16> kNf4Levels = {
    -1.0f,         -0.6961928f, -0.52507305f, -0.3949175f, -0.28444138f, -0.18477343f,
    -0.091050036f, 0.0f,        0.0795803f,   0.1609302f,  0.2461123f,   0.33791524f,
    0.44070983f,   0.562617f,   0.72295684f,  1.0f};

constexpr int64_t nf4_code_bytes(int64_t count) { return (count + 1) / 2; }
constexpr int64_t nf4_blocks(int64_t count) { return (count + kNf4Block - 1) / kNf4Block; }

/// The definition: one weight at a time. out [N]; the sizes of `codes` and `absmax` must be those
/// that N demands, else Error{kInvariant}. Every bit pattern of a code is valid; a NaN in `absmax`
/// comes out as NaN.
void nf4_dequantize_reference(std::span<const uint8_t> codes, std::span<const float> absmax,
                              std::span<float> out);

/// The same, bit for bit, with the widest vectors that this CPU has and all intra-op threads.
void nf4_dequantize_cpu(std::span<const uint8_t> codes, std::span<const float> absmax,
                        std::span<float> out);

/// The same with one instruction set: "avx512", "avx2" or "scalar"; for tests and benchmarks.
/// Error{kResource} where this CPU lacks it.
void nf4_dequantize_with(std::string_view instruction_set, std::span<const uint8_t> codes,
                         std::span<const float> absmax, std::span<float> out);

/// The sets that this CPU has, widest first; never empty.
std::span<const std::string_view> nf4_instruction_sets();

/// Error{kInvariant} naming the sizes found and needed.
void require_nf4_sizes(size_t code_bytes, size_t absmax_count, size_t count);

}  // namespace plumb::models
