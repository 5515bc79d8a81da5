#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>
#include <string>

namespace plumb::models {

/// What ATen's allocator for a device holds of it, in bytes: all tensors of this process, whoever made them.
struct DeviceMemory {
  uint64_t allocated = 0;  ///< by tensors now
  uint64_t reserved = 0;   ///< taken from the device now: for tensors, and kept for later ones
  uint64_t peak_allocated = 0, peak_reserved = 0;  ///< since the process began or the last reset
};

struct DeviceMemoryReading {
  std::optional<DeviceMemory> memory;
  std::string reason;  ///< why there is none: the CPU, or an allocator that does not count
};

/// Of a device that open_device has opened. Never throws for what the allocator is. Thread rule: may run concurrently.
DeviceMemoryReading device_memory(c10::Device device);

/// Peaks begin again from what is held now; nothing where the allocator does not count.
void reset_device_peak(c10::Device device);

}  // namespace plumb::models
