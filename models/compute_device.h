#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "models/device.h"

namespace plumb::models {

/// Where a decoder runs. `facts` is empty for the CPU.
struct ComputeDevice {
  c10::Device device = c10::Device(c10::DeviceType::CPU);
  std::string name = "cpu";  ///< "cpu", "cuda", or what another plug-in calls its device
  std::string reason;        ///< "auto" that took the CPU: why
  const KernelTable* kernels = nullptr;  ///< of the plug-in; nullptr for the CPU

  bool is_cpu() const { return device.is_cpu(); }
  /// As the device says now; zero and empty where it does not, and for the CPU.
  DeviceFacts facts() const;
};

/// The device that `choice` asks for, ready: "cpu"; "cuda"; "auto", which is cuda where that works and else the CPU;
/// or the file of another plug-in, which ends in ".so".
///
/// A device needs its plug-in, ATen's operations for it, and a small product on it that comes out right. Opening one
/// also sets libtorch to repeatable arithmetic without TF32 and without reduced precision in sums, for the whole
/// process. Must come before any other use of libtorch that asks for a CUDA device: libtorch asks once.
///
/// Error{kUsage} for another choice. Error{kResource} with the reason where the device cannot be used; "auto" never
/// throws, the reason is in what it returns. Thread rule: may run concurrently; each choice is opened once.
ComputeDevice open_device(std::string_view choice);

/// The kernels of a device that open_device has opened; nullptr for the CPU and for any other. Thread rule: may run concurrently.
const KernelTable* kernels_of(c10::Device device);
/// The current stream of `device`, as its plug-in takes it.
void* native_stream(c10::Device device);

}  // namespace plumb::models
