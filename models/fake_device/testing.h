#pragma once

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "models/compute_device.h"
#include "models/fake_device/control.h"

namespace plumb::models {

/// The plug-in of the fake device in the build folder of a test program, for open_device.
inline std::string fake_plugin() { return PLUMB_BINARY_DIR "/libplumb_fake_device.so"; }

inline const FakeDeviceControl& fake_control() {
  void* library = dlopen(fake_plugin().c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto control = reinterpret_cast<const FakeDeviceControl* (*)()>(
      library == nullptr ? nullptr : dlsym(library, "plumb_fake_device_control"));
  if (control == nullptr) throw Error(ErrorKind::kResource, "no fake device in this build");
  return *control();
}

/// A test on a device: `choice` is what open_device is asked for. Skipped with the reason where it is not there. On the
/// fake device it fails when two accesses were in no order.
class OnADevice : public ::testing::Test {
 protected:
  explicit OnADevice(std::string choice) : choice_(std::move(choice)) {}
  void SetUp() override {
    try {
      device_ = open_device(choice_);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kResource) throw;
      GTEST_SKIP() << error.what();
    }
    if (choice_ != fake_plugin()) return;
    fake_control().reset(uint64_t{16} << 30);
    // Its operations are small: more threads would wait for one another.
    at::set_num_threads(1);
  }
  void TearDown() override {
    if (choice_ == fake_plugin() && !device_.is_cpu()) {
      EXPECT_STREQ(fake_control().races(), "");
    }
  }

  const std::string choice_;
  ComputeDevice device_;
};

}  // namespace plumb::models
