// What a device is for a program, tried on one that is not there: models/fake_device. Tests of a CUDA device are skipped
// with the reason where there is none.

#include "models/compute_device.h"

#include <ATen/ops/ones.h>
#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/testing.h"

namespace plumb::models {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string in_build(const std::string& name) {
  return (std::filesystem::path(PLUMB_BINARY_DIR) / name).string();
}

TEST(ComputeDevice, IsTheCpuWithoutAnyPlugin) {
  const ComputeDevice cpu = open_device("cpu");
  EXPECT_TRUE(cpu.is_cpu());
  EXPECT_EQ(cpu.name, "cpu");
  EXPECT_THAT(cpu.reason, IsEmpty());
  EXPECT_EQ(cpu.facts().total_bytes, 0u);
}

TEST(ComputeDevice, RefusesAWordThatNamesNone) {
  const Error error = testing::error_of([] { open_device("gpu"); });
  EXPECT_EQ(error.kind(), ErrorKind::kUsage);
  EXPECT_THAT(error.what(), HasSubstr("device is 'gpu', needed cpu, cuda, auto"));
}

TEST(ComputeDevice, RunsOnAnotherVendorsPlugin) {
  const ComputeDevice fake = open_device(in_build("libplumb_fake_device.so"));
  EXPECT_FALSE(fake.is_cpu());
  EXPECT_EQ(fake.name, "fake");
  EXPECT_STREQ(fake.facts().name, "Fake 1");
  EXPECT_GT(fake.facts().total_bytes, 0u);
  const at::Tensor sum = at::ones({3}, at::TensorOptions(fake.device)).sum();
  EXPECT_EQ(sum.item<float>(), 3);
}

TEST(ComputeDevice, SaysThatAPluginWithKernelsAloneRunsNoDecoder) {
  const Error error = testing::error_of([] { open_device(in_build("libplumb_fake_good.so")); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_THAT(error.what(), HasSubstr("names no device of ATen"));
}

TEST(ComputeDevice, PassesOnWhyThereIsNoDevice) {
  const Error error = testing::error_of([] { open_device(in_build("libplumb_fake_mute.so")); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_THAT(error.what(), HasSubstr("the driver is asleep"));
}

// A plug-in that has a device, and a libtorch that has its operations or not: with the pinned libtorch the libraries that
// libtorch_cuda needs are missing, with a whole one there is no driver here.
TEST(ComputeDevice, NamesWhatTheLibraryOfADevicesOperationsLacks) {
  try {
    EXPECT_FALSE(open_device(in_build("libplumb_fake_cuda.so")).is_cpu());
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kResource);
    EXPECT_THAT(error.what(), ::testing::AnyOf(HasSubstr("'libtorch_cuda.so' does not load: "),
                                               HasSubstr("libtorch finds no device 'cuda:0'")));
    std::puts(error.what());
  }
}

TEST(ComputeDevice, TakesCudaOrSaysWhyAutoDidNot) {
  const ComputeDevice automatic = open_device("auto");
  if (!automatic.is_cpu()) {
    EXPECT_EQ(open_device("cuda").device, automatic.device);
    return;
  }
  EXPECT_EQ(automatic.name, "cpu");
  const Error error = testing::error_of([] { open_device("cuda"); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_EQ(error.exit_code(), 6);
  EXPECT_THAT(error.what(), HasSubstr(automatic.reason));
  EXPECT_THAT(automatic.reason, ::testing::Not(IsEmpty()));
}

}  // namespace
}  // namespace plumb::models
