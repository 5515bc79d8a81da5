// Stands in for a device plug-in in tests. Device memory is host memory, so callers of the table
// can be tested without a device; the macros make plug-ins that are wrong in one way each.

#include <cstdlib>
#include <cstring>

#include "models/device.h"
#include "models/kernels/nf4.h"
#if defined(PLUMB_FAKE_GOOD)
#include "models/kernels/emulated_kernels.h"
#endif

namespace plumb::models {
namespace {

const char* device_count(int* count) {
#if defined(PLUMB_FAKE_MUTE)
  *count = 0;
  return "the driver is asleep";
#elif defined(PLUMB_FAKE_EMPTY)
  *count = 0;
  return nullptr;
#else
  *count = 1;
  return nullptr;
#endif
}

const char* nf4_dequantize(const uint8_t* codes, const float* absmax, float* out, int64_t count,
                           void*) {
  for (int64_t i = 0; i < count; ++i) {
    const unsigned code = i % 2 == 0 ? codes[i / 2] >> 4u : codes[i / 2] & 0x0Fu;
    out[i] = kNf4Levels[code] * absmax[i / kNf4Block];
  }
  return nullptr;
}

const char* allocate(void** pointer, uint64_t bytes) {
  *pointer = std::malloc(bytes);
  return *pointer != nullptr ? nullptr : "out of memory";
}

const char* release(void* pointer) {
  std::free(pointer);
  return nullptr;
}

const char* copy(void* to, const void* from, uint64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);  // no bytes may come with no pointer
  return nullptr;
}

constexpr KernelTable kTable = {
#if defined(PLUMB_FAKE_OLD)
    .version = kKernelTableVersion + 1,
#else
    .version = kKernelTableVersion,
#endif
    .device_name = "fake",
#if defined(PLUMB_FAKE_CUDA)
    .aten_device = "cuda:0",
    .aten_library = "libtorch_cuda.so",
#else
    .aten_device = nullptr,
    .aten_library = nullptr,
#endif
    .device_count = device_count,
    .device_facts = nullptr,
    .nf4_dequantize = nf4_dequantize,
#if defined(PLUMB_FAKE_GOOD)
    .nf4_quantize = emulated::nf4_quantize,
    .nf4_expand = emulated::nf4_expand,
    .lora_product = emulated::lora_product,
    .rms_norm = emulated::rms_norm,
    .rms_norm_gradient = emulated::rms_norm_gradient,
    .rotate_heads = emulated::rotate_heads,
    .rotate_heads_gradient = emulated::rotate_heads_gradient,
    .cross_entropy = emulated::cross_entropy,
    .adamw_step = emulated::adamw_step,
#endif
    .allocate = allocate,
    .release = release,
    .copy_to_device = copy,
    .copy_to_host = copy,
};

}  // namespace
}  // namespace plumb::models

extern "C" const plumb::models::KernelTable* plumb_kernel_table() { return &plumb::models::kTable; }
