#pragma once

#include <ATen/core/Tensor.h>

#include "models/formats/model_file.h"
#include "models/formats/tensor_index.h"

namespace plumb::models {

/// Decodes the tensor at `entry` (rank 1 or more) to `dtype` (at::kFloat or at::kBFloat16),
/// contiguous, on the intra-op pool. With `heads` above 0 the rows of each head are taken from
/// pairs (row 2 i + j of the file becomes row j * half + i), which undoes GGUF's order of rotary
/// rows. Error{kInput} naming the tensor, the count and the first index where values are NaN or
/// infinite.
at::Tensor read_weight(const ModelFile& file, const TensorEntry& entry, int64_t heads,
                       at::ScalarType dtype);

}  // namespace plumb::models
