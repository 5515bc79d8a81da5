#include <ATen/Parallel.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <vector>

#include "base/error.h"
#include "models/kernels/nf4.h"

// The sixteen levels fit into vector registers, so a nibble becomes a weight by a lane permutation
// instead of a load: one permutation of 16 lanes with AVX-512, two of 8 and a blend on the nibble's
// top bit with AVX2. 16 code bytes are split into high and low nibbles and interleaved, which
// restores the order of 32 weights. Each weight is one fp32 product, as in the reference, so the
// results are the same bits.

// GCC 12's own AVX-512 header reads a register that it leaves undefined on purpose and warns of it
// (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace plumb::models {
namespace {

#if defined(__x86_64__)

constexpr int64_t kStep = 32;  // weights per vector step; a block is two of them

// Nibbles of 16 bytes in weight order: `first` holds weights 0..15, `second` 16..31, a byte each.
struct Nibbles {
  __m128i first;
  __m128i second;
};

__attribute__((target("avx2"))) inline Nibbles split(const uint8_t* codes) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  const __m128i mask = _mm_set1_epi8(0x0F);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), mask);
  const __m128i low = _mm_and_si128(bytes, mask);
  return {_mm_unpacklo_epi8(high, low), _mm_unpackhi_epi8(high, low)};
}

// A range kernel writes whole blocks [begin, end).
__attribute__((target("avx512f,avx2"))) void blocks_avx512(const uint8_t* codes,
                                                           const float* absmax, float* out,
                                                           int64_t begin, int64_t end) {
  const __m512 levels = _mm512_loadu_ps(kNf4Levels.data());
  for (int64_t i = begin * kNf4Block; i < end * kNf4Block; i += kStep) {
    const __m512 scale = _mm512_set1_ps(absmax[i / kNf4Block]);
    const Nibbles nibbles = split(codes + i / 2);
    const __m512i first = _mm512_cvtepu8_epi32(nibbles.first);
    const __m512i second = _mm512_cvtepu8_epi32(nibbles.second);
    _mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_permutexvar_ps(first, levels), scale));
    _mm512_storeu_ps(out + i + 16, _mm512_mul_ps(_mm512_permutexvar_ps(second, levels), scale));
  }
}

// Eight nibbles to levels: bit 3 chooses the half of the table, moved to the lane's sign for the
// blend.
__attribute__((target("avx2"))) inline __m256 lookup(__m128i nibbles, __m256 lower, __m256 upper) {
  const __m256i index = _mm256_cvtepu8_epi32(nibbles);
  const __m256 choose_upper = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28));
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(lower, index),
                          _mm256_permutevar8x32_ps(upper, index), choose_upper);
}

__attribute__((target("avx2"))) void blocks_avx2(const uint8_t* codes, const float* absmax,
                                                 float* out, int64_t begin, int64_t end) {
  const __m256 lower = _mm256_loadu_ps(kNf4Levels.data());
  const __m256 upper = _mm256_loadu_ps(kNf4Levels.data() + 8);
  for (int64_t i = begin * kNf4Block; i < end * kNf4Block; i += kStep) {
    const __m256 scale = _mm256_set1_ps(absmax[i / kNf4Block]);
    const Nibbles nibbles = split(codes + i / 2);
    const __m128i quarters[] = {nibbles.first, _mm_srli_si128(nibbles.first, 8), nibbles.second,
                                _mm_srli_si128(nibbles.second, 8)};
    for (int64_t q = 0; q < 4; ++q)
      _mm256_storeu_ps(out + i + 8 * q, _mm256_mul_ps(lookup(quarters[q], lower, upper), scale));
  }
}

#endif  // x86-64

void blocks_scalar(const uint8_t* codes, const float* absmax, float* out, int64_t begin,
                   int64_t end) {
  for (int64_t i = begin * kNf4Block; i < end * kNf4Block; i += 2) {
    const float scale = absmax[i / kNf4Block];
    const unsigned pair = codes[i / 2];
    out[i] = kNf4Levels[pair >> 4] * scale;
    out[i + 1] = kNf4Levels[pair & 0x0Fu] * scale;
  }
}

using BlocksKernel = void (*)(const uint8_t*, const float*, float*, int64_t, int64_t);

BlocksKernel kernel_for([[maybe_unused]] std::string_view instruction_set) {
#if defined(__x86_64__)
  if (instruction_set == "avx512") return blocks_avx512;
  if (instruction_set == "avx2") return blocks_avx2;
#endif
  return blocks_scalar;
}

void dequantize(BlocksKernel kernel, std::span<const uint8_t> codes, std::span<const float> absmax,
                std::span<float> out) {
  require_nf4_sizes(codes.size(), absmax.size(), out.size());
  const int64_t whole = static_cast<int64_t>(out.size()) / kNf4Block;
  constexpr int64_t kGrain =
      512;  // blocks; 128 KiB of output, well above the cost of waking a thread
  at::parallel_for(0, whole, kGrain, [&](int64_t begin, int64_t end) {
    kernel(codes.data(), absmax.data(), out.data(), begin, end);
  });
  const auto done = static_cast<size_t>(whole * kNf4Block);
  nf4_dequantize_reference(codes.subspan(done / 2), absmax.subspan(static_cast<size_t>(whole)),
                           out.subspan(done));
}

}  // namespace

std::span<const std::string_view> nf4_instruction_sets() {
  static const std::vector<std::string_view> sets = [] {
    std::vector<std::string_view> found;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx2"))
      found.push_back("avx512");
    if (__builtin_cpu_supports("avx2")) found.push_back("avx2");
#endif
    found.push_back("scalar");
    return found;
  }();
  return sets;
}

void nf4_dequantize_with(std::string_view instruction_set, std::span<const uint8_t> codes,
                         std::span<const float> absmax, std::span<float> out) {
  for (const std::string_view set : nf4_instruction_sets())
    if (set == instruction_set) return dequantize(kernel_for(set), codes, absmax, out);
  throw Error(ErrorKind::kResource, text("NF4: this CPU has no '", instruction_set, "'; it has '",
                                         nf4_instruction_sets().front(), "' at best"));
}

void nf4_dequantize_cpu(std::span<const uint8_t> codes, std::span<const float> absmax,
                        std::span<float> out) {
  static const BlocksKernel kernel = kernel_for(nf4_instruction_sets().front());
  dequantize(kernel, codes, absmax, out);
}

}  // namespace plumb::models
