// Stands in for NVIDIA's management library in tests: one device at face:01:00.0. The environment's PLUMB_FAKE_NVML changes
// it, words between spaces: "nvmlInit_v2=9" makes that function return 9, and "processes=others" and the like are below.

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

namespace {

std::string setting(const std::string& name) {
  const char* all = std::getenv("PLUMB_FAKE_NVML");
  std::istringstream words(all != nullptr ? all : "");
  for (std::string word; words >> word;)
    if (word.rfind(name + "=", 0) == 0) return word.substr(name.size() + 1);
  return "";
}
unsigned long long number(const std::string& name, unsigned long long otherwise) {
  const std::string found = setting(name);
  return found.empty() ? otherwise : std::stoull(found, nullptr, 0);
}
int code_of(const char* function) { return static_cast<int>(number(function, 0)); }

int only_device;

}  // namespace

extern "C" {

int nvmlInit_v2() { return code_of("nvmlInit_v2"); }
const char* nvmlErrorString(int code) { return code == 3 ? "Not Supported" : "Other Error"; }

int nvmlDeviceGetHandleByPciBusId_v2(const char* id, void** device) {
  if (std::strcmp(id, "face:01:00.0") != 0) return 6;
  *device = &only_device;
  return code_of("nvmlDeviceGetHandleByPciBusId_v2");
}

#ifndef PLUMB_FAKE_NVML_OLD
/// Each reading finds 1.5 J more.
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
  static unsigned long long total = 7'000'000;
  if (device != &only_device) return 2;
  *millijoules = number("energy", total += 1500);
  return code_of("nvmlDeviceGetTotalEnergyConsumption");
}
int nvmlDeviceGetCurrentClocksEventReasons(void*, unsigned long long* reasons) {
  *reasons = number("reasons", 1);  // idle
  return code_of("nvmlDeviceGetCurrentClocksEventReasons");
}
int nvmlDeviceGetViolationStatus(void*, int policy, unsigned long long* time) {
  time[0] = 1;
  time[1] = number(policy == 0 ? "power" : "heat", 0);
  return policy > 1 ? 2 : code_of("nvmlDeviceGetViolationStatus");
}
int nvmlDeviceGetClockInfo(void*, int type, unsigned int* megahertz) {
  *megahertz = type == 1 ? 1410 : 0;
  return code_of("nvmlDeviceGetClockInfo");
}
/// Two instances of this process behind others.
int nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned int* count, unsigned char* out) {
  if (const int code = code_of("nvmlDeviceGetComputeRunningProcesses_v3"); code != 0) return code;
  const std::string which = setting("processes");
  const auto own = static_cast<unsigned int>(::getpid());
  const unsigned int others = which == "many"   ? 100
                              : which == "none" ? 0
                                                : 1,
                     mine = which == "others" || which == "none" ? 0 : 2;
  const unsigned int room = *count;
  *count = others + mine;
  if (which == "endless" || *count > room) return 7;
  const auto size = static_cast<size_t>(number("entry", 24));
  for (unsigned int i = 0; i < *count; ++i, out += size) {
    const bool of_this = i >= others;
    const unsigned int pid = of_this ? own : own + 1 + i;
    const unsigned long long bytes = !of_this            ? 1ull << 40
                                     : which == "silent" ? ~0ull
                                                         : 300ull << 20;
    std::memset(out, 0, size);
    std::memcpy(out, &pid, sizeof pid);
    std::memcpy(out + 8, &bytes, sizeof bytes);
  }
  return 0;
}
#else
int nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* reasons) {
  *reasons = 0x40;
  return 0;
}
#endif

}  // extern "C"
