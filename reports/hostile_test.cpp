// Every string of a report is under an enemy's control here, and every writer has to stand it.
#include <gmock/gmock.h>

#include <set>

#include "base/json_fields.h"
#include "reports/style.h"
#include "reports/testing.h"

namespace plumb::reports {
namespace testing {
namespace {

void poison(Record& record) {
  for (Dimension& dimension : record.dimensions) dimension.value = kHostile;
  record.unit += kHostile;
  if (!record.absent_reason.empty()) record.absent_reason += kHostile;
  if (record.interval) record.interval->method += kHostile;
  record.samples_file = kHostile;
  record.provenance.emplace_back(kHostile, kHostile);
}

void poison(LineFigure& figure) {
  for (std::string* part :
       {&figure.id, &figure.title, &figure.caption, &figure.x_label, &figure.y_label})
    *part += kHostile;
  for (Series& series : figure.series) series.label += kHostile;
  for (Reference& reference : figure.references) reference.label += kHostile;
  for (Band& band : figure.bands) band.label += kHostile;
}

void poison(HeatFigure& figure) {
  for (std::string* part : {&figure.id, &figure.title, &figure.caption, &figure.row_label,
                            &figure.column_label, &figure.value_label, &figure.mark_label})
    *part += kHostile;
  figure.cells[0].tooltip = kHostile;
}

void poison(PlanFigure& figure) {
  for (std::string* part : {&figure.id, &figure.title, &figure.caption}) *part += kHostile;
  for (PlanRow& row : figure.rows) row.label += kHostile;
}

void poison(Table& table) {
  for (std::string* part : {&table.id, &table.title, &table.caption}) *part += kHostile;
  for (std::string& column : table.columns) column += kHostile;
  for (auto& row : table.rows)
    for (std::string& cell : row) cell += kHostile;
}

}  // namespace

Report hostile_report() {
  Report report = demonstration();
  report.title += kHostile;
  report.subtitle += kHostile;
  for (auto& [name, value] : report.headline) name += kHostile, value += kHostile;
  for (std::string& warning : report.warnings) warning += kHostile;
  for (std::string& finding : report.findings) finding += kHostile;
  for (Chapter& chapter : report.method) {
    chapter.title += kHostile;
    for (Paragraph& paragraph : chapter.paragraphs) paragraph.text += kHostile;
  }
  for (Verdict& verdict : report.verdicts) {
    for (std::string* part : {&verdict.claim, &verdict.title, &verdict.statement, &verdict.source,
                              &verdict.reason, &verdict.next_step})
      *part += kHostile;
    for (Record& record : verdict.evidence) poison(record);
  }
  for (auto& figure : report.figures) std::visit([](auto& one) { poison(one); }, figure);
  for (Record& record : report.records) poison(record);
  for (auto& [group, facts] : report.provenance) {
    group += kHostile;
    for (auto& [key, value] : facts) key += kHostile, value += kHostile;
  }
  for (auto& [key, value] : report.run) key += kHostile, value += kHostile;
  return report;
}

}  // namespace testing

namespace {

using testing::elements;
using ::testing::HasSubstr;
using ::testing::Not;

size_t count_elements(const pugi::xml_node& root) {
  size_t count = 0;
  struct Walker : pugi::xml_tree_walker {
    size_t* count = nullptr;
    bool for_each(pugi::xml_node& node) override {
      *count += node.type() == pugi::node_element;
      return true;
    }
  } walker;
  walker.count = &count;
  pugi::xml_node(root).traverse(walker);
  return count;
}

// Nothing that XML forbids, no bidirectional override, no text that is not UTF-8.
void expect_clean(const std::string& written) {
  EXPECT_EQ(repair_utf8(written), written);
  EXPECT_EQ(clean_text(written), written);
}

TEST(HostileNames, MakeNoElementInThePage) {
  pugi::xml_document calm, hostile;
  const std::string page = to_html(testing::hostile_report());
  testing::parse(to_html(demonstration()), calm);
  testing::parse(page, hostile);
  expect_clean(page);
  ASSERT_EQ(elements(hostile, "script").size(), 1u);  // the page's own
  EXPECT_EQ(elements(hostile, "script")[0].child_value(), page_script());
  // The enemy's longer names may add legend rows and shorten labels, but every mark, cell and row
  // has the one element that it has in the calm page; next steps and dimensions were empty there.
  for (const char* name : {"svg", "figure", "table", "tr", "td", "th", "h2", "h3", "path", "rect",
                           "circle", "section", "details", "a", "li", "dt", "dd"})
    EXPECT_EQ(elements(hostile, name).size(), elements(calm, name).size()) << name;
  EXPECT_GT(count_elements(hostile), 1000u);
}

TEST(HostileNames, AreShownAsTheyAreButDefused) {
  pugi::xml_document page;
  testing::parse(to_html(testing::hostile_report()), page);
  const std::string title = elements(page, "h1").at(0).child_value();
  EXPECT_EQ(title, "How deep is SmolLM2-135M-Instruct?" + clean_text(kHostile));
  EXPECT_THAT(title, HasSubstr("<script>alert(1)</script>"));
}

TEST(HostileNames, MakeNoAttributeThatRunsOrLoads) {
  pugi::xml_document page;
  testing::parse(to_html(testing::hostile_report()), page);
  struct Walker : pugi::xml_tree_walker {
    bool for_each(pugi::xml_node& node) override {
      for (const pugi::xml_attribute& attribute : node.attributes()) {
        const std::string name = attribute.name(), value = attribute.value();
        EXPECT_FALSE(name.starts_with("on")) << name;
        EXPECT_NE(name, "src");
        EXPECT_NE(name, "style");
        if (name == "href") {
          EXPECT_TRUE(value.starts_with("#")) << value;
        }
        if (name == "fill" || name == "clip-path") {
          EXPECT_TRUE(value.starts_with("#") || value.starts_with("url(#")) << value;
        }
      }
      return true;
    }
  } walker;
  page.traverse(walker);
}

TEST(HostileNames, LeaveTheIdsUniqueAndPlain) {
  pugi::xml_document page;
  testing::parse(to_html(testing::hostile_report()), page);
  std::set<std::string> ids;
  for (const pugi::xpath_node& found : page.select_nodes("//@id")) {
    const std::string id = found.attribute().value();
    EXPECT_TRUE(ids.insert(id).second) << id;
    EXPECT_EQ(slug(id), id);
  }
  EXPECT_GT(ids.size(), 20u);
}

TEST(HostileNames, KeepTheDrawingsTextsInside) {
  pugi::xml_document page;
  testing::parse(to_html(testing::hostile_report()), page);
  for (const pugi::xml_node& svg : elements(page, "svg"))
    testing::expect_texts_apart(svg, svg.attribute("aria-labelledby").value());
}

TEST(HostileNames, ComeBackFromResultsJsonAsValidUtf8) {
  const std::string json = to_results_json(testing::hostile_report());
  validate_results(json);
  EXPECT_EQ(repair_utf8(json), json);
  EXPECT_THAT(json, Not(HasSubstr("\u2028")));
  const auto parsed = parse_json(json);
  EXPECT_EQ(parsed["records"][0]["dimensions"]["n"], repair_utf8(kHostile));
  EXPECT_THAT(parsed["verdicts"][0]["title"].get<std::string>(), HasSubstr(repair_utf8(kHostile)));
}

TEST(HostileNames, ComeBackFromProvenanceJson) {
  const auto parsed = parse_json(to_provenance_json(testing::hostile_report()));
  EXPECT_TRUE(parsed["provenance"].contains("model" + repair_utf8(kHostile)));
}

TEST(HostileNames, MakeNoElementInJunit) {
  pugi::xml_document calm, hostile;
  const std::string xml = to_junit_xml(testing::hostile_report());
  expect_clean(xml);
  testing::parse(to_junit_xml(demonstration()), calm);
  testing::parse(xml, hostile);
  EXPECT_EQ(count_elements(hostile), count_elements(calm));
  EXPECT_STREQ(hostile.child("testsuites").attribute("failures").value(), "1");
}

}  // namespace
}  // namespace plumb::reports
