#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/machine_readings.h"

namespace plumb {

/// A value that NVIDIA's management library gave, or why it gave none.
template <typename T>
struct NvmlValue {
  std::optional<T> value;
  std::string reason;
};

/// What NVIDIA's driver tells of one device at one moment.
struct NvmlReadings {
  NvmlValue<double> joules;  ///< since the driver was loaded, of the whole device, whoever uses it
  NvmlValue<uint64_t> process_bytes;    ///< that this process holds there, its context included
  NvmlValue<uint64_t> slowdowns;        ///< now: bits of kNvmlSlowdowns
  NvmlValue<double> throttled_seconds;  ///< below the clocks asked for, by power or heat
  NvmlValue<double> sm_megahertz;       ///< of its multiprocessors, now
};

/// Bits of `slowdowns` that speak against a timing, and in words.
struct NvmlSlowdown {
  uint64_t bit;
  const char* what;
};
inline constexpr NvmlSlowdown kNvmlSlowdowns[] = {{0x04, "its power limit (software power cap)"},
                                                  {0x08, "a hardware slowdown"},
                                                  {0x20, "heat (software thermal slowdown)"},
                                                  {0x40, "heat (hardware thermal slowdown)"},
                                                  {0x80, "a power brake"}};

/// Reads the device at `pci_bus_id` ("domain:bus:device.function", as CUDA gives it) through libnvidia-ml.so.1, or the file
/// that the environment's PLUMB_NVML names. Every function of it may be absent or refuse: none with the reason, never an
/// error. The library stays open. `root` is where /proc lies, which tests replace. Thread rule: may run concurrently.
NvmlReadings read_nvml(const std::string& pci_bus_id, const std::filesystem::path& root = "/");

/// Joules between two readings; none with the reason.
EnergyUsed energy_between(const NvmlReadings& before, const NvmlReadings& after);

/// Why timings on the device taken in the `seconds` between two readings cannot be relied on.
inline constexpr double kMostThrottledShare = 0.01;
TimingDoubts timing_doubts(const NvmlReadings& before, const NvmlReadings& after, double seconds);

}  // namespace plumb
