#include "models/kernels/cross_entropy_gradient.h"
#include "models/kernels/kernels_cuda.h"
#include "models/kernels/thread_block_cuda.h"

namespace plumb::models {
namespace {

template <typename X>
__global__ void __launch_bounds__(kLossThreads) losses_of_rows(const CrossEntropy loss, bool wide) {
  CudaBlock<kLossThreads> block;
  cross_entropy_block<X>(block, loss, wide);
}

}  // namespace

const char* cross_entropy_cuda(const CrossEntropy& c, cudaStream_t stream) {
  if (const char* why = refusal(c)) return why;
  if (c.rows == 0) return nullptr;
  const auto grid = static_cast<unsigned>(c.rows);
  if (c.type == Element::kFp32)
    losses_of_rows<float><<<grid, kLossThreads, 0, stream>>>(c, is_wide<float>(c));
  else
    losses_of_rows<Bf16><<<grid, kLossThreads, 0, stream>>>(c, is_wide<Bf16>(c));
  return cuda_message(cudaGetLastError());
}

}  // namespace plumb::models
