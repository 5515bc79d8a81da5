#include "models/kernels/head_rotation.h"
#include "models/kernels/kernels_cuda.h"
#include "models/kernels/thread_block_cuda.h"

namespace plumb::models {
namespace {

template <typename X>
__global__ void __launch_bounds__(kRotationThreads) rotate(const HeadRotation heads) {
  CudaBlock<kRotationThreads> block;
  rotate_heads_block<X>(block, heads);
}

template <typename X>
__global__ void __launch_bounds__(kRotationThreads) rotate_gradient(const HeadRotation heads) {
  CudaBlock<kRotationThreads> block;
  rotate_heads_gradient_block<X>(block, heads);
}

}  // namespace

const char* rotate_heads_cuda(const HeadRotation& h, cudaStream_t stream) {
  if (const char* why = refusal(h, false)) return why;
  if (h.rows == 0 || h.heads == 0) return nullptr;
  const auto grid = static_cast<unsigned>(rotation_blocks(h));
  if (h.x_type == Element::kFp32)
    rotate<float><<<grid, kRotationThreads, 0, stream>>>(h);
  else
    rotate<Bf16><<<grid, kRotationThreads, 0, stream>>>(h);
  return cuda_message(cudaGetLastError());
}

const char* rotate_heads_gradient_cuda(const HeadRotation& h, cudaStream_t stream) {
  if (const char* why = refusal(h, true)) return why;
  if (h.rows == 0 || h.heads == 0) return nullptr;
  const auto grid = static_cast<unsigned>(rotation_blocks(h));
  if (h.x_type == Element::kFp32)
    rotate_gradient<float><<<grid, kRotationThreads, 0, stream>>>(h);
  else
    rotate_gradient<Bf16><<<grid, kRotationThreads, 0, stream>>>(h);
  return cuda_message(cudaGetLastError());
}

}  // namespace plumb::models
