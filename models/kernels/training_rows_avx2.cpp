// Training's row kernels for AVX2 and FMA; the code is in training_rows.inc.
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
#pragma GCC target("avx2,fma")

#define PLUMB_AVX2

namespace plumb::models::kernels {
namespace {

// clang-format off
#include "models/kernels/vector_math.inc"
#include "models/kernels/training_rows.inc"
// clang-format on

}  // namespace
#pragma GCC pop_options

namespace {
bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
}  // namespace

extern const TrainingKernels kAvx2Training;
const TrainingKernels kAvx2Training = {"avx2",
                                       supported,
                                       rows_of<uint16_t, uint16_t>(),
                                       rows_of<uint16_t, float>(),
                                       rows_of<float, float>(),
                                       causal_softmax,
                                       causal_softmax_gradient};

}  // namespace plumb::models::kernels
#endif
