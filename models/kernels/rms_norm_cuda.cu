#include "models/kernels/kernels_cuda.h"
#include "models/kernels/rms_norm.h"
#include "models/kernels/thread_block_cuda.h"

namespace plumb::models {
namespace {

template <typename X, typename Y>
__global__ void __launch_bounds__(kNormThreads) norm_rows(const RmsNorm n, bool wide) {
  CudaBlock<kNormThreads> block;
  rms_norm_block<X, Y>(block, n, wide);
}

template <typename X>
__global__ void __launch_bounds__(kNormThreads)
    norm_rows_gradient(const RmsNormGradient n, bool wide) {
  CudaBlock<kNormThreads> block;
  rms_norm_gradient_block<X>(block, n, wide);
}

}  // namespace

const char* rms_norm_cuda(const RmsNorm& n, cudaStream_t stream) {
  if (const char* why = refusal(n)) return why;
  if (n.rows == 0) return nullptr;
  const auto grid = static_cast<unsigned>(n.rows);
  with_types(n.x_type, [&](auto x) {
    with_types(n.y_type, [&](auto y) {
      using X = decltype(x);
      using Y = decltype(y);
      norm_rows<X, Y><<<grid, kNormThreads, 0, stream>>>(n, is_wide<X, Y>(n));
    });
  });
  return cuda_message(cudaGetLastError());
}

const char* rms_norm_gradient_cuda(const RmsNormGradient& n, cudaStream_t stream) {
  if (const char* why = refusal(n)) return why;
  if (n.rows == 0) return nullptr;
  const auto grid = static_cast<unsigned>(n.rows);
  with_types(n.x_type, [&](auto x) {
    using X = decltype(x);
    norm_rows_gradient<X><<<grid, kNormThreads, 0, stream>>>(n, is_wide<X>(n));
  });
  return cuda_message(cudaGetLastError());
}

}  // namespace plumb::models
