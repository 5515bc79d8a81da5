#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "models/device.h"
#include "models/kernels/thread_block.h"

/// Tests of kernels through a plug-in's table: of the fake one, whose kernels the host runs thread by thread, always, and of CUDA
/// where there is a device. For tests alone.
namespace plumb::models::testing {

class DeviceKernels : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "Cuda") {
      if (const std::string reason = cuda_unavailable_reason(); !reason.empty())
        GTEST_SKIP() << "no CUDA device: " << reason;
      table_ = &cuda_kernels();
      return;
    }
    const Plugin fake = open_plugin(std::string(PLUMB_BINARY_DIR) + "/libplumb_fake_good.so");
    ASSERT_NE(fake.table, nullptr) << fake.reason;
    table_ = fake.table;
  }
  void TearDown() override {
    for (const auto& [pointer, bytes] : memory_) {
      std::vector<unsigned char> guard(kGuard);
      expect_done(table_->copy_to_host(guard.data(), static_cast<char*>(pointer) + bytes, kGuard));
      EXPECT_EQ(guard, std::vector<unsigned char>(kGuard, 0xA5)) << "written behind the end";
      expect_done(table_->release(pointer));
    }
  }

  const KernelTable& table() const { return *table_; }
  static void expect_done(const char* why) { EXPECT_EQ(why, nullptr) << why; }

  /// Device memory with these values.
  template <typename T>
  T* up(const std::vector<T>& values) {
    const uint64_t bytes = values.size() * sizeof(T);
    void* pointer = nullptr;
    expect_done(table_->allocate(&pointer, bytes + kGuard));
    memory_.emplace_back(pointer, bytes);
    if (bytes > 0) expect_done(table_->copy_to_device(pointer, values.data(), bytes));
    const std::vector<unsigned char> guard(kGuard, 0xA5);
    expect_done(table_->copy_to_device(static_cast<char*>(pointer) + bytes, guard.data(), kGuard));
    return static_cast<T*>(pointer);
  }
  template <typename T>
  std::vector<T> down(const T* pointer, size_t count) const {
    std::vector<T> values(count);
    if (count > 0) expect_done(table_->copy_to_host(values.data(), pointer, count * sizeof(T)));
    return values;
  }
  std::vector<float> down_as(Element type, const void* pointer, size_t count) const {
    if (type == Element::kFp32) return down(static_cast<const float*>(pointer), count);
    std::vector<float> values;
    for (const Bf16 value : down(static_cast<const Bf16*>(pointer), count))
      values.push_back(to_float(value));
    return values;
  }
  /// As `type`, and what fp32 makes of that again.
  const void* up_as(Element type, std::vector<float>& values) {
    if (type == Element::kFp32) return up(values);
    std::vector<Bf16> narrow(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      store(values[i], &narrow[i]);
      values[i] = to_float(narrow[i]);
    }
    return up(narrow);
  }

 private:
  static constexpr size_t kGuard = 64;
  const KernelTable* table_ = nullptr;
  std::vector<std::pair<void*, uint64_t>> memory_;
};

inline std::vector<float> normal_values(int64_t count, uint64_t seed, double scale = 1) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(scale * rng.normal());
  return values;
}

/// Half a unit in the last place of 1.
inline constexpr double kHalfUnit = 0x1p-24;
inline constexpr double kHalfUnitOfBf16 = 0x1p-8;

}  // namespace plumb::models::testing

/// Instances of a suite derived from DeviceKernels.
#define PLUMB_ON_DEVICES(suite)                         \
  INSTANTIATE_TEST_SUITE_P(                             \
      On, suite, ::testing::Values("Emulated", "Cuda"), \
      [](const ::testing::TestParamInfo<const char*>& test) { return std::string(test.param); })
