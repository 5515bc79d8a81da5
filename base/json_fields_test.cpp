#include "base/json_fields.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace plumb {
namespace {

using testing::error_of;

std::string message(std::string_view json) {
  const Error error = error_of([&] { parse_json(json); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  return error.what();
}

TEST(ParseJson, BuildsEveryKindOfValueInOrder) {
  const char* const json =
      R"({"z":[1,-2,2.5,true,false,null,"ä😀"],"a":{"deep":{"er":[[],{}]}},"empty":"","last":18446744073709551615})";
  EXPECT_EQ(parse_json(json).dump(), json);
  EXPECT_EQ(parse_json(" 7 ").get<int>(), 7);
}

TEST(ParseJson, EqualsTheLibrarysOwnReaderOnNestedValues) {
  std::string json = "[";
  for (int i = 0; i < 300; ++i)
    json += text(i ? "," : "", R"({"k)", i, R"(":[)", i,
                 R"(,{"x":"\u00e4\n","y":[{"z":null}]}],"m":)", i * 0.37, "}");
  json += "]";
  EXPECT_EQ(parse_json(json), nlohmann::ordered_json::parse(json));
}

TEST(ParseJson, ReadsAnObjectOfManyKeysInLinearTime) {
  std::string json = "{";
  for (int i = 0; i < 50000; ++i) json += text(i ? "," : "", "\"token", i, "\":", i);
  json += "}";
  const auto object =
      parse_json(json);  // seconds, where each key were looked for among all before it
  EXPECT_EQ(object.size(), 50000u);
  EXPECT_EQ(object.back(), 49999);
}

TEST(ParseJson, RefusesDuplicateKeysOfOneObjectOnly) {
  EXPECT_EQ(message(R"({"a":1,"a":2})"),
            R"(not strict JSON at byte 9: the key "a" occurs twice in an object)");
  EXPECT_EQ(message(R"({"b":{"a":1,"\u0061":2}})").find("not strict JSON at byte 19"), 0u);
  EXPECT_EQ(parse_json(R"({"a":{"a":1},"b":{"a":2}})").size(), 2u);
}

TEST(ParseJson, LimitsTheDepth) {
  EXPECT_NO_THROW(parse_json(std::string(64, '[') + std::string(64, ']')));
  EXPECT_EQ(message(std::string(65, '[') + std::string(65, ']')),
            "not strict JSON at byte 64: nested deeper than 64");
  EXPECT_EQ(message(std::string(1000000, '[')),
            "not strict JSON at byte 64: nested deeper than 64");
}

TEST(ParseJson, RefusesWhatIsNotJsonWithItsByte) {
  EXPECT_EQ(message(""), "not JSON: the text is empty");
  EXPECT_EQ(message("[1] x").find("not JSON at byte 4: "), 0u);
  EXPECT_EQ(message("[1,]").find("not JSON at byte 3: "), 0u);
  EXPECT_EQ(message("[NaN]").find("not JSON at byte 1: "), 0u);
  EXPECT_EQ(message("[1] // no").find("not JSON at byte 4: "), 0u);
  EXPECT_EQ(message("{\"a\":1").find("not JSON at byte 6: "), 0u);
  EXPECT_EQ(message("[1e999]"), "not JSON at byte 5: number overflow parsing '1e999'");
  EXPECT_EQ(message("\"\\ud800\"").find("not JSON at byte"), 0u);
}

TEST(ParseJson, RefusesInvalidUtf8WithoutRepeatingItsBytes) {
  for (const std::string bad :
       {"\"a\xFF\"", "\"\xC0\xAF\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\""}) {
    const std::string found = message(bad);
    EXPECT_NE(found.find("UTF-8"), std::string::npos) << found;
    for (const char c : found) EXPECT_GE(c, ' ');  // plain ASCII: one line, whatever the terminal
  }
}

TEST(RequireKnownKeys, NamesTheUnknownKeyAndTheNearestKnownOne) {
  const auto object = parse_json(R"({"model":1,"lmit":2})");
  EXPECT_NO_THROW(require_known_keys(object, {"model", "lmit"}, "documents"));
  const Error error = error_of([&] {
    require_known_keys(object, {"model", "limit"}, "documents");
  });
  EXPECT_EQ(error.kind(), ErrorKind::kUsage);
  EXPECT_STREQ(error.what(),
               "unknown key 'lmit' in 'documents'; did you mean 'limit'?; known are model, limit");
  EXPECT_STREQ(error_of([&] { require_known_keys(parse_json("[1]"), {"a"}, "x"); }).what(),
               "'x' is array, needed is an object in braces");
}

TEST(Nearest, FindsMisspellingsAndNothingElse) {
  const std::vector<std::string> known = {"similarity", "simple", "random", "block-influence", "n"};
  EXPECT_EQ(nearest("similarty", known), "similarity");
  EXPECT_EQ(nearest("smiple", known), "simple");
  EXPECT_EQ(nearest("RANDOM", known), "random");
  EXPECT_EQ(nearest("block_influence", known), "block-influence");
  EXPECT_EQ(nearest("latency", known), "");
  EXPECT_EQ(nearest("", {}), "");
}

}  // namespace
}  // namespace plumb
