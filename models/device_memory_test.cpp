// What a device's allocator counts, on one that is not there (models/fake_device) and on CUDA where there is one.

#include "models/device_memory.h"

#include <ATen/ops/empty.h>
#include <gmock/gmock.h>

#include "models/fake_device/testing.h"

namespace plumb::models {
namespace {

using ::testing::HasSubstr;

class DeviceMemoryCounts : public OnADevice, public ::testing::WithParamInterface<std::string> {
 protected:
  DeviceMemoryCounts() : OnADevice(GetParam()) {}
  DeviceMemory now() const {
    const DeviceMemoryReading reading = device_memory(device_.device);
    EXPECT_TRUE(reading.memory.has_value()) << reading.reason;
    return reading.memory.value_or(DeviceMemory{});
  }
  at::Tensor bytes(int64_t count) const {
    return at::empty({count}, at::TensorOptions(device_.device).dtype(at::kByte));
  }
};

// An allocator may round up, by less than a MiB here: CUDA's small blocks are multiples of 512 bytes and large ones may keep
// a rest below that.
TEST_P(DeviceMemoryCounts, FollowsTensorsAndKeepsTheirPeakUntilItIsReset) {
  constexpr int64_t kMany = int64_t{64} << 20;
  constexpr uint64_t kRounding = 1 << 20;
  const auto near = [](uint64_t found, uint64_t before, int64_t more) {
    const uint64_t least = before + static_cast<uint64_t>(more);
    return found >= least && found <= least + kRounding;
  };
  reset_device_peak(device_.device);
  const DeviceMemory before = now();
  EXPECT_EQ(before.peak_allocated, before.allocated);
  {
    const at::Tensor held = bytes(kMany);
    EXPECT_TRUE(near(now().allocated, before.allocated, kMany));
    const at::Tensor more = bytes(kMany / 2);
    EXPECT_TRUE(near(now().peak_allocated, before.allocated, kMany + kMany / 2));
  }
  EXPECT_EQ(now().allocated, before.allocated);
  EXPECT_TRUE(near(now().peak_allocated, before.allocated, kMany + kMany / 2));
  // What tensors gave back is kept for the next ones.
  EXPECT_GE(now().reserved, before.allocated + kMany + kMany / 2);
  EXPECT_GE(now().peak_reserved, now().peak_allocated);
  reset_device_peak(device_.device);
  EXPECT_EQ(now().peak_allocated, before.allocated);
  EXPECT_EQ(now().peak_reserved, now().reserved);
}

INSTANTIATE_TEST_SUITE_P(Fake, DeviceMemoryCounts, ::testing::Values(fake_plugin()));
INSTANTIATE_TEST_SUITE_P(Cuda, DeviceMemoryCounts, ::testing::Values("cuda"));

TEST(DeviceMemory, OfTheCpuIsNoneWithTheReason) {
  EXPECT_FALSE(device_memory(c10::Device(c10::kCPU)).memory.has_value());
  EXPECT_THAT(device_memory(c10::Device(c10::kCPU)).reason, HasSubstr("CPU"));
  reset_device_peak(c10::Device(c10::kCPU));
}

// A type of device that nothing in this process has an allocator for.
TEST(DeviceMemory, OfADeviceWithoutAnAllocatorIsNoneWithTheReason) {
  const c10::Device device("maia:0");
  EXPECT_THAT(device_memory(device).reason, HasSubstr("'maia:0' counts nothing"));
  reset_device_peak(device);
}

}  // namespace
}  // namespace plumb::models
