#include <gmock/gmock.h>

#include <regex>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/testing.h"
#include "reports/html_parts.h"
#include "reports/style.h"
#include "reports/testing.h"

namespace plumb::reports {
namespace {

using plumb::testing::error_of;
using testing::elements;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Page : public ::testing::Test {
 protected:
  Page() { testing::parse(html_, document_); }
  std::vector<pugi::xml_node> all(const char* name, const char* css_class = nullptr) const {
    return elements(document_, name, css_class);
  }
  const Report report_ = demonstration();
  const std::string html_ = to_html(report_);
  pugi::xml_document document_;
};

TEST_F(Page, AsksTheNetworkForNothingAndRunsItsOwnScriptAlone) {
  ASSERT_EQ(all("script").size(), 1u);
  EXPECT_EQ(all("script")[0].child_value(), page_script());
  EXPECT_EQ(page_script().find_first_of("<&"), std::string::npos);  // in HTML as in XML
  for (const char* name : {"link", "img", "iframe", "object", "embed", "audio", "video", "use",
                           "image", "foreignObject", "base", "form"})
    EXPECT_TRUE(all(name).empty()) << name;
  std::string without_namespaces = html_;
  for (const char* name : {"http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg"})
    for (size_t at; (at = without_namespaces.find(name)) != std::string::npos;)
      without_namespaces.erase(at, std::strlen(name));
  for (const char* scheme : {"http:", "https:", "//cdn", "javascript:", "@import", "file:"})
    EXPECT_EQ(without_namespaces.find(scheme), std::string::npos) << scheme;
}

TEST_F(Page, HasAPolicyThatAllowsItsOwnStyleAndScriptAndNothingElse) {
  ASSERT_EQ(all("style").size(), 1u);
  std::string policy;
  for (const pugi::xml_node& meta : all("meta"))
    if (std::string(meta.attribute("http-equiv").value()) == "Content-Security-Policy")
      policy = meta.attribute("content").value();
  const std::string style = all("style")[0].child_value();
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("style-src 'sha256-" + base64_of_hex(sha256_hex(style)) + "'"));
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  const std::string script = all("script")[0].child_value();
  EXPECT_THAT(policy, HasSubstr("script-src 'sha256-" + base64_of_hex(sha256_hex(script)) + "';"));
}

TEST_F(Page, IsTheSameBytesEachTime) { EXPECT_EQ(to_html(demonstration()), html_); }

TEST_F(Page, PutsVerdictsFirstAndTheWorstOnTop) {
  std::vector<std::string> kinds;
  for (const pugi::xml_node& row : all("tr"))
    if (!row.attribute("data-verdict").empty())
      kinds.emplace_back(row.attribute("data-verdict").value());
  EXPECT_THAT(kinds, ElementsAre("FAIL", "INVALID", "INCOMPARABLE", "INCONCLUSIVE", "PASS", "PASS",
                                 "NOT RUN"));
  EXPECT_LT(html_.find("id=\"verdicts\""), html_.find("id=\"figures\""));
  EXPECT_THAT(html_, HasSubstr("7 claims: 1 failed, 1 invalid, 1 incomparable, 1 inconclusive, 2 "
                               "passed, 1 not run."));
}

TEST_F(Page, LinksOnlyToWhatIsThere) {
  std::set<std::string> ids;
  for (const pugi::xpath_node& found : document_.select_nodes("//@id"))
    ids.insert(found.attribute().value());
  size_t links = 0;
  for (const pugi::xml_node& link : all("a")) {
    EXPECT_TRUE(ids.contains(std::string(link.attribute("href").value()).substr(1)));
    ++links;
  }
  EXPECT_GE(links, 5u);
  for (const char* name : {"aria-labelledby"})
    for (const pugi::xpath_node& found :
         document_.select_nodes((std::string("//@") + name).c_str())) {
      std::istringstream names(found.attribute().value());
      for (std::string id; names >> id;) EXPECT_TRUE(ids.contains(id)) << id;
    }
  const std::regex reference("url\\(#([a-z0-9-]+)\\)");
  for (auto at = std::sregex_iterator(html_.begin(), html_.end(), reference);
       at != std::sregex_iterator(); ++at)
    EXPECT_TRUE(ids.contains((*at)[1])) << (*at)[1];
}

TEST_F(Page, GivesEveryDrawingANameADescriptionAndItsNumbers) {
  const auto drawings = all("svg");
  EXPECT_EQ(drawings.size(), 6u);
  for (const pugi::xml_node& svg : drawings) {
    EXPECT_STREQ(svg.attribute("role").value(), "img");
    EXPECT_STRNE(svg.child("title").child_value(), "");
    EXPECT_STRNE(svg.child("desc").child_value(), "");
    const pugi::xml_node figure = svg.parent().parent();
    EXPECT_STREQ(figure.name(), "figure");
    EXPECT_FALSE(elements(figure, "table").empty());
  }
}

TEST_F(Page, MarksHeadingsAndCellsForScreenReaders) {
  for (const pugi::xml_node& head : all("th")) EXPECT_STRNE(head.attribute("scope").value(), "");
  EXPECT_EQ(all("h1").size(), 1u);
  EXPECT_STREQ(all("html").at(0).attribute("lang").value(), "en");
  for (const pugi::xml_node& box : all("div", "scroll")) {
    EXPECT_STREQ(box.attribute("tabindex").value(), "0");
    EXPECT_STRNE(box.attribute("aria-label").value(), "");
  }
}

TEST_F(Page, KeepsTheTextsOfEveryDrawingApart) {
  for (const pugi::xml_node& svg : all("svg"))
    testing::expect_texts_apart(svg, svg.child("title").child_value());
}

TEST_F(Page, ShowsAReasonForEveryNumberThatIsNotThere) {
  EXPECT_THAT(html_, HasSubstr("not obtained: no healing in this run"));
  EXPECT_EQ(html_.find("N/A"), std::string::npos);
  EXPECT_EQ(html_.find(">nan<"), std::string::npos);
}

TEST(EmptyPage, IsWellFormedAndSaysThatNothingWasExamined) {
  pugi::xml_document document;
  const std::string html = to_html(Report{});
  testing::parse(html, document);
  EXPECT_THAT(html, HasSubstr("No claim was examined in this run."));
}

TEST(Ids, AreNeverGivenTwiceNorTheOnesDerivedFromThem) {
  Ids ids;
  EXPECT_EQ(ids.claim("Loss"), "loss");
  EXPECT_EQ(ids.claim("loss"), "loss-2");
  EXPECT_NE(ids.claim("loss-title"), "loss-title");  // the first figure's title has it
  EXPECT_NE(ids.claim("verdicts"), "verdicts");
  EXPECT_NE(ids.claim("figures-heading"), "figures-heading");
}

TEST(Ids, KeepFiguresOfOneNameApart) {
  Report report = demonstration();
  report.figures.push_back(report.figures[0]);
  report.figures.push_back(report.figures[2]);
  std::get<PlanFigure>(report.figures[0]).id = "verdicts";  // a section's
  pugi::xml_document document;
  testing::parse(to_html(report), document);
  std::set<std::string> ids;
  for (const pugi::xpath_node& found : document.select_nodes("//@id"))
    EXPECT_TRUE(ids.insert(found.attribute().value()).second) << found.attribute().value();
}

TEST(Table, RefusesARowOfAnotherLength) {
  Report report;
  report.figures = {Table{.id = "t", .title = "t", .columns = {"a", "b"}, .rows = {{"1"}}}};
  const Error error = error_of([&] { to_html(report); });
  EXPECT_EQ(error.kind(), ErrorKind::kInvariant);
  EXPECT_THAT(error.what(), HasSubstr("table 't' has a row of 1 cells under 2 columns"));
}

TEST(Markup, RefusesToEndWhatIsNotOpenAndToLeaveOpenWhatIs) {
  Markup out;
  EXPECT_THAT(error_of([&] { out.close(); }).what(), HasSubstr("without an open element"));
  out.open("p");
  EXPECT_THAT(error_of([&] { out.str(); }).what(), HasSubstr("element 'p' was never closed"));
  EXPECT_EQ(out.text("<&").close().str(), "<p>&lt;&amp;</p>");
}

}  // namespace
}  // namespace plumb::reports
