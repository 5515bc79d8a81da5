#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "models/formats/gguf.h"

// The storage blocks of ggml (ggml-common.h, ggml-quants.c: dequantize_row_*). Bit for bit means:
// the same fp32 products and sums in the same order, each rounded, so that a product and a sum must
// never be fused.
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

namespace plumb::models {
namespace {

using Bytes = const uint8_t*;

// fp16 to fp32, exact and without branches: the exponent is moved and then rescaled by a product,
// which also makes subnormals normal; infinities and NaNs get their exponent back.
inline float from_half(uint16_t half) {
  const uint32_t magnitude = static_cast<uint32_t>(half & 0x7fff) << 13;
  uint32_t bits = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  if ((half & 0x7c00) == 0x7c00) bits = magnitude | 0x7f800000u;
  return std::bit_cast<float>(bits | static_cast<uint32_t>(half & 0x8000) << 16);
}

inline float half_at(Bytes p) {
  uint16_t half;
  std::memcpy(&half, p, sizeof half);
  return from_half(half);
}

inline uint32_t word_at(Bytes p) {
  uint32_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

void f16(Bytes in, float* out) { *out = half_at(in); }

void bf16(Bytes in, float* out) {
  uint16_t bits;
  std::memcpy(&bits, in, sizeof bits);
  *out = std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// scale fp16 | 32 signed bytes
void q8_0(Bytes in, float* out) {
  const float d = half_at(in);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(static_cast<int8_t>(in[2 + i])) * d;
}

// scale fp16 | 16 bytes: value i in the low nibble of byte i, value i + 16 in the high one
void q4_0(Bytes in, float* out) {
  const float d = half_at(in);
  for (int i = 0; i < 16; ++i) {
    out[i] = static_cast<float>((in[2 + i] & 15) - 8) * d;
    out[i + 16] = static_cast<float>((in[2 + i] >> 4) - 8) * d;
  }
}

// scale fp16 | minimum fp16 | nibbles
void q4_1(Bytes in, float* out) {
  const float d = half_at(in);
  const float m = half_at(in + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = static_cast<float>(in[4 + i] & 15) * d + m;
    out[i + 16] = static_cast<float>(in[4 + i] >> 4) * d + m;
  }
}

// scale fp16 | fifth bits u32, value i in bit i | nibbles
void q5_0(Bytes in, float* out) {
  const float d = half_at(in);
  const uint32_t high = word_at(in + 2);
  for (int i = 0; i < 16; ++i) {
    const int low_bit = static_cast<int>(high >> i & 1) << 4;
    const int high_bit = static_cast<int>(high >> (i + 16) & 1) << 4;
    out[i] = static_cast<float>(((in[6 + i] & 15) | low_bit) - 16) * d;
    out[i + 16] = static_cast<float>(((in[6 + i] >> 4) | high_bit) - 16) * d;
  }
}

// scale fp16 | minimum fp16 | fifth bits u32 | nibbles
void q5_1(Bytes in, float* out) {
  const float d = half_at(in);
  const float m = half_at(in + 2);
  const uint32_t high = word_at(in + 4);
  for (int i = 0; i < 16; ++i) {
    const int low_bit = static_cast<int>(high >> i & 1) << 4;
    const int high_bit = static_cast<int>(high >> (i + 16) & 1) << 4;
    out[i] = static_cast<float>((in[8 + i] & 15) | low_bit) * d + m;
    out[i + 16] = static_cast<float>((in[8 + i] >> 4) | high_bit) * d + m;
  }
}

// Eight 6-bit scales and eight 6-bit minima in 12 bytes: the first four of each in the low bits of
// bytes 0-3 and 4-7; the last four have their low nibbles in bytes 8-11 and their top two bits
// above the first four.
struct ScaleAndMinimum {
  int scale;
  int minimum;
};
inline ScaleAndMinimum unpack_k(Bytes packed, int group) {
  if (group < 4) return {packed[group] & 63, packed[group + 4] & 63};
  return {(packed[group + 4] & 15) | (packed[group - 4] >> 6) << 4,
          (packed[group + 4] >> 4) | (packed[group] >> 6) << 4};
}

// super-scale fp16 | super-minimum fp16 | 12 bytes of scales | 128 bytes: each 32 bytes hold 32
// values in their low nibbles and the next 32 in their high ones
void q4_k(Bytes in, float* out) {
  const float d = half_at(in);
  const float dmin = half_at(in + 2);
  for (int group = 0; group < 8; ++group) {
    const auto [scale, minimum] = unpack_k(in + 4, group);
    const float step = d * static_cast<float>(scale);
    const float low = dmin * static_cast<float>(minimum);
    const Bytes values = in + 16 + 32 * (group / 2);
    const int shift = 4 * (group % 2);
    for (int i = 0; i < 32; ++i)
      out[32 * group + i] = step * static_cast<float>(values[i] >> shift & 15) - low;
  }
}

// as Q4_K, with 32 bytes of fifth bits before the nibbles: bit `group` of byte i belongs to value i
// of the group
void q5_k(Bytes in, float* out) {
  const float d = half_at(in);
  const float dmin = half_at(in + 2);
  const Bytes fifth = in + 16;
  for (int group = 0; group < 8; ++group) {
    const auto [scale, minimum] = unpack_k(in + 4, group);
    const float step = d * static_cast<float>(scale);
    const float low = dmin * static_cast<float>(minimum);
    const Bytes values = in + 48 + 32 * (group / 2);
    const int shift = 4 * (group % 2);
    for (int i = 0; i < 32; ++i) {
      const int value = (values[i] >> shift & 15) | (fifth[i] >> group & 1) << 4;
      out[32 * group + i] = step * static_cast<float>(value) - low;
    }
  }
}

// 128 bytes of low nibbles | 64 bytes of top two bits | 16 signed scales | super-scale fp16. In
// each half of 128 values: quarter q of 32 takes nibbles from bytes 32 (q % 2) .., low for q < 2,
// and bits 2 q of the 32 top bytes.
void q6_k(Bytes in, float* out) {
  const float d = half_at(in + 208);
  for (int half = 0; half < 2; ++half) {
    const Bytes top = in + 128 + 32 * half;
    for (int quarter = 0; quarter < 4; ++quarter) {
      const Bytes low = in + 64 * half + 32 * (quarter % 2);
      const int shift = 4 * (quarter / 2);
      float* to = out + 128 * half + 32 * quarter;
      for (int i = 0; i < 32; ++i) {
        const auto scale = static_cast<int8_t>(in[192 + 8 * half + 2 * quarter + i / 16]);
        const int value = (low[i] >> shift & 15) | (top[i] >> (2 * quarter) & 3) << 4;
        to[i] = d * static_cast<float>(scale) * static_cast<float>(value - 32);
      }
    }
  }
}

template <void (*decode_block)(Bytes, float*)>
void decode(StoredType type, Bytes in, float* out, size_t blocks) {
  const BlockLayout layout = block_layout(type);
  for (size_t b = 0; b < blocks; ++b)
    decode_block(in + b * static_cast<size_t>(layout.bytes),
                 out + b * static_cast<size_t>(layout.values));
}

}  // namespace

void dequantize(StoredType type, std::span<const std::byte> bytes, std::span<float> out) {
  const BlockLayout layout = block_layout(type);
  const size_t blocks = out.size() / static_cast<size_t>(layout.values);
  if (out.size() % static_cast<size_t>(layout.values) != 0 ||
      bytes.size() != blocks * static_cast<size_t>(layout.bytes))
    throw Error(ErrorKind::kInvariant,
                text("dequantize: ", bytes.size(), " bytes of ", stored_type_name(type), " for ",
                     out.size(), " values"));
  const auto* in = reinterpret_cast<Bytes>(bytes.data());
  switch (type) {
    case StoredType::kF32:
      if (!out.empty()) std::memcpy(out.data(), in, bytes.size());
      return;
    case StoredType::kF16:
      return decode<f16>(type, in, out.data(), blocks);
    case StoredType::kBf16:
      return decode<bf16>(type, in, out.data(), blocks);
    case StoredType::kQ8_0:
      return decode<q8_0>(type, in, out.data(), blocks);
    case StoredType::kQ4_0:
      return decode<q4_0>(type, in, out.data(), blocks);
    case StoredType::kQ4_1:
      return decode<q4_1>(type, in, out.data(), blocks);
    case StoredType::kQ5_0:
      return decode<q5_0>(type, in, out.data(), blocks);
    case StoredType::kQ5_1:
      return decode<q5_1>(type, in, out.data(), blocks);
    case StoredType::kQ4_K:
      return decode<q4_k>(type, in, out.data(), blocks);
    case StoredType::kQ5_K:
      return decode<q5_k>(type, in, out.data(), blocks);
    case StoredType::kQ6_K:
      return decode<q6_k>(type, in, out.data(), blocks);
  }
}

}  // namespace plumb::models
