#include "base/nvml.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <vector>

#include "base/error.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

// Of NVML's C interface what is used here: names, numbers and layouts as NVIDIA's "NVML API Reference Guide" (docs.nvidia.com/deploy/nvml-api) gives
// them for nvml.h.
using Device = struct NvmlDevice*;  // nvmlDevice_t, opaque
constexpr int kSuccess = 0, kInsufficientSize = 7;
constexpr int kClockSm = 1;                          // nvmlClockType_t
constexpr int kPolicyPower = 0, kPolicyThermal = 1;  // nvmlPerfPolicyType_t
constexpr unsigned long long kNotAvailable = ~0ull;  // NVML_VALUE_NOT_AVAILABLE

struct ViolationTime {  // nvmlViolationTime_t
  unsigned long long reference_microseconds, violation_nanoseconds;
};

// PROC_PID_INIT_INO of Linux' include/linux/proc_ns.h: the namespace that a system begins with.
constexpr const char* kFirstPidNamespace = "pid:[4026531836]";

/// The library, opened once more for each reading: dlopen and nvmlInit_v2 count and are cheap from the second time on.
class Library {
 public:
  Library() {
    const char* named = std::getenv("PLUMB_NVML");
    name_ = named != nullptr && *named != '\0' ? named : "libnvidia-ml.so.1";
    handle_ = dlopen(name_.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) {
      const char* message = dlerror();
      reason_ = text("the driver's library does not load: ",
                     message != nullptr ? message : "unknown reason");
      return;
    }
    reason_ = call("nvmlInit_v2");
  }

  /// Why nothing can be asked; empty: it can.
  const std::string& reason() const { return reason_; }

  /// Calls a function of that name; why it did not do its work, or empty.
  template <typename... Arguments>
  std::string call(const char* name, Arguments... arguments) const {
    const auto function = find<int (*)(Arguments...)>(name);
    if (function == nullptr)
      return text("'", fs::path(name_).filename().string(), "' has no ", name);
    const int code = function(arguments...);
    return code == kSuccess ? "" : failure(name, code);
  }

  template <typename Function>
  Function find(const char* name) const {
    return reinterpret_cast<Function>(dlsym(handle_, name));
  }

  std::string failure(const char* name, int code) const {
    const auto words = find<const char* (*)(int)>("nvmlErrorString");
    const char* said = words == nullptr ? nullptr : words(code);
    return text(name, ": ", said != nullptr ? said : "error", " (", code, ")");
  }

 private:
  std::string name_, reason_;
  void* handle_ = nullptr;
};

NvmlValue<double> joules_of(const Library& library, Device device) {
  unsigned long long millijoules = 0;
  if (auto why = library.call("nvmlDeviceGetTotalEnergyConsumption", device, &millijoules);
      !why.empty())
    return {std::nullopt, std::move(why)};
  return {static_cast<double>(millijoules) / 1e3, ""};
}

NvmlValue<double> clock_of(const Library& library, Device device) {
  unsigned int megahertz = 0;
  if (auto why = library.call("nvmlDeviceGetClockInfo", device, kClockSm, &megahertz); !why.empty())
    return {std::nullopt, std::move(why)};
  return {static_cast<double>(megahertz), ""};
}

/// By its name since driver 535, or the one before.
NvmlValue<uint64_t> slowdowns_of(const Library& library, Device device) {
  constexpr const char* kName = "nvmlDeviceGetCurrentClocksEventReasons";
  unsigned long long bits = 0;
  const bool known = library.find<void*>(kName) != nullptr;
  if (auto why =
          library.call(known ? kName : "nvmlDeviceGetCurrentClocksThrottleReasons", device, &bits);
      !why.empty())
    return {std::nullopt, std::move(why)};
  return {bits, ""};
}

NvmlValue<double> throttled_of(const Library& library, Device device) {
  double seconds = 0;
  for (const int policy : {kPolicyPower, kPolicyThermal}) {
    ViolationTime time = {};
    if (auto why = library.call("nvmlDeviceGetViolationStatus", device, policy, &time);
        !why.empty())
      return {std::nullopt, std::move(why)};
    seconds += static_cast<double>(time.violation_nanoseconds) / 1e9;
  }
  return {seconds, ""};
}

struct Process {
  unsigned int pid;
  unsigned long long bytes;
};

// Entries of nvmlDeviceGetComputeRunningProcesses_v3 begin alike (pid, bytes), but their size is not what the name promises: 24 bytes
// (nvmlProcessInfo_v2_t), 32 in drivers 535.43 to 535.86, which count protected memory as well, and 16 in some
// (github.com/XuehaiPan/nvitop, pull requests 79, 89 and 226). So there is room for the largest, and what was written tells.
constexpr size_t kEntrySizes[] = {16, 24, 32};
constexpr unsigned char kUnwritten =
    0xA5;  // the last byte of no entry: the highest of an instance, or of a size

/// All processes that compute on the device; why they are not known, or empty.
std::string processes_of(const Library& library, Device device, std::vector<Process>& out) {
  constexpr const char* kName = "nvmlDeviceGetComputeRunningProcesses_v3";
  const auto function = library.find<int (*)(Device, unsigned int*, void*)>(kName);
  if (function == nullptr) return text("this driver's library has no ", kName);
  // Their number may grow between two calls.
  unsigned int room = 16;
  for (int tries = 0; tries < 4; ++tries) {
    std::vector<unsigned char> raw(room * kEntrySizes[2], kUnwritten);
    unsigned int count = room;
    const int code = function(device, &count, raw.data());
    if (code == kInsufficientSize) {
      room = 2 * std::max(room, count);
      continue;
    }
    if (code != kSuccess) return library.failure(kName, code);
    if (count == 0) return "";
    const auto end = std::find_if(raw.rbegin(), raw.rend(),
                                  [](unsigned char byte) { return byte != kUnwritten; });
    const auto written = static_cast<size_t>(raw.rend() - end);
    const size_t* size = std::find(std::begin(kEntrySizes), std::end(kEntrySizes), written / count);
    if (size == std::end(kEntrySizes) || written % count != 0)
      return text(kName, " has a layout that is not known here: ", written, " bytes for ", count,
                  " processes");
    for (size_t at = 0; at < written; at += *size) {
      Process& one = out.emplace_back();
      std::memcpy(&one.pid, raw.data() + at, sizeof one.pid);
      std::memcpy(&one.bytes, raw.data() + at + 8, sizeof one.bytes);
    }
    return "";
  }
  return library.failure(kName, kInsufficientSize);
}

NvmlValue<uint64_t> process_bytes_of(const Library& library, Device device, const fs::path& root) {
  // The driver may give ids of the first namespace to a process of another one, where the same number is somebody else.
  std::error_code ignored;
  const fs::path own = fs::read_symlink(root / "proc/self/ns/pid", ignored);
  if (own != kFirstPidNamespace)
    return {std::nullopt,
            "this process runs in a PID namespace of its own, as in a container: the "
            "driver's ids of processes need not be those known here"};
  std::vector<Process> all;
  if (auto why = processes_of(library, device, all); !why.empty())
    return {std::nullopt, std::move(why)};
  uint64_t sum = 0;
  bool found = false;
  for (const Process& one : all) {  // once for each instance of a device that is divided (MIG)
    if (one.pid != static_cast<unsigned int>(::getpid())) continue;
    if (one.bytes == kNotAvailable)
      return {std::nullopt, "the driver does not say how much memory a process holds"};
    found = true;
    sum += one.bytes;
  }
  if (!found)
    return {std::nullopt, text("the driver lists ", all.size(),
                               " processes on the device, and this one is not among them")};
  return {sum, ""};
}

}  // namespace

NvmlReadings read_nvml(const std::string& pci_bus_id, const fs::path& root) {
  const auto none = [](const std::string& why) {
    return NvmlReadings{{{}, why}, {{}, why}, {{}, why}, {{}, why}, {{}, why}};
  };
  if (pci_bus_id.empty()) return none("the device names no PCI bus id");
  const Library library;
  if (!library.reason().empty()) return none(library.reason());
  Device device = nullptr;
  if (const std::string why =
          library.call("nvmlDeviceGetHandleByPciBusId_v2", pci_bus_id.c_str(), &device);
      !why.empty())
    return none(text("device at ", pci_bus_id, ": ", why));
  return {.joules = joules_of(library, device),
          .process_bytes = process_bytes_of(library, device, root),
          .slowdowns = slowdowns_of(library, device),
          .throttled_seconds = throttled_of(library, device),
          .sm_megahertz = clock_of(library, device)};
}

EnergyUsed energy_between(const NvmlReadings& before, const NvmlReadings& after) {
  for (const NvmlReadings* one : {&before, &after})
    if (!one->joules.value) return {std::nullopt, one->joules.reason};
  const double used = *after.joules.value - *before.joules.value;
  if (used < 0)
    return {std::nullopt, text("the device's energy counter went back by ", -used,
                               " J: the driver was reloaded")};
  return {used, ""};
}

TimingDoubts timing_doubts(const NvmlReadings& before, const NvmlReadings& after, double seconds) {
  TimingDoubts out;
  if (!before.slowdowns.value || !after.slowdowns.value)
    out.unknown.emplace_back("what slows the device down");
  const uint64_t bits = before.slowdowns.value.value_or(0) | after.slowdowns.value.value_or(0);
  for (const NvmlSlowdown& one : kNvmlSlowdowns)
    if ((bits & one.bit) != 0)
      out.reasons.push_back(text("throttling: the device is slowed down by ", one.what));
  if (!before.throttled_seconds.value || !after.throttled_seconds.value) {
    out.unknown.emplace_back("for how long the device was slowed down");
    return out;
  }
  const double share = (*after.throttled_seconds.value - *before.throttled_seconds.value) / seconds;
  if (share > kMostThrottledShare)
    out.reasons.push_back(text("throttling: power or heat slowed the device down for ",
                               percent_text(share), " of the time, at most ",
                               percent_text(kMostThrottledShare), " is tolerable"));
  return out;
}

}  // namespace plumb
