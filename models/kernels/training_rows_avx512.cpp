// Training's row kernels for AVX-512; the code is in training_rows.inc.
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "models/kernels/training_rows.h"

// After the headers, so that none of their functions is compiled for this set and picked by the linker elsewhere.
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")

namespace plumb::models::kernels {
namespace {

#define PLUMB_AVX512

// clang-format off
#include "models/kernels/vector_math.inc"
#include "models/kernels/training_rows.inc"
// clang-format on

}  // namespace
#pragma GCC pop_options

namespace {
bool supported() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
}  // namespace

extern const TrainingKernels kAvx512Training;
const TrainingKernels kAvx512Training = {"avx512",
                                         supported,
                                         rows_of<uint16_t, uint16_t>(),
                                         rows_of<uint16_t, float>(),
                                         rows_of<float, float>(),
                                         causal_softmax,
                                         causal_softmax_gradient};

}  // namespace plumb::models::kernels
#endif
