#include "models/kernels/kernels_cuda.h"
#include "models/kernels/lora_product.h"
#include "models/kernels/thread_block_cuda.h"

namespace plumb::models {
namespace {

template <typename X>
__global__ void __launch_bounds__(kLoraThreads) low_of(const LoraProduct product, bool wide) {
  CudaBlock<kLoraThreads> block;
  lora_low_block<X>(block, product, wide);
}

__global__ void __launch_bounds__(kLoraThreads) add_to(const LoraProduct product, bool wide) {
  CudaBlock<kLoraThreads> block;
  lora_add_block(block, product, wide);
}

template <typename X>
void launch_low(const LoraProduct& p, cudaStream_t stream) {
  const bool wide = reads_in_fours(static_cast<const X*>(p.x), p.in) && reads_in_fours(p.a, p.in);
  low_of<X><<<static_cast<unsigned>(lora_low_blocks(p)), kLoraThreads, 0, stream>>>(p, wide);
}

}  // namespace

const char* lora_product_cuda(const LoraProduct& p, cudaStream_t stream) {
  if (const char* why = refusal(p)) return why;
  if (p.rows == 0 || p.rank == 0 || p.out == 0) return nullptr;
  p.x_type == Element::kFp32 ? launch_low<float>(p, stream) : launch_low<Bf16>(p, stream);
  if (const char* why = cuda_message(cudaGetLastError())) return why;
  add_to<<<static_cast<unsigned>(lora_add_blocks(p)), kLoraThreads, lora_shared_bytes(p), stream>>>(
      p, reads_in_fours(p.b, p.rank));
  return cuda_message(cudaGetLastError());
}

}  // namespace plumb::models
