#include "models/compute_device.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <link.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>

#include "base/error.h"

namespace plumb::models {

namespace {

namespace fs = std::filesystem;

/// The folder of the libtorch_cpu.so that this process runs on, whoever's it is.
fs::path torch_folder() {
  fs::path found;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        const fs::path file = info->dlpi_name;
        if (!file.filename().string().starts_with("libtorch_cpu.")) return 0;
        *static_cast<fs::path*>(out) = file.parent_path();
        return 1;
      },
      &found);
  return found;
}

/// Opens the library that registers a device's operations, for the whole process: its symbols are for the libraries
/// that it needs in turn. Why it cannot be, or empty.
std::string open_aten_library(const char* name) {
  const fs::path folder = torch_folder(), beside = folder / name;
  std::error_code ignored;
  const bool there = fs::exists(beside, ignored);
  if (dlopen(there ? beside.c_str() : name, RTLD_NOW | RTLD_GLOBAL) != nullptr) return {};
  const char* message = dlerror();
  return text("'", name, "' does not load: ", message != nullptr ? message : "unknown reason",
              there ? text("; it lies in '", folder.string(),
                           "', but the libraries that it needs do not: install torch into that "
                           "Python environment together with what it depends on")
                    : text("; the libtorch in '", folder.string(), "' is one for the CPU alone"),
              ", or put the torch/lib of an environment that has them into LD_LIBRARY_PATH");
}

/// Sums come out the same each time and are no less exact than fp32 is.
void demand_exact_arithmetic() {
  // cuBLAS repeats its results with workspaces of fixed size only; it reads this when it starts.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  context.setDeterministicFillUninitializedMemory(false);
  context.setFloat32MatmulPrecision("highest");
  context.setAllowTF32CuBLAS(false);
  context.setAllowBF16ReductionCuBLAS(false);
  context.setAllowFP16BF16ReductionMathSDP(false);
  context.setSDPUseCuDNN(false);  // the two others are repeatable whatever the shapes
}

/// Why products on the device cannot be trusted, or empty. The first operation finds what loading does not: a device
/// that is taken, or one that libtorch has no code for.
std::string try_product(c10::Device device) {
  const at::Tensor ones = at::full({64, 64}, 1.0, at::TensorOptions(device));
  const float sum = at::mm(ones, ones).sum().to(at::kCPU).item<float>();
  return sum == 64.0f * 64 * 64 ? "" : text("a product of ones sums up to ", sum);
}

std::string first_line(const std::string& words) { return words.substr(0, words.find('\n')); }

/// Makes ready what `plugin` has opened.
ComputeDevice make_ready(const Plugin& plugin) {
  ComputeDevice out;
  out.reason = plugin.reason;
  if (plugin.table == nullptr) return out;
  const KernelTable& table = *plugin.table;
  const auto without = [&](const std::string& why) {
    out.reason = text("device '", table.device_name, "': ", why);
    return out;
  };
  if (table.aten_device == nullptr) return without("its plug-in names no device of ATen");
  if (table.aten_library != nullptr)
    if (const std::string why = open_aten_library(table.aten_library); !why.empty())
      return without(why);
  try {
    const c10::Device device(table.aten_device);
    if (!c10::impl::hasDeviceGuardImpl(device.type()) ||
        c10::impl::getDeviceGuardImpl(device.type())->deviceCount() <= device.index())
      return without(text("libtorch finds no device '", table.aten_device, "'"));
    demand_exact_arithmetic();
    if (const std::string why = try_product(device); !why.empty()) return without(why);
    out.device = device;
  } catch (const c10::Error& error) {
    return without(first_line(error.what_without_backtrace()));
  }
  out.name = table.device_name;
  out.kernels = &table;
  return out;
}

/// Of each type of device the table that its operations go with.
std::atomic<const KernelTable*>& table_of(c10::DeviceType type) {
  static std::array<std::atomic<const KernelTable*>, c10::COMPILE_TIME_MAX_DEVICE_TYPES> tables{};
  return tables.at(static_cast<size_t>(type));
}

/// Opened once for each file; "" is the CUDA plug-in.
const ComputeDevice& opened(const std::string& file) {
  static std::mutex mutex;
  static std::map<std::string, ComputeDevice> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find(file);
  if (found != known.end()) return found->second;
  const ComputeDevice& made =
      known.emplace(file, make_ready(file.empty() ? cuda_plugin() : open_plugin(file)))
          .first->second;
  if (!made.is_cpu()) table_of(made.device.type()) = made.kernels;
  return made;
}

}  // namespace

DeviceFacts ComputeDevice::facts() const {
  DeviceFacts facts{};
  if (kernels == nullptr || kernels->device_facts == nullptr) return facts;
  if (kernels->device_facts(std::max<int>(0, device.index()), &facts) != nullptr) return {};
  return facts;
}

const KernelTable* kernels_of(c10::Device device) {
  return device.is_cpu() ? nullptr : table_of(device.type()).load();
}

void* native_stream(c10::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device).native_handle();
}

ComputeDevice open_device(std::string_view choice) {
  if (choice == "cpu") return {};
  const bool file = choice.ends_with(".so");
  if (choice != "cuda" && choice != "auto" && !file)
    throw Error(
        ErrorKind::kUsage,
        text("device is '", choice, "', needed cpu, cuda, auto or the file of a plug-in (.so)"));
  const ComputeDevice& device = opened(file ? std::string(choice) : "");
  if (device.is_cpu() && choice != "auto")
    throw Error(ErrorKind::kResource, text("no device '", choice, "' to run on: ", device.reason,
                                           "; --device cpu needs none of it"));
  return device;
}

}  // namespace plumb::models
