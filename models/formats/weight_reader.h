#pragma once

#include <ATen/core/Tensor.h>

#include "models/formats/model_file.h"
#include "models/formats/tensor_index.h"

namespace plumb::models {

/// Rows of the tensor at `entry` (rank 1 or more): everything but its last dimension.
int64_t row_count(const TensorEntry& entry);

/// Decodes rows [first, first + rows of `out`) into `out`, which is [rows, columns], contiguous, at::kFloat or
/// at::kBFloat16, on the intra-op pool. With `head_rows` above 0 the rows of each head, which has that many, are taken
/// from pairs (row 2 i + j of the file becomes row j * half + i), which undoes GGUF's order of rotary rows; the range is
/// then one of whole heads. Error{kInput} naming the tensor, the count and the first index where values are NaN or
/// infinite; Error{kInvariant} for rows that are not there.
void read_rows(const ModelFile& file, const TensorEntry& entry, int64_t first, int64_t head_rows,
               const at::Tensor& out);

}  // namespace plumb::models
