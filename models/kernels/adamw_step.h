#pragma once

#include "models/kernels/kernel_checks.h"
#include "models/kernels/thread_block.h"

/// AdamW's step of many parameters: models/device.h has the formulas. Four neighbours a thread, each array read and written once.
namespace plumb::models {

inline constexpr int kStepThreads = 256;

inline int64_t step_blocks(const AdamWStep& s) {
  constexpr int64_t kOfBlock = 4 * int64_t{kStepThreads};
  return (s.count + kOfBlock - 1) / kOfBlock;
}

/// The factors of step `steps` (from 1 on), each made in double and rounded once. Pointers and count are the caller's.
AdamWStep adamw_factors(double learning_rate, double beta1, double beta2, double epsilon,
                        double decay, int64_t steps, double clip);

inline const char* refusal(const AdamWStep& s) {
  if (s.count < 0) return kNegativeArgument;
  if (s.count == 0) return nullptr;
  if (any_null({s.parameters, s.first, s.second, s.gradients})) return kNullArgument;
  for (const void* pointer :
       {static_cast<const void*>(s.parameters), static_cast<const void*>(s.first),
        static_cast<const void*>(s.second), static_cast<const void*>(s.gradients)})
    if (!is_aligned(pointer, 16)) return "an array is not aligned to 16 bytes";
  return step_blocks(s) > kMostBlocks ? kTooLarge : nullptr;
}

/// The definition: one parameter at a time, in fp32 as torch does on a CPU.
void adamw_reference(const AdamWStep& step);

/// One parameter. No product is joined with a sum, so that host and device round alike.
PLUMB_KERNEL_CODE float rounded_sum(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}
PLUMB_KERNEL_CODE void adamw_parameter(const AdamWStep& s, float gradient, float& p, float& m,
                                       float& v) {
  const float g = gradient * s.clip;
  m = rounded_sum(m * s.beta1, g * s.rest1);
  v = rounded_sum(v * s.beta2, s.rest2 * g * g);
  const float size = rounded_sum(std::sqrt(v) / s.root, s.epsilon);
  p = rounded_sum(p * s.keep, -(s.rate * m / size));
}

template <typename Block>
PLUMB_KERNEL_CODE void adamw_block(Block& block, const AdamWStep& s) {
  block.each([&](int thread) {
    const int64_t i = 4 * (block.index() * Block::kCount + thread);
    if (i + 4 <= s.count) {
      auto p = load_together<4>(s.parameters + i), m = load_together<4>(s.first + i);
      auto v = load_together<4>(s.second + i);
      const auto g = load_together<4>(s.gradients + i);
      for (int j = 0; j < 4; ++j)
        adamw_parameter(s, g.values[j], p.values[j], m.values[j], v.values[j]);
      store_together(p, s.parameters + i);
      store_together(m, s.first + i);
      store_together(v, s.second + i);
      return;
    }
    for (int64_t j = i; j < s.count; ++j)
      adamw_parameter(s, s.gradients[j], s.parameters[j], s.first[j], s.second[j]);
  });
}

}  // namespace plumb::models
