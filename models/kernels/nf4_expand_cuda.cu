#include "models/kernels/kernels_cuda.h"
#include "models/kernels/nf4_expand.h"
#include "models/kernels/thread_block_cuda.h"

namespace plumb::models {
namespace {

constexpr size_t kTableBytes = 16 * sizeof(float);

template <typename Y>
__global__ void __launch_bounds__(kExpandThreads)
    expand(const Nf4Matrix weight, Y* out, const std::array<float, 16> levels) {
  CudaBlock<kExpandThreads> block;
  nf4_expand_block(block, weight, out, levels);
}

struct FirstBad {
  __host__ __device__ void operator()([[maybe_unused]] int64_t* place,
                                      [[maybe_unused]] int64_t index) const {
#if defined(__CUDA_ARCH__)
    atomicMin(reinterpret_cast<long long*>(place), static_cast<long long>(index));
#endif
  }
};

__global__ void __launch_bounds__(kQuantizeThreads)
    quantize(const Nf4Quantize q, const std::array<float, 15> bounds) {
  CudaBlock<kQuantizeThreads> block;
  nf4_quantize_block(block, q, bounds, FirstBad());
}

}  // namespace

const char* nf4_expand_cuda(const Nf4Matrix& w, void* out, Element type, cudaStream_t stream) {
  if (const char* why = refusal(w, out, type)) return why;
  if (w.rows == 0 || w.columns == 0) return nullptr;
  const auto grid = static_cast<unsigned>(expand_blocks(w));
  if (type == Element::kFp32)
    expand<<<grid, kExpandThreads, kTableBytes, stream>>>(w, static_cast<float*>(out), kNf4Levels);
  else
    expand<<<grid, kExpandThreads, kTableBytes, stream>>>(w, static_cast<Bf16*>(out), kNf4Levels);
  return cuda_message(cudaGetLastError());
}

const char* nf4_quantize_cuda(const Nf4Quantize& q, cudaStream_t stream) {
  if (const char* why = refusal(q)) return why;
  if (q.count == 0) return nullptr;
  quantize<<<static_cast<unsigned>(quantize_blocks(q.count)), kQuantizeThreads, kTableBytes,
             stream>>>(q, kNf4Bounds);
  return cuda_message(cudaGetLastError());
}

}  // namespace plumb::models
