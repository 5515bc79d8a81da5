// Panel kernels for AVX-512 with AMX tiles for bf16. The code is in the .inc files; here stand its
// instruction set and its tile.
#if defined(__x86_64__) && defined(__GNUC__)
#include <ATen/Parallel.h>
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

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
#pragma GCC target( \
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512bf16,amx-tile,amx-bf16,prefer-vector-width=512")

namespace plumb::models::kernels {
namespace {

#define PLUMB_AVX512
#define PLUMB_AVX512_BF16
#define PLUMB_AMX

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
// The system must also grant tile state to the process; once asked, all threads have it.
bool supported() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  constexpr unsigned kTile = 1u << 24, kBf16 = 1u << 22;
  if ((d & kTile) == 0 || (d & kBf16) == 0 || !__builtin_cpu_supports("avx512bf16") ||
      !__builtin_cpu_supports("avx512vl"))
    return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // arch_prctl(2), Linux 5.16
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
}  // namespace

extern const PanelKernels kAmxKernels;
const PanelKernels kAmxKernels = {"amx-bf16",           supported,
                                  run_block<float>,     run_block<uint16_t>,
                                  run_packed<float>,    run_packed<uint16_t>,
                                  cross_entropy<float>, cross_entropy<uint16_t>,
                                  logits<float>,        logits<uint16_t>,
                                  distributions<float>, distributions<uint16_t>,
                                  run_decode<float>,    run_decode<uint16_t>};

}  // namespace plumb::models::kernels
#endif
