#include "models/kernels/adamw_step.h"
#include "models/kernels/kernels_cuda.h"
#include "models/kernels/thread_block_cuda.h"

namespace plumb::models {
namespace {

__global__ void __launch_bounds__(kStepThreads) step_parameters(const AdamWStep step) {
  CudaBlock<kStepThreads> block;
  adamw_block(block, step);
}

}  // namespace

const char* adamw_step_cuda(const AdamWStep& s, cudaStream_t stream) {
  if (const char* why = refusal(s)) return why;
  if (s.count == 0) return nullptr;
  step_parameters<<<static_cast<unsigned>(step_blocks(s)), kStepThreads, 0, stream>>>(s);
  return cuda_message(cudaGetLastError());
}

}  // namespace plumb::models
