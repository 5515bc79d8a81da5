#include "reports/versioned.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/json_fields.h"
#include "base/testing.h"
#include "reports/demonstration.h"
#include "reports/markdown.h"
#include "reports/report.h"
#include "reports/schema_validator.h"

namespace plumb::reports {
namespace {

using plumb::testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;

Json results() { return parse_json(to_results_json(demonstration())); }

TEST(Versioned, TakesResultsOfTheFirstMinorVersion) {
  Json json = results();
  json.erase("schema_minor");
  json.erase("subject");
  EXPECT_EQ(read_results(json.dump()), json);
}

TEST(Versioned, PassesOverWhatANewerMinorVersionAdds) {
  Json json = results();
  json["schema_minor"] = kResultsVersion.minor + 1;
  json["unheard_of"] = 1;
  EXPECT_NO_THROW(read_results(json.dump()));
  json["schema_minor"] = kResultsVersion.minor;
  EXPECT_THAT(error_of([&] { read_results(json.dump()); }).what(), HasSubstr("unheard_of"));
}

TEST(Versioned, RefusesAnotherMajorVersionByName) {
  Json json = results();
  json["schema_version"] = 2;
  const Error newer = error_of([&] { read_results(json.dump()); });
  EXPECT_EQ(newer.kind(), ErrorKind::kInput);
  EXPECT_THAT(newer.what(), HasSubstr("schema version 2.1 of a results.json; this release reads "
                                      "1.x: use the release that wrote it"));
  json["schema_version"] = 0;
  EXPECT_THAT(error_of([&] { read_results(json.dump()); }).what(), HasSubstr("make it again"));
  json["schema_version"] = "1.0";
  EXPECT_THAT(error_of([&] { read_results(json.dump()); }).what(),
              HasSubstr("needed is a whole number"));
  EXPECT_THAT(error_of([&] { read_results("[]"); }).what(), HasSubstr("no schema_version"));
}

TEST(Versioned, RefusesEveryBeginningOfAFile) {
  const std::string whole = to_results_json(Report{});
  for (size_t size = 0; size + 1 < whole.size(); ++size)  // the last byte is a line's end
    EXPECT_EQ(error_of([&] { read_results(whole.substr(0, size)); }).kind(), ErrorKind::kInput)
        << size;
}

TEST(Schemas, AreUnderstoodWholly) {
  for (const std::string_view schema : {results_schema(), baseline_schema(), gate_schema()})
    EXPECT_NO_THROW(SchemaValidator(parse_json(schema)));
}

TEST(Markdown, HasARowForEachLineWhateverTheCellsHold) {
  const std::string table = markdown_table({"a", "b"}, {{"x|y", "1\n2"}, {kHostile, kHostile}});
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 4);
  int borders = 0;
  for (size_t i = 0; i < table.size(); ++i)
    if (table[i] == '|' && (i == 0 || table[i - 1] != '\\')) ++borders;
  EXPECT_EQ(borders, 4 * 3);
  EXPECT_EQ(error_of([] { markdown_table({"a"}, {{"x", "y"}}); }).kind(), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb::reports
