#include "models/kernels/training_rows.h"

#include <array>

namespace plumb::models::kernels {

extern const TrainingKernels kPortableTraining;
#if defined(__x86_64__) && defined(__GNUC__)
extern const TrainingKernels kAvx2Training;
#ifndef PLUMB_NO_WIDE_KERNELS
extern const TrainingKernels kAvx512Training;
#endif
#endif

std::span<const TrainingKernels* const> all_training_kernels() {
  static const std::array kAll = {
#if defined(__x86_64__) && defined(__GNUC__)
#ifndef PLUMB_NO_WIDE_KERNELS
    &kAvx512Training,
#endif
    &kAvx2Training,
#endif
    &kPortableTraining
  };
  return kAll;
}

const TrainingKernels& training_kernels() {
  static const TrainingKernels& kBest = [&]() -> const TrainingKernels& {
    for (const TrainingKernels* kernels : all_training_kernels())
      if (kernels->supported()) return *kernels;
    return kPortableTraining;
  }();
  return kBest;
}

}  // namespace plumb::models::kernels
