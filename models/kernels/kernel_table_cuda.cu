// The one symbol that the CUDA plug-in exports: the table of its kernels, as plain C functions that return nullptr or
// why not.

#include <cuda_runtime_api.h>

#include <cstdio>

#include "models/device.h"
#include "models/kernels/nf4_cuda.h"

namespace plumb::models {
namespace {

const char* message(cudaError_t status) {
  return status == cudaSuccess ? nullptr : cudaGetErrorString(status);
}

const char* device_count(int* count) {
  *count = 0;
  const char* why = message(cudaGetDeviceCount(count));
  if (why != nullptr) *count = 0;
  return why;
}

const char* device_facts(int index, DeviceFacts* facts) {
  *facts = {};
  cudaDeviceProp properties;
  if (const char* why = message(cudaGetDeviceProperties(&properties, index))) return why;
  std::snprintf(facts->name, sizeof facts->name, "%.90s, compute capability %d.%d", properties.name,
                properties.major, properties.minor);
  int driver = 0;
  if (const char* why = message(cudaDriverGetVersion(&driver))) return why;
  std::snprintf(facts->driver, sizeof facts->driver, "CUDA driver %d.%d", driver / 1000,
                driver % 1000 / 10);
  int before = 0;
  if (const char* why = message(cudaGetDevice(&before))) return why;
  if (const char* why = message(cudaSetDevice(index))) return why;
  size_t free = 0, total = 0;
  const char* why = message(cudaMemGetInfo(&free, &total));
  cudaSetDevice(before);
  facts->free_bytes = free;
  facts->total_bytes = total;
  return why;
}

const char* nf4_dequantize(const uint8_t* codes, const float* absmax, float* out, int64_t count,
                           void* stream) {
  return message(
      nf4_dequantize_cuda(codes, absmax, out, count, static_cast<cudaStream_t>(stream)));
}

const char* allocate(void** pointer, uint64_t bytes) { return message(cudaMalloc(pointer, bytes)); }

const char* release(void* pointer) { return message(cudaFree(pointer)); }

const char* copy_to_device(void* device, const void* host, uint64_t bytes) {
  return message(cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice));
}

const char* copy_to_host(void* host, const void* device, uint64_t bytes) {
  return message(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost));
}

constexpr KernelTable kTable = {
    .version = kKernelTableVersion,
    .device_name = "cuda",
    .aten_device = "cuda:0",
    .aten_library = "libtorch_cuda.so",
    .device_count = device_count,
    .device_facts = device_facts,
    .nf4_dequantize = nf4_dequantize,
    .allocate = allocate,
    .release = release,
    .copy_to_device = copy_to_device,
    .copy_to_host = copy_to_host,
};

}  // namespace
}  // namespace plumb::models

extern "C" __attribute__((visibility("default"))) const plumb::models::KernelTable*
plumb_kernel_table() {
  return &plumb::models::kTable;
}
