#pragma once

#include <cuda_runtime.h>

#include "models/kernels/thread_block.h"

namespace plumb::models {

/// A block of a CUDA device (thread_block.h says what a block is), one-dimensional, of kThreads threads, all of which are there: no
/// thread leaves a kernel before the last sum.
template <int kThreads>
class CudaBlock {
 public:
  static constexpr int kCount = kThreads;
  /// A register of the calling thread.
  template <typename T>
  struct Private {
    T value;
    __host__ __device__ T& operator[](int) { return value; }
    __host__ __device__ const T& operator[](int) const { return value; }
  };

#if defined(__CUDA_ARCH__)
  __device__ int64_t index() const { return blockIdx.x; }
  template <typename T>
  __device__ T* shared() {
    extern __shared__ __align__(16) unsigned char plumb_shared[];
    return reinterpret_cast<T*>(plumb_shared);
  }
  __device__ void sync() { __syncthreads(); }
  template <typename Work>
  __device__ void each(const Work& work) {
    work(static_cast<int>(threadIdx.x));
  }
  __device__ void warp_sum(Private<float>& v) {
    for (int offset = kWarp / 2; offset > 0; offset /= 2)
      v.value = v.value + __shfl_xor_sync(0xffffffffu, v.value, offset);
  }
  __device__ void warp_largest(Private<float>& v) {
    for (int offset = kWarp / 2; offset > 0; offset /= 2)
      v.value = fmaxf(v.value, __shfl_xor_sync(0xffffffffu, v.value, offset));
  }
  __device__ float sum(Private<float>& v) {
    warp_sum(v);
    return over_warps(v.value, [](float a, float b) { return a + b; });
  }
  __device__ float largest(Private<float>& v) {
    warp_largest(v);
    return over_warps(v.value, [](float a, float b) { return fmaxf(a, b); });
  }

 private:
  template <typename Join>
  __device__ float over_warps(float mine, const Join& join) {
    __shared__ float warps[kThreads / kWarp];
    if constexpr (kThreads == kWarp) return mine;
    __syncthreads();  // the sum before may still be read
    if (threadIdx.x % kWarp == 0) warps[threadIdx.x / kWarp] = mine;
    __syncthreads();
    float all = warps[0];
    for (int warp = 1; warp < kThreads / kWarp; ++warp) all = join(all, warps[warp]);
    return all;
  }
#else
  // The host's half of the compiler only needs to know that they are there.
  __host__ __device__ int64_t index() const { return 0; }
  template <typename T>
  __host__ __device__ T* shared() {
    return nullptr;
  }
  __host__ __device__ void sync() {}
  template <typename Work>
  __host__ __device__ void each(const Work&) {}
  __host__ __device__ void warp_sum(Private<float>&) {}
  __host__ __device__ void warp_largest(Private<float>&) {}
  __host__ __device__ float sum(Private<float>&) { return 0; }
  __host__ __device__ float largest(Private<float>&) { return 0; }
#endif
};

/// Whether a grid of so many blocks can be launched.
inline bool is_launchable(int64_t blocks) { return blocks > 0 && blocks <= INT32_MAX; }

inline const char* cuda_message(cudaError_t status) {
  return status == cudaSuccess ? nullptr : cudaGetErrorString(status);
}

}  // namespace plumb::models
