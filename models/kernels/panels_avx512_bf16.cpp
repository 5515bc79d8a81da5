// Panel kernels for AVX-512 with products of bf16 pairs. The code is in the .inc files; here stand
// its instruction set and its tile.
#if defined(__x86_64__) && defined(__GNUC__)
#include <ATen/Parallel.h>
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "models/kernels/meeting.h"
#include "models/kernels/panels.h"
#include "models/kernels/scratch.h"

// After the headers, so that none of their functions is compiled for this set and picked by the
// linker elsewhere.
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512bf16,prefer-vector-width=512")

namespace plumb::models::kernels {
namespace {

#define PLUMB_AVX512
#define PLUMB_AVX512_BF16

constexpr int kRows = 14;    // of W in one register tile
constexpr int kVectors = 2;  // of a panel, in it

// Each needs the one before.
// clang-format off
#include "models/kernels/vector_math.inc"
#include "models/kernels/strip.inc"
#include "models/kernels/states.inc"
#include "models/kernels/block_parts.inc"
#include "models/kernels/block.inc"
#include "models/kernels/packed.inc"
#include "models/kernels/cross_entropy.inc"
#include "models/kernels/distributions.inc"
#include "models/kernels/decode.inc"
// clang-format on

}  // namespace
#pragma GCC pop_options

namespace {
bool supported() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bf16");
}
}  // namespace

extern const PanelKernels kAvx512Bf16Kernels;
const PanelKernels kAvx512Bf16Kernels = {"avx512-bf16",        supported,
                                         run_block<float>,     run_block<uint16_t>,
                                         run_packed<float>,    run_packed<uint16_t>,
                                         cross_entropy<float>, cross_entropy<uint16_t>,
                                         logits<float>,        logits<uint16_t>,
                                         distributions<float>, distributions<uint16_t>,
                                         run_decode<float>,    run_decode<uint16_t>};

}  // namespace plumb::models::kernels
#endif
