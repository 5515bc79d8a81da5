#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace plumb::models {

/// Version of the table below; a plug-in built for another one is refused by name.
inline constexpr uint32_t kKernelTableVersion = 1;

/// The kernels that a device plug-in provides: plain C functions over device pointers, so that a
/// plug-in for another vendor's device needs this header alone. Every function returns nullptr, or
/// a message that lives as long as the plug-in. Pointers are device memory, rows contiguous;
/// `stream` is the device's native stream or nullptr.
struct KernelTable {
  uint32_t version = 0;
  const char* device_name = nullptr;  ///< "cuda"

  /// Devices that can be used now, or the reason why there is none.
  const char* (*device_count)(int* count) = nullptr;

  /// NF4 weights to fp32: codes [count / 2 rounded up] with the first of two weights in the high
  /// nibble, absmax [ceil(count / 64)] fp32, out [count] fp32. See models/kernels/nf4.h for the
  /// format.
  const char* (*nf4_dequantize)(const uint8_t* codes, const float* absmax, float* out,
                                int64_t count, void* stream) = nullptr;

  /// Copies between host and device, and device memory; synchronous.
  const char* (*allocate)(void** pointer, uint64_t bytes) = nullptr;
  const char* (*release)(void* pointer) = nullptr;
  const char* (*copy_to_device)(void* device, const void* host, uint64_t bytes) = nullptr;
  const char* (*copy_to_host)(void* host, const void* device, uint64_t bytes) = nullptr;
};

/// The one symbol that a plug-in exports: `extern "C" const plumb::models::KernelTable*
/// plumb_kernel_table();`
inline constexpr const char* kKernelTableSymbol = "plumb_kernel_table";

/// A plug-in that was opened: its table, or why it cannot be used (then the table is nullptr).
struct Plugin {
  const KernelTable* table = nullptr;
  std::string reason;
};

/// Opens the plug-in at `file` and asks it for its devices. It stays open until the process ends,
/// because its messages and functions must. Never throws for what the file is or does.
Plugin open_plugin(const std::filesystem::path& file);

/// The CUDA plug-in's table, looked for once: the file that the environment's PLUMB_CUDA_PLUGIN
/// names, else libplumb_cuda.so beside the program or in ../lib/plumb of an installed one.
/// Error{kResource} with the reason when the plug-in is not there, does not load, is of another
/// version, or finds no device.
const KernelTable& cuda_kernels();

/// Why `cuda_kernels` would throw, or empty.
std::string cuda_unavailable_reason();

}  // namespace plumb::models
