#include <gtest/gtest.h>

#include "base/json_fields.h"
#include "base/json_texts_accepted.h"
#include "base/json_texts_refused.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::JsonText;

std::string name_of(const ::testing::TestParamInfo<JsonText>& info) { return info.param.name; }

class AcceptedJson : public ::testing::TestWithParam<JsonText> {};
TEST_P(AcceptedJson, IsReadAndWrittenBackToTheSameValue) {
  const auto value = parse_json(GetParam().text);
  EXPECT_EQ(parse_json(value.dump()), value);
}
INSTANTIATE_TEST_SUITE_P(Cases, AcceptedJson, ::testing::ValuesIn(testing::accepted_json()),
                         name_of);

class RefusedJson : public ::testing::TestWithParam<JsonText> {};
TEST_P(RefusedJson, IsAnErrorWithItsByteOnOnePlainLine) {
  const Error error = testing::error_of([] { parse_json(GetParam().text); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  const std::string what = error.what();
  EXPECT_TRUE(what.starts_with("not JSON") || what.starts_with("not strict JSON")) << what;
  for (const char c : what) EXPECT_TRUE(c >= ' ' && c != 0x7f) << what;
}
INSTANTIATE_TEST_SUITE_P(Cases, RefusedJson, ::testing::ValuesIn(testing::refused_json()), name_of);

TEST(JsonTexts, AreAsManyAsPromised) {
  EXPECT_GE(testing::accepted_json().size(), 95u);
  EXPECT_GE(testing::refused_json().size(), 188u);
}

}  // namespace
}  // namespace plumb
