#include "reports/schema_validator.h"

#include <gmock/gmock.h>

#include <functional>

#include "base/file.h"
#include "base/json_fields.h"
#include "base/testing.h"
#include "reports/testing.h"

namespace plumb::reports {
namespace {

using Json = nlohmann::ordered_json;
using plumb::testing::error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string difference(const char* schema, const char* document) {
  return SchemaValidator(parse_json(schema)).first_difference(parse_json(document));
}

struct Rule {
  const char *schema, *fits, *differs, *message;
};
void PrintTo(const Rule& rule, std::ostream* out) { *out << rule.schema; }

class SchemaRule : public ::testing::TestWithParam<Rule> {};

TEST_P(SchemaRule, AcceptsWhatFitsAndNamesWhatDoesNot) {
  const auto& [schema, fits, differs, message] = GetParam();
  EXPECT_EQ(difference(schema, fits), "");
  EXPECT_THAT(difference(schema, differs), HasSubstr(message));
}
INSTANTIATE_TEST_SUITE_P(
    Keywords, SchemaRule,
    ::testing::Values(
        Rule{R"({"type": "integer"})", "1.0", "1.5", "found a number, needed integer"},
        Rule{R"({"type": ["string", "null"]})", "null", "true", "needed string or null"},
        Rule{R"({"const": 1})", "1", "2", "found 2, needed 1"},
        Rule{R"({"enum": ["a", "b"]})", R"("b")", R"("c")", "needed one of [\"a\",\"b\"]"},
        Rule{R"({"required": ["a"]})", R"({"a": 1})", "{}", "a: is missing"},
        Rule{R"({"properties": {"a": {"type": "string"}}})", R"({"b": 1})", R"({"a": 1})",
             "a: found an integer, needed string"},
        Rule{R"({"properties": {"a": true}, "additionalProperties": false})", R"({"a": 1})",
             R"({"a": 1, "b": 2})", "b: is not a known property"},
        Rule{R"({"additionalProperties": {"type": "string"}})", R"({"b": "x"})", R"({"b": 2})",
             "b: found an integer"},
        Rule{R"({"items": {"type": "number"}})", "[1, 2.5]", "[1, true]", "[1]: found a boolean"},
        Rule{R"({"minItems": 1})", "[0]", "[]", "found 0 items, needed at least 1"},
        Rule{R"({"minLength": 2, "maxLength": 3})", R"("\u00e9\u00e9")", R"("\u00e9")",
             "found a text of 1 characters, needed at least 2"},
        Rule{R"({"minLength": 2, "maxLength": 3})", R"("abc")", R"("abcd")", "needed at most 3"},
        Rule{R"({"pattern": "^a+$", "maxLength": 9})", R"("aaa")", R"("aab")",
             "text of the form ^a+$"},
        Rule{R"({"minimum": 0})", "0", "-1", "found -1, needed at least 0"},
        Rule{R"({"exclusiveMinimum": 0})", "0.1", "0", "needed more than 0"},
        Rule{R"({"exclusiveMaximum": 1})", "0.9", "1", "needed less than 1"},
        Rule{R"({"oneOf": [{"type": "integer"}, {"minimum": 5}]})", "2", "7",
             "fits 2 alternatives"},
        Rule{R"({"oneOf": [{"type": "integer"}, {"type": "null"}]})", "2", "\"x\"",
             "no alternative fits"},
        Rule{R"({"anyOf": [{"type": "integer"}, {"minimum": 5}]})", "7", "4.5",
             "no alternative fits"},
        Rule{R"({"$ref": "#/$defs/n", "$defs": {"n": {"type": "null"}}})", "null", "1",
             "needed null"},
        Rule{R"({"properties": {"a": false}})", "{}", R"({"a": 1})", "a: is not allowed here"}));

TEST(SchemaValidator, RefusesASchemaWithARuleItWouldNotCheck) {
  for (const char* schema : {R"({"maxItems": 3})", R"({"items": {"format": "date"}})",
                             R"({"$defs": {"x": {"not": {}}}})",
                             R"({"oneOf": [{"uniqueItems": true}]})", R"({"pattern": "a"})", "3"}) {
    EXPECT_EQ(error_of([&] { SchemaValidator validator(parse_json(schema)); }).kind(),
              ErrorKind::kInvariant)
        << schema;
  }
  EXPECT_THAT(error_of([] { difference(R"({"$ref": "#/$defs/x"})", "1"); }).what(),
              HasSubstr("leads nowhere"));
}

TEST(ResultsSchema, AcceptsWhatTheWriterWrites) {
  validate_results(to_results_json(demonstration()));
  validate_results(to_results_json(Report{}));
}

// One change each, at a place that the message must name.
struct Wrong {
  const char* what;
  std::function<void(Json&)> change;
  const char* message;
};

TEST(ResultsSchema, NamesThePlaceOfEveryKindOfDifference) {
  const Json right = parse_json(to_results_json(demonstration()));
  const std::vector<Wrong> wrongs = {
      {"version", [](Json& j) { j["schema_version"] = 2; },
       "schema version 2.1 of a results.json; this release reads 1.x"},
      {"key", [](Json& j) { j["extra"] = 1; }, "extra: is not a known property"},
      {"no records", [](Json& j) { j.erase("records"); }, "records: is missing"},
      {"run", [](Json& j) { j["run"]["seconds"] = 1; },
       "run.seconds: found an integer, needed string"},
      {"record key", [](Json& j) { j["records"][3]["vaule"] = 1; },
       "records[3].vaule: is not a known"},
      {"record name", [](Json& j) { j["records"][3]["name"] = "Loss Nats"; },
       "records[3].name: found"},
      {"empty name", [](Json& j) { j["records"][0]["name"] = ""; }, "records[0].name: found"},
      {"long name", [](Json& j) { j["records"][0]["name"] = std::string(201, 'a'); },
       "at most 200"},
      {"value", [](Json& j) { j["records"][3]["value"] = Json::array(); },
       "records[3].value: found an array"},
      {"null without reason", [](Json& j) { j["records"][3]["value"] = nullptr; },
       "no alternative fits"},
      {"reason with value", [](Json& j) { j["records"][3]["absent_reason"] = "x"; },
       "no alternative fits"},
      {"dimension", [](Json& j) { j["records"][3]["dimensions"]["n"] = Json::object(); },
       "records[3].dimensions.n: found an object"},
      {"unit", [](Json& j) { j["records"][3].erase("unit"); }, "records[3].unit: is missing"},
      {"samples", [](Json& j) { j["records"][3]["samples"] = Json::array(); },
       "records[3].samples: found 0 items"},
      {"interval", [](Json& j) { j["verdicts"][1]["evidence"][0]["interval"]["level"] = 1.0; },
       "verdicts[1].evidence[0].interval.level: found 1, needed less than 1"},
      {"kind", [](Json& j) { j["verdicts"][0]["kind"] = "OK"; }, "verdicts[0].kind: found \"OK\""},
      {"no claim", [](Json& j) { j["verdicts"][0]["claim"] = ""; },
       "verdicts[0].claim: found a text of 0"},
      {"required", [](Json& j) { j["verdicts"][0]["required"] = "yes"; },
       "verdicts[0].required: found a string"},
      {"not an object", [](Json& j) { j = Json::array(); },
       "needed is a results.json that plumb has written"},
  };
  for (const Wrong& wrong : wrongs) {
    Json document = right;
    wrong.change(document);
    const Error error = error_of([&] { validate_results(document.dump()); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput) << wrong.what;
    EXPECT_THAT(error.what(), AllOf(HasSubstr(wrong.message), Not(HasSubstr("\n")))) << wrong.what;
  }
}

TEST(ResultsSchema, IsTheFileOfTheSourceTree) {
  EXPECT_EQ(results_schema(), read_file(PLUMB_SOURCE_DIR "/reports/schema/results.schema.json"));
}

}  // namespace
}  // namespace plumb::reports
