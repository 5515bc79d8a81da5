#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include "healing/layers_gradient.h"
#include "models/kernels/training_rows.h"

namespace plumb::healing {

/// The fused kernels for states and products of these types; null where ATen's operations do their work: where autograd records, on
/// a device, in fp64.
const models::kernels::TrainingRows* fused_rows(const at::Tensor& like, at::ScalarType states,
                                                at::ScalarType products);

/// run(first, count) over rows, on all threads.
template <typename Run>
void over_rows(int64_t rows, const Run& run) {
  at::parallel_for(0, rows, 16, [&](int64_t begin, int64_t end) { run(begin, end - begin); });
}

/// Row `first` of a contiguous matrix, whatever its type.
inline const void* row_of(const at::Tensor& matrix, int64_t first) {
  return static_cast<const char*>(matrix.const_data_ptr()) +
         first * matrix.size(-1) * static_cast<int64_t>(matrix.element_size());
}
inline void* row_of_mutable(const at::Tensor& matrix, int64_t first) {
  return static_cast<char*>(matrix.mutable_data_ptr()) +
         first * matrix.size(-1) * static_cast<int64_t>(matrix.element_size());
}

models::kernels::NormOfRows norm_of_rows(const NormWeights& weights);

}  // namespace plumb::healing
