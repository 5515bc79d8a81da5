// The one symbol that the CUDA plug-in exports: the table of its kernels, as plain C functions that return nullptr or
// why not.

#include <cuda_runtime_api.h>

#include <cstdio>

#include "models/device.h"
#include "models/kernels/kernels_cuda.h"
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

int attribute(cudaDeviceAttr which, int index) {
  int value = 0;
  return cudaDeviceGetAttribute(&value, which, index) == cudaSuccess ? value : 0;
}

/// Of a multiprocessor in a clock (CUDA C++ Programming Guide, "Arithmetic Instructions"): 64 in compute capabilities 7.5 and 8.0, 128
/// in those after.
double fused_additions_a_clock(int major, int minor) {
  return major < 8 || (major == 8 && minor == 0) ? 64 : 128;
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
  if (cudaDeviceGetPCIBusId(facts->pci_bus_id, sizeof facts->pci_bus_id, index) != cudaSuccess)
    facts->pci_bus_id[0] = '\0';
  // Clocks are in kHz; memory moves data on both edges.
  facts->peak_bytes_per_second = 2e3 * attribute(cudaDevAttrMemoryClockRate, index) *
                                 attribute(cudaDevAttrGlobalMemoryBusWidth, index) / 8;
  facts->peak_fp32_per_second = 2e3 * attribute(cudaDevAttrClockRate, index) *
                                properties.multiProcessorCount *
                                fused_additions_a_clock(properties.major, properties.minor);
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
  return message(nf4_dequantize_cuda(codes, absmax, out, count, static_cast<cudaStream_t>(stream)));
}

cudaStream_t native(void* stream) { return static_cast<cudaStream_t>(stream); }

const char* quantize(const float* weights, uint8_t* codes, float* absmax, int64_t* bad,
                     int64_t count, void* stream) {
  return nf4_quantize_cuda({weights, codes, absmax, bad, count}, native(stream));
}

const char* expand(const Nf4Matrix* weight, void* out, Element type, void* stream) {
  return nf4_expand_cuda(*weight, out, type, native(stream));
}

/// A kernel of one struct as the table has it.
template <typename Arguments, const char* (*kKernel)(const Arguments&, cudaStream_t)>
const char* with_stream(const Arguments* arguments, void* stream) {
  return kKernel(*arguments, native(stream));
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
    .nf4_quantize = quantize,
    .nf4_expand = expand,
    .lora_product = with_stream<LoraProduct, lora_product_cuda>,
    .rms_norm = with_stream<RmsNorm, rms_norm_cuda>,
    .rms_norm_gradient = with_stream<RmsNormGradient, rms_norm_gradient_cuda>,
    .rotate_heads = with_stream<HeadRotation, rotate_heads_cuda>,
    .rotate_heads_gradient = with_stream<HeadRotation, rotate_heads_gradient_cuda>,
    .cross_entropy = with_stream<CrossEntropy, cross_entropy_cuda>,
    .adamw_step = with_stream<AdamWStep, adamw_step_cuda>,
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
