#include "models/device_memory.h"

#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>

#include "base/error.h"

namespace plumb::models {

namespace {

/// nullptr where the device's allocator is none that counts. Not c10::getDeviceAllocator, which takes that for a fault.
c10::DeviceAllocator* counting_allocator(c10::Device device) {
  if (device.is_cpu()) return nullptr;
  try {
    auto* const found = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
    return found != nullptr && found->initialized() ? found : nullptr;
  } catch (const c10::Error&) {
    return nullptr;  // none is registered
  }
}

c10::DeviceIndex index_of(c10::Device device) {
  return std::max<c10::DeviceIndex>(0, device.index());
}

}  // namespace

DeviceMemoryReading device_memory(c10::Device device) {
  if (device.is_cpu()) return {std::nullopt, "the CPU's allocator counts nothing"};
  auto* const allocator = counting_allocator(device);
  if (allocator == nullptr)
    return {std::nullopt, text("the allocator of '", device.str(), "' counts nothing")};
  try {
    constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    const auto stats = allocator->getDeviceStats(index_of(device));
    const auto& allocated = stats.allocated_bytes[kAll];
    const auto& reserved = stats.reserved_bytes[kAll];
    const auto bytes = [](int64_t count) { return static_cast<uint64_t>(count); };
    return {DeviceMemory{bytes(allocated.current), bytes(reserved.current), bytes(allocated.peak),
                         bytes(reserved.peak)},
            ""};
  } catch (const c10::Error& error) {
    return {std::nullopt, error.what_without_backtrace()};
  }
}

void reset_device_peak(c10::Device device) {
  if (auto* const allocator = counting_allocator(device))
    allocator->resetPeakStats(index_of(device));
}

}  // namespace plumb::models
