#include "harness/processes/own_device.h"

#include <gtest/gtest.h>

namespace plumb::harness {
namespace {

TEST(OwnDevice, IsTheOneOfTheProcessNumber) {
  EXPECT_EQ(own_device("", 0), "0");
  EXPECT_EQ(own_device("", 3), "3");
  EXPECT_EQ(own_device("4,6,7", 1), "6");
  EXPECT_EQ(own_device("GPU-aa,GPU-bb", 1), "GPU-bb");
}

TEST(OwnDevice, IsWhatTheLauncherGave) { EXPECT_EQ(own_device("5", 1), "5"); }

TEST(OwnDevice, IsNoneWhereThereAreTooFew) { EXPECT_EQ(own_device("4,6", 2), "-1"); }

}  // namespace
}  // namespace plumb::harness
