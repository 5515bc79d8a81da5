#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "models/device.h"
#include "models/kernels/nf4_expand.h"

/// The CUDA versions of what models/device.h describes: asynchronous on `stream`, nullptr or why nothing was launched.
namespace plumb::models {

const char* nf4_quantize_cuda(const Nf4Quantize& quantize, cudaStream_t stream);
const char* nf4_expand_cuda(const Nf4Matrix& weight, void* out, Element type, cudaStream_t stream);
const char* lora_product_cuda(const LoraProduct& product, cudaStream_t stream);
const char* rms_norm_cuda(const RmsNorm& norm, cudaStream_t stream);
const char* rms_norm_gradient_cuda(const RmsNormGradient& norm, cudaStream_t stream);
const char* rotate_heads_cuda(const HeadRotation& heads, cudaStream_t stream);
const char* rotate_heads_gradient_cuda(const HeadRotation& heads, cudaStream_t stream);
const char* cross_entropy_cuda(const CrossEntropy& loss, cudaStream_t stream);
const char* adamw_step_cuda(const AdamWStep& step, cudaStream_t stream);

}  // namespace plumb::models
