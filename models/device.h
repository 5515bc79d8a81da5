#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace plumb::models {

/// The seam for devices. A plug-in is a shared library that exports one C function, which returns the table below; this
/// header is all that it needs of Plumb. ARCHITECTURE.md, "Devices", says what a vendor writes.
///
/// Versioning: a table of another version is refused by name; nothing in it but `version` is read then.
/// Threads: the program calls from several threads, never two of them at once for one pointer or stream.
/// Errors: a function returns nullptr, or why not, in a text that lives as long as the plug-in. None throws, prints or
/// ends the process.
/// Null: `device_count` is required. Any other function or text may be null: the program then does without, or says
/// what it lacks.
inline constexpr uint32_t kKernelTableVersion = 2;

/// What a device is, for provenance and for the memory limit. Texts end with a NUL.
struct DeviceFacts {
  char name[128];        ///< of the product
  char driver[64];       ///< with its version
  uint64_t total_bytes;  ///< of device memory
  uint64_t free_bytes;   ///< of it now, whoever holds the rest
};

/// Plain C functions. Pointers are device memory unless they say host, rows contiguous; `stream` is the device's native
/// stream or nullptr.
struct KernelTable {
  uint32_t version = 0;
  const char* device_name = nullptr;  ///< what --device calls it: "cuda"

  /// The device as ATen names it, such as "cuda:0" or "privateuseone:0". Null: no decoder runs on this device.
  const char* aten_device = nullptr;
  /// The library that registers ATen's operations for it: opened before any of them is used, from beside libtorch_cpu
  /// or where the loader finds it. Null: they are registered when the plug-in has been opened.
  const char* aten_library = nullptr;

  /// Devices that can be used now, or the reason why there is none.
  const char* (*device_count)(int* count) = nullptr;
  /// Of device `index`, from 0.
  const char* (*device_facts)(int index, DeviceFacts* facts) = nullptr;

  /// NF4 weights to fp32: codes [count / 2 rounded up] with the first of two weights in the high nibble, absmax
  /// [ceil(count / 64)] fp32, out [count] fp32. Asynchronous on `stream`. models/kernels/nf4.h has the format.
  const char* (*nf4_dequantize)(const uint8_t* codes, const float* absmax, float* out,
                                int64_t count, void* stream) = nullptr;

  /// Device memory, and copies between it and host memory; synchronous. All four or none.
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

/// The same without the error: no table, but a reason.
const Plugin& cuda_plugin();
/// Why `cuda_kernels` would throw, or empty.
std::string cuda_unavailable_reason();

}  // namespace plumb::models
