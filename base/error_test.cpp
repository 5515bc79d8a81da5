#include "base/error.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

TEST(Error, KindIsTheExitCode) {
  EXPECT_EQ(Error(ErrorKind::kUsage, "x").exit_code(), 2);
  EXPECT_EQ(Error(ErrorKind::kInput, "x").exit_code(), 4);
  EXPECT_EQ(Error(ErrorKind::kNetwork, "x").exit_code(), 5);
  EXPECT_EQ(Error(ErrorKind::kResource, "x").exit_code(), 6);
  EXPECT_EQ(Error(ErrorKind::kIncomparable, "x").exit_code(), 7);
  EXPECT_EQ(Error(ErrorKind::kInvariant, "x").exit_code(), 8);
  EXPECT_EQ(Error(ErrorKind::kInternal, "x").exit_code(), 70);
}

TEST(Error, WithinPrefixesTheMessageAndKeepsKindAndOrigin) {
  const Error inner(ErrorKind::kInput, "tensor 'a' is cut");
  const Error outer = inner.within("model.gguf");
  EXPECT_STREQ(outer.what(), "model.gguf: tensor 'a' is cut");
  EXPECT_EQ(outer.kind(), ErrorKind::kInput);
  EXPECT_EQ(outer.at().line(), inner.at().line());
}

TEST(Text, JoinsItsPartsInOrder) {
  EXPECT_EQ(text("block ", 3, " of ", 30, '.'), "block 3 of 30.");
}

}  // namespace
}  // namespace plumb
