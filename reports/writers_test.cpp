// results.json, provenance.json and junit.xml.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <set>

#include "base/file.h"
#include "base/json_fields.h"
#include "base/testing.h"
#include "reports/testing.h"

namespace plumb::reports {
namespace {

using plumb::testing::error_of;
using plumb::testing::TemporaryFolder;
using ::testing::AllOf;
using testing::elements;
using ::testing::HasSubstr;

const double kNan = std::numeric_limits<double>::quiet_NaN();

Report with(Record record) {
  Report report;
  report.records = {std::move(record)};
  return report;
}

TEST(ResultsJson, IsTheSameBytesEachTimeButForRun) {
  Report first = demonstration(), second = demonstration();
  EXPECT_EQ(to_results_json(first), to_results_json(second));
  second.run = {{"started", "another day"}};
  auto a = parse_json(to_results_json(first)), b = parse_json(to_results_json(second));
  EXPECT_NE(a, b);
  a.erase("run"), b.erase("run");
  EXPECT_EQ(a.dump(), b.dump());
}

TEST(ResultsJson, GivesEveryDoubleBackToTheLastBit) {
  Rng rng(3);
  Report report;
  std::vector<double> values = {0.1, 1e-300, 5e-324, 1.7976931348623157e308, -0.0, 1.0 / 3};
  for (int i = 0; i < 1000; ++i)
    values.push_back(rng.normal() * std::pow(10, 40 * rng.uniform() - 20));
  for (const double value : values)
    report.records.push_back(
        {.name = "x", .value = value, .unit = "1", .samples = {value, -value}});
  const auto parsed = parse_json(to_results_json(report));
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(parsed["records"][i]["value"].get<double>(), values[i]);
    EXPECT_EQ(parsed["records"][i]["samples"][1].get<double>(), -values[i]);
  }
}

TEST(ResultsJson, KeepsIntegersTextAndTruthApart) {
  Report report;
  for (const Value& value : std::vector<Value>{int64_t{1} << 62, std::string("1"), true, 1.0})
    report.records.push_back({.name = "x", .value = value, .unit = "1"});
  const auto parsed = parse_json(to_results_json(report))["records"];
  EXPECT_EQ(parsed[0]["value"].get<int64_t>(), int64_t{1} << 62);
  EXPECT_TRUE(parsed[1]["value"].is_string());
  EXPECT_TRUE(parsed[2]["value"].is_boolean());
  EXPECT_TRUE(parsed[3]["value"].is_number_float());
  validate_results(to_results_json(report));
}

TEST(ResultsJson, RefusesNumbersThatAreNoneAndNamesTheRecord) {
  Record record{
      .name = "loss_nats", .dimensions = {{"n", int64_t{7}}}, .value = kNan, .unit = "nats"};
  const auto message = [](const Record& wrong) {
    const Error error = error_of([&] { to_results_json(with(wrong)); });
    EXPECT_EQ(error.kind(), ErrorKind::kInvariant);
    return std::string(error.what());
  };
  EXPECT_THAT(message(record), AllOf(HasSubstr("record 'loss_nats', n 7"), HasSubstr("is nan")));
  record.value = 1.0, record.samples = {1, std::numeric_limits<double>::infinity()};
  EXPECT_THAT(message(record), HasSubstr("sample 1 is inf"));
  record.samples = {}, record.interval = Interval{0, kNan, 0.95, ""};
  EXPECT_THAT(message(record), HasSubstr("the interval's high end is nan"));
  record.interval = {}, record.value = {};
  EXPECT_THAT(message(record), HasSubstr("neither a value nor a reason"));
  record.value = 1.0, record.absent_reason = "gone";
  EXPECT_THAT(message(record), HasSubstr("a value and a reason"));
  record.absent_reason = "", record.dimensions.push_back({"n", int64_t{8}});
  EXPECT_THAT(message(record), HasSubstr("dimension 'n' is given twice"));
}

// An independent validator on the committed schema, where a Python with jsonschema is named.
TEST(ResultsJson, FitsItsSchemaByAnIndependentValidator) {
  const auto python = plumb::testing::peer_python("jsonschema");
  if (!python.missing.empty()) GTEST_SKIP() << python.missing;
  const TemporaryFolder folder;
  write_report(testing::hostile_report(), folder.path());
  const std::string program =
      "import json, sys, jsonschema; s = json.load(open(sys.argv[1])); v = "
      "jsonschema.Draft202012Validator; v.check_schema(s); "
      "v(s).validate(json.load(open(sys.argv[2])))";
  EXPECT_EQ(
      std::system(text("'", python.path, "' -c '", program, "' ", PLUMB_SOURCE_DIR,
                       "/reports/schema/results.schema.json ", (folder / "results.json").string())
                      .c_str()),
      0);
}

class Junit : public ::testing::Test {
 protected:
  Junit() { testing::parse(to_junit_xml(report_), document_); }
  const Report report_ = demonstration();
  pugi::xml_document document_;
};

TEST_F(Junit, CountsWhatItHolds) {
  const std::map<std::string, const char*> counts = {
      {"failures", "failure"}, {"errors", "error"}, {"skipped", "skipped"}};
  for (const char* name : {"testsuites", "testsuite"}) {
    const pugi::xml_node node = elements(document_, name).at(0);
    EXPECT_EQ(node.attribute("tests").as_uint(), elements(document_, "testcase").size());
    for (const auto& [attribute, element] : counts)
      EXPECT_EQ(node.attribute(attribute.c_str()).as_uint(), elements(document_, element).size())
          << attribute;
  }
  EXPECT_EQ(elements(document_, "testcase").size(), 7u);
}

TEST_F(Junit, TurnsEachKindIntoTheElementOfTheContract) {
  std::map<std::string, std::string> found;
  for (const pugi::xml_node& test : elements(document_, "testcase")) {
    const pugi::xml_node last = test.last_child().type() == pugi::node_element
                                    ? test.last_child()
                                    : test.last_child().previous_sibling();
    const std::string kind = elements(test, "property").at(0).attribute("value").value();
    found[kind] = std::string(last.name()) == "properties" ? "" : last.name();
    if (kind != "PASS") {
      EXPECT_THAT(last.attribute("message").value(), HasSubstr(kind + ": "));
    }
  }
  EXPECT_EQ(found, (std::map<std::string, std::string>{{"PASS", ""},
                                                       {"FAIL", "failure"},
                                                       {"INVALID", "error"},
                                                       {"INCONCLUSIVE", "skipped"},
                                                       {"NOT RUN", "skipped"},
                                                       {"INCOMPARABLE", "skipped"}}));
}

TEST_F(Junit, CarriesTheEvidenceAsProperties) {
  std::map<std::string, std::string> properties;
  for (const pugi::xml_node& node : elements(document_, "property"))
    properties[node.attribute("name").value()] = node.attribute("value").value();
  EXPECT_EQ(properties["loss_nats.difference[n=11]"], "0.3117 nats");
  EXPECT_EQ(properties["cost.peak_bytes.slope[statistic=Theil-Sen]"],
            "-7310000 bytes per block [-7600000, -7020000] at 0.95");
  EXPECT_EQ(properties["loss_nats.healed"], "absent: no healing in this run");
}

TEST_F(Junit, NamesEveryCaseOnce) {
  Report report = report_;
  report.verdicts.push_back(report.verdicts[0]);
  report.verdicts.push_back(report.verdicts[0]);
  report.verdicts.push_back(Verdict{});
  pugi::xml_document document;
  testing::parse(to_junit_xml(report), document);
  std::set<std::string> names;
  for (const pugi::xml_node& test : elements(document, "testcase"))
    EXPECT_TRUE(names.insert(test.attribute("name").value()).second);
  EXPECT_TRUE(names.contains("residual-reconnection (3)"));
  EXPECT_TRUE(names.contains("unnamed"));
}

TEST(WriteReport, LeavesTheFolderAsItWasWhereTheReportCannotBeMade) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "results.json", "old");
  EXPECT_THROW(write_report(with({.name = "x", .value = kNan, .unit = "1"}), folder.path()), Error);
  EXPECT_EQ(read_file(folder / "results.json"), "old");
  EXPECT_FALSE(std::filesystem::exists(folder / "report.html"));
}

TEST(ProvenanceJson, RefusesAKeyGivenTwice) {
  Report report;
  report.provenance = {{"model", {{"name", "a"}, {"name", "b"}}}};
  EXPECT_THAT(error_of([&] { to_provenance_json(report); }).what(),
              HasSubstr("provenance of 'model': 'name' is given twice"));
}

}  // namespace
}  // namespace plumb::reports
