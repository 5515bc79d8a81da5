#include "models/device.h"

#include <dlfcn.h>

#include <cstdlib>
#include <system_error>
#include <vector>

#include "base/error.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCudaPlugin = "libplumb_cuda.so";

std::string last_dl_error() {
  const char* message = dlerror();
  return message != nullptr ? message : "unknown reason";
}

std::vector<fs::path> cuda_plugin_candidates() {
  if (const char* named = std::getenv("PLUMB_CUDA_PLUGIN"); named != nullptr && *named != '\0')
    return {named};
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  return {folder / kCudaPlugin, folder.parent_path() / "lib" / "plumb" / kCudaPlugin};
}

Plugin find_cuda_plugin() {
  for (const fs::path& file : cuda_plugin_candidates()) {
    std::error_code ignored;
    if (fs::exists(file, ignored)) return open_plugin(file);
  }
  return {nullptr,
          text("found no '", kCudaPlugin,
               "' beside the program; build it where nvcc is (`cmake --preset cuda`) or name "
               "it in PLUMB_CUDA_PLUGIN")};
}

}  // namespace

Plugin open_plugin(const fs::path& file) {
  const std::string name = file.filename().string();
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return {nullptr, text("'", name, "' does not load: ", last_dl_error())};

  using TableFunction = const KernelTable* (*)();
  const auto table_function = reinterpret_cast<TableFunction>(dlsym(library, kKernelTableSymbol));
  if (table_function == nullptr)
    return {nullptr,
            text("'", name, "' exports no '", kKernelTableSymbol, "': it is no Plumb plug-in")};
  const KernelTable* table = table_function();
  if (table == nullptr || table->version != kKernelTableVersion)
    return {nullptr,
            text("'", name, "' has kernel table version ", table != nullptr ? table->version : 0,
                 ", needed is ", kKernelTableVersion, "; build it together with this program")};

  if (table->device_name == nullptr || table->device_count == nullptr)
    return {nullptr, text("'", name, "' has a table without device_name or device_count")};
  int count = 0;
  if (const char* why = table->device_count(&count); why != nullptr)
    return {nullptr, text("'", name, "' found no usable ", table->device_name, " device: ", why)};
  if (count < 1) return {nullptr, text("'", name, "' found no ", table->device_name, " device")};
  return {table, ""};
}

const Plugin& cuda_plugin() {
  static const Plugin plugin = find_cuda_plugin();
  return plugin;
}

const KernelTable& cuda_kernels() {
  const Plugin& plugin = cuda_plugin();
  if (plugin.table == nullptr)
    throw Error(ErrorKind::kResource, text("no CUDA device: ", plugin.reason));
  return *plugin.table;
}

std::string cuda_unavailable_reason() { return cuda_plugin().reason; }

}  // namespace plumb::models
