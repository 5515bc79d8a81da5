// Training's row kernels for any CPU; the code is in training_rows.inc.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "models/kernels/training_rows.h"

namespace plumb::models::kernels {
namespace {

// clang-format off
#include "models/kernels/vector_math.inc"
#include "models/kernels/training_rows.inc"
// clang-format on

}  // namespace

namespace {
bool supported() { return true; }
}  // namespace

extern const TrainingKernels kPortableTraining;
const TrainingKernels kPortableTraining = {"portable",
                                           supported,
                                           rows_of<uint16_t, uint16_t>(),
                                           rows_of<uint16_t, float>(),
                                           rows_of<float, float>(),
                                           causal_softmax,
                                           causal_softmax_gradient};

}  // namespace plumb::models::kernels
