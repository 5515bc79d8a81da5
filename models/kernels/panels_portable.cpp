// Panel kernels for any CPU. The code is in the .inc files; here stand its instruction set and its
// tile.
#include <ATen/Parallel.h>

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

namespace plumb::models::kernels {
namespace {

constexpr int kRows = 4;  // of W in one register tile
#ifdef __aarch64__
constexpr int kVectors = 4;  // of a panel, in it: 32 registers
#else
constexpr int kVectors = 2;
#endif

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

namespace {
bool supported() { return true; }
}  // namespace

extern const PanelKernels kPortableKernels;
const PanelKernels kPortableKernels = {"portable",           supported,
                                       run_block<float>,     run_block<uint16_t>,
                                       run_packed<float>,    run_packed<uint16_t>,
                                       cross_entropy<float>, cross_entropy<uint16_t>,
                                       logits<float>,        logits<uint16_t>,
                                       distributions<float>, distributions<uint16_t>,
                                       run_decode<float>,    run_decode<uint16_t>};

}  // namespace plumb::models::kernels
