#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace plumb::models {

/// NF4 to fp32 on the device: see nf4.h for the format. All pointers are device memory, `out`
/// aligned to 8 bytes. Asynchronous on `stream`. cudaErrorInvalidValue for a negative count, more
/// than 2^39 weights, or a misaligned `out`. Equal to the reference bit for bit: a weight is one
/// fp32 product.
cudaError_t nf4_dequantize_cuda(const uint8_t* codes, const float* absmax, float* out,
                                int64_t count, cudaStream_t stream);

}  // namespace plumb::models
