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
inline constexpr uint32_t kKernelTableVersion = 5;

/// What a device is, for provenance and for the memory limit. Texts end with a NUL.
struct DeviceFacts {
  char name[128];        ///< of the product
  char driver[64];       ///< with its version
  uint64_t total_bytes;  ///< of device memory
  uint64_t free_bytes;   ///< of it now, whoever holds the rest
  /// By its data sheet's formulas, for what a benchmark reached of them; 0 where the device does not say.
  double peak_bytes_per_second;  ///< of its memory
  double
      peak_fp32_per_second;  ///< floating-point operations, a fused multiplication and addition being two
  /// "domain:bus:device.function", such as "0000:65:00.0", by which the driver's own library knows the device whatever
  /// number this process has for it; empty where it has none.
  char pci_bus_id[32];
};

/// How values are stored where a kernel takes both.
enum class Element : uint32_t { kFp32 = 0, kBf16 = 1 };

/// A matrix of frozen weights [rows, columns] in NF4 (models/kernels/nf4.h), flattened by rows. Its scales are fp32, or
/// quantised again to a byte each (models/kernels/nf4_quantize.h):
///
///     absmax[i] = map[scale_codes[i]] * scales[i / 256] + offset
struct Nf4Matrix {
  const uint8_t* codes = nullptr;  ///< [ceil(rows * columns / 2)]
  const float* absmax = nullptr;   ///< [ceil(rows * columns / 64)], or nullptr for the four below
  const uint8_t* scale_codes = nullptr;  ///< as many
  const float* scales = nullptr;         ///< [ceil(as many / 256)]
  const float* map = nullptr;            ///< [256]
  float offset = 0;
  int64_t rows = 0, columns = 0;
};

/// low = x A^T; y += scale * low B^T. `low` is kept for the backward pass.
struct LoraProduct {
  const void* x = nullptr;  ///< [rows, in]
  Element x_type = Element::kFp32;
  const float* a = nullptr;  ///< [rank, in], rank at most 256
  const float* b = nullptr;  ///< [out, rank]
  float* low = nullptr;      ///< [rows, rank]
  float* y = nullptr;        ///< [rows, out], a row beginning y_stride values after the one before
  int64_t rows = 0, in = 0, rank = 0, out = 0, y_stride = 0;
  float scale = 0;
};

/// y = x / sqrt(mean x^2 + epsilon) * gain over each row.
struct RmsNorm {
  const void* x = nullptr;  ///< [rows, width]
  Element x_type = Element::kFp32;
  const float* gain = nullptr;  ///< [width]
  void* y = nullptr;            ///< [rows, width]
  Element y_type = Element::kFp32;
  int64_t rows = 0, width = 0;
  float epsilon = 0;
};

/// d loss / d x of it, given d loss / d y. With f = 1 / sqrt(mean x^2 + epsilon) and g = gradient * gain:
///
///     dx = f * (g - x * f^2 * mean(g * x))
struct RmsNormGradient {
  const void* x = nullptr;
  Element x_type = Element::kFp32;
  const float* gain = nullptr;
  const float* gradient = nullptr;  ///< [rows, width]
  float* dx = nullptr;              ///< [rows, width]; may be `gradient`
  int64_t rows = 0, width = 0;
  float epsilon = 0;
};

/// Heads of queries or keys as attention takes them: each head's RMS norm, where there is a gain, then rotation of its
/// first 2 * half features by the angle of its position,
///
///     y[i] = n[i] cos - n[i + half] sin,   y[i + half] = n[i + half] cos + n[i] sin,   i < half
///
/// Row r stands at position r mod tokens. x and y may be columns of wider matrices.
struct HeadRotation {
  const void* x =
      nullptr;  ///< [rows, heads, width], a row beginning x_stride values after the one before
  Element x_type = Element::kFp32;
  int64_t x_stride = 0;
  const float* gain = nullptr;                     ///< [width], or nullptr: no norm
  const float *cosine = nullptr, *sine = nullptr;  ///< [tokens, half]
  float* y = nullptr;  ///< as x, by y_stride; of the gradient d loss / d y
  int64_t y_stride = 0;
  float* dx = nullptr;  ///< of the gradient alone: as x, by dx_stride; nullptr forward
  int64_t dx_stride = 0;
  int64_t rows = 0, tokens = 0, heads = 0, width = 0, half = 0;
  float epsilon = 0;
};

/// Rows of logits to -ln p of their targets in nats and, in place, to d (scale * sum of them) / d logits:
///
///     loss = ln sum exp logits - logits[target],   logits <- scale * (softmax(logits) - [target])
///
/// A target outside of the vocabulary makes its loss NaN and its row 0.
struct CrossEntropy {
  void* logits = nullptr;  ///< [rows, vocabulary]
  Element type = Element::kFp32;
  const int64_t* targets = nullptr;  ///< [rows]
  float* losses = nullptr;           ///< [rows]
  int64_t rows = 0, vocabulary = 0;
  float scale = 0;
  bool gradient = false;  ///< false: the logits stay as they are
};

/// One step of AdamW as torch.optim has it (healing/adamw.h), its factors made once in double:
///
///     g <- clip * g;   p <- keep * p;   m <- beta1 m + (1 - beta1) g;   v <- beta2 v + (1 - beta2) g^2
///     p <- p - rate * m / (sqrt(v) / root + epsilon)
struct AdamWStep {
  float *parameters = nullptr, *first = nullptr,
        *second = nullptr;           ///< p, m, v: [count], aligned to 16 bytes
  const float* gradients = nullptr;  ///< [count], aligned to 16 bytes
  int64_t count = 0;
  float clip = 0;                         ///< 1, or what scales the gradients to their largest norm
  float keep = 0;                         ///< 1 - learning rate * decay
  float beta1 = 0, rest1 = 0;             ///< and 1 - beta1
  float beta2 = 0, rest2 = 0;             ///< and 1 - beta2
  float rate = 0, root = 0, epsilon = 0;  ///< learning rate / (1 - beta1^t), sqrt(1 - beta2^t)
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

  /// The way back, equal to models/kernels/nf4_quantize.h bit for bit: weights [count] fp32 to codes and absmax. `*bad`, which the caller has set
  /// to INT64_MAX, becomes the number of the first weight that is not finite, if there is one; the outputs are then
  /// unspecified. Asynchronous.
  const char* (*nf4_quantize)(const float* weights, uint8_t* codes, float* absmax, int64_t* bad,
                              int64_t count, void* stream) = nullptr;
  /// A matrix with either kind of scales to values of `type`, rounded to nearest: out [rows, columns], aligned to 16 bytes.
  const char* (*nf4_expand)(const Nf4Matrix* weight, void* out, Element type,
                            void* stream) = nullptr;
  /// The kernels of a frozen decoder with adapters, each as its struct says. Asynchronous on `stream`; the struct is read
  /// before they return. They refuse null pointers, negative sizes, strides below a row's width and what they say is a limit; nothing
  /// is launched for no rows. Sums are fp32 in an order that depends on the shapes alone, so that a call gives its bits again.
  const char* (*lora_product)(const LoraProduct* product, void* stream) = nullptr;
  const char* (*rms_norm)(const RmsNorm* norm, void* stream) = nullptr;
  const char* (*rms_norm_gradient)(const RmsNormGradient* norm, void* stream) = nullptr;
  const char* (*rotate_heads)(const HeadRotation* heads, void* stream) = nullptr;
  const char* (*rotate_heads_gradient)(const HeadRotation* heads, void* stream) = nullptr;
  const char* (*cross_entropy)(const CrossEntropy* loss, void* stream) = nullptr;
  const char* (*adamw_step)(const AdamWStep* step, void* stream) = nullptr;

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
