#include "models/kernels/kernels_cuda.h"
#include "models/kernels/nf4_product.h"
#include "models/kernels/thread_block_cuda.h"

namespace plumb::models {
namespace {

template <int kBatch, typename X>
__global__ void __launch_bounds__(kProductThreads)
    product_rows(const Nf4Product product, int64_t first, const std::array<float, 16> levels) {
  CudaBlock<kProductThreads> block;
  nf4_product_block<kBatch, X>(block, product, first, levels);
}

}  // namespace

const char* nf4_product_cuda(const Nf4Product& p, cudaStream_t stream) {
  if (const char* why = refusal(p)) return why;
  if (p.batch == 0 || p.weight.rows == 0) return nullptr;
  const auto grid = static_cast<unsigned>(product_blocks(p));
  in_batches(p.batch, [&](int64_t first, auto size) {
    constexpr int kBatch = size();
    const size_t shared = product_shared_bytes(kBatch);
    if (p.x_type == Element::kFp32)
      product_rows<kBatch, float><<<grid, kProductThreads, shared, stream>>>(p, first, kNf4Levels);
    else
      product_rows<kBatch, Bf16><<<grid, kProductThreads, shared, stream>>>(p, first, kNf4Levels);
  });
  return cuda_message(cudaGetLastError());
}

}  // namespace plumb::models
