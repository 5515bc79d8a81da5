#include "models/device.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "models/kernels/nf4.h"

namespace plumb::models {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::filesystem::path in_build(const std::string& name) {
  return std::filesystem::path(PLUMB_BINARY_DIR) / name;
}

TEST(Device, OpensAPluginOfThisVersionWithADevice) {
  const Plugin plugin = open_plugin(in_build("libplumb_fake_good.so"));
  ASSERT_NE(plugin.table, nullptr) << plugin.reason;
  EXPECT_STREQ(plugin.table->device_name, "fake");
  EXPECT_THAT(plugin.reason, IsEmpty());
}

TEST(Device, RefusesAPluginOfAnotherVersionAndNamesBoth) {
  const Plugin plugin = open_plugin(in_build("libplumb_fake_old.so"));
  EXPECT_EQ(plugin.table, nullptr);
  EXPECT_THAT(plugin.reason, HasSubstr(text("version ", kKernelTableVersion + 1, ", needed is ",
                                            kKernelTableVersion)));
}

TEST(Device, PassesOnThePluginsReasonForHavingNoDevice) {
  EXPECT_THAT(open_plugin(in_build("libplumb_fake_mute.so")).reason,
              HasSubstr("the driver is asleep"));
  const Plugin plugin = open_plugin(in_build("libplumb_fake_empty.so"));
  EXPECT_EQ(plugin.table, nullptr);
  EXPECT_THAT(plugin.reason, HasSubstr("found no fake device"));
}

TEST(Device, RefusesAFileThatIsNoLibrary) {
  const auto file = in_build("no_library.so");
  std::ofstream(file) << "not ELF";
  const Plugin plugin = open_plugin(file);
  EXPECT_EQ(plugin.table, nullptr);
  EXPECT_THAT(plugin.reason, HasSubstr("does not load"));
}

TEST(Device, RefusesALibraryThatIsNoPlugin) {
  EXPECT_THAT(open_plugin("libz.so.1").reason, HasSubstr("it is no Plumb plug-in"));
}

TEST(Device, AnswersForCudaWithATableOrWithTheReason) {
  const std::string reason = cuda_unavailable_reason();
  if (reason.empty()) {
    EXPECT_STREQ(cuda_kernels().device_name, "cuda");
    return;
  }
  try {
    cuda_kernels();
    FAIL() << "a table although '" << reason << "'";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kResource);
    EXPECT_THAT(error.what(), HasSubstr(reason));
  }
}

// Where the plug-in was built it must load: what is missing on a machine without a GPU is a device,
// not a symbol.
TEST(Device, BuiltCudaPluginLoadsWithoutADriver) {
  const auto file = in_build("libplumb_cuda.so");
  if (!std::filesystem::exists(file))
    GTEST_SKIP() << "this build has no CUDA plug-in (PLUMB_CUDA is off, or nvcc was not found)";
  const Plugin plugin = open_plugin(file);
  if (plugin.table == nullptr) {
    EXPECT_THAT(plugin.reason, HasSubstr("cuda device"));
  }
}

}  // namespace
}  // namespace plumb::models
