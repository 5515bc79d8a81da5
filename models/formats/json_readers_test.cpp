// The readers of foreign JSON hold to the same texts as base/json_fields.h.

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json_texts_accepted.h"
#include "base/json_texts_refused.h"
#include "base/testing.h"
#include "models/formats/json_events.h"
#include "models/formats/json_tree.h"

namespace plumb::models {
namespace {

using plumb::testing::error_of;
using plumb::testing::JsonText;

std::string name_of(const ::testing::TestParamInfo<JsonText>& info) { return info.param.name; }

/// Takes whatever comes.
class Everything : public JsonEvents {
  void on_scalar(const JsonScalar&) override {}
};

/// As a member of an object, which safetensors headers and indices are.
std::string as_member(const std::string& text) { return "{\"x\":" + text + "}"; }

class AcceptedForeignJson : public ::testing::TestWithParam<JsonText> {};
TEST_P(AcceptedForeignJson, IsRead) {
  const JsonTree tree(GetParam().text);
  EXPECT_EQ(tree.root().dump(), Json::parse(GetParam().text).dump());
  EXPECT_NO_THROW(Everything().read(as_member(GetParam().text), 65));
}
INSTANTIATE_TEST_SUITE_P(Cases, AcceptedForeignJson,
                         ::testing::ValuesIn(plumb::testing::accepted_json()), name_of);

class RefusedForeignJson : public ::testing::TestWithParam<JsonText> {};
TEST_P(RefusedForeignJson, IsAnErrorOnOnePlainLine) {
  const auto expect_plain = [](const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    for (const char c : std::string(error.what()))
      EXPECT_TRUE(c >= ' ' && c != 0x7f) << error.what();
  };
  expect_plain(error_of([] { JsonTree{GetParam().text}; }));
  // Which keys stand twice, a class derived from JsonEvents decides, who knows the keys.
  if (GetParam().name.starts_with("Twice")) return;
  expect_plain(error_of([] { Everything().read(as_member(GetParam().text), 65); }));
}
INSTANTIATE_TEST_SUITE_P(Cases, RefusedForeignJson,
                         ::testing::ValuesIn(plumb::testing::refused_json()), name_of);

}  // namespace
}  // namespace plumb::models
