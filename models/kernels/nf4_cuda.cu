#include "models/kernels/nf4.h"
#include "models/kernels/nf4_cuda.h"

namespace plumb::models {
namespace {

constexpr int kThreads = 256;

// One thread per code byte: the byte is read once and both its weights are written as one float2,
// so a warp touches 32 contiguous code bytes and 256 contiguous output bytes. A pair never
// straddles a scale block, because kNf4Block is even. The levels lie in shared memory: their
// indices differ within a warp, which constant memory would serialise.
__global__ void dequantize_pairs(const uint8_t* __restrict__ codes,
                                 const float* __restrict__ absmax, float* __restrict__ out,
                                 int64_t count, const std::array<float, 16> levels) {
  __shared__ float table[16];
  if (threadIdx.x < 16) table[threadIdx.x] = levels[threadIdx.x];
  __syncthreads();
  const int64_t pair = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int64_t first = 2 * pair;
  if (first >= count) return;
  const float scale = absmax[first / kNf4Block];
  const unsigned code = codes[pair];
  const float even = table[code >> 4] * scale;
  if (first + 1 < count) {
    reinterpret_cast<float2*>(out)[pair] = {even, table[code & 0x0F] * scale};
  } else {
    out[first] = even;  // an odd last weight
  }
}

}  // namespace

cudaError_t nf4_dequantize_cuda(const uint8_t* codes, const float* absmax, float* out,
                                int64_t count, cudaStream_t stream) {
  if (count <= 0) return count == 0 ? cudaSuccess : cudaErrorInvalidValue;
  const int64_t grid = (nf4_code_bytes(count) + kThreads - 1) / kThreads;
  if (grid > INT32_MAX || reinterpret_cast<uintptr_t>(out) % sizeof(float2) != 0)
    return cudaErrorInvalidValue;
  dequantize_pairs<<<static_cast<unsigned>(grid), kThreads, 0, stream>>>(codes, absmax, out, count,
                                                                         kNf4Levels);
  return cudaGetLastError();
}

}  // namespace plumb::models
