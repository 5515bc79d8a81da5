// The page in a browser: what readers see, in every way in which they may look at it.
#include <gmock/gmock.h>

#include "reports/browser_testing.h"
#include "reports/testing.h"

namespace plumb::reports {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class Browser : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    visits_ = new testing::Visits(testing::open_pages(
        fs::path(PLUMB_BINARY_DIR) / "browser", {{"demonstration", to_html(demonstration())},
                                                 {"hostile", to_html(testing::hostile_report())}}));
  }
  static void TearDownTestSuite() {
    delete visits_;
    visits_ = nullptr;
  }
  void SetUp() override {
    if (!visits_->skipped.empty()) GTEST_SKIP() << visits_->skipped;
  }
  template <typename Action>
  static void for_each(const std::string& page, Action&& action) {
    size_t count = 0;
    for (const Json& visit : visits_->visits)
      if (visit["page"] == page + ".html" && visit["media"] == "") action(visit), ++count;
    EXPECT_EQ(count, 8u);
  }
  static testing::Visits* visits_;
};
testing::Visits* Browser::visits_ = nullptr;

TEST_F(Browser, FindsNothingWrongWithThePage) { for_each("demonstration", testing::expect_sound); }

TEST_F(Browser, FindsNothingWrongWithAnEnemysNames) { for_each("hostile", testing::expect_sound); }

TEST_F(Browser, ShowsEveryNumberOfEveryFigureInItsPlaceAndInItsTable) {
  for_each("demonstration",
           [](const Json& visit) { testing::expect_figures(visit, demonstration()); });
}

TEST_F(Browser, ShowsTheNumbersBehindAnEnemysNames) {
  for_each("hostile",
           [](const Json& visit) { testing::expect_figures(visit, testing::hostile_report()); });
}

TEST_F(Browser, ShowsTheSameWithoutJavaScriptButForTheSorting) {
  Json with, without;
  for (const Json& visit : visits_->visits)
    if (visit["page"] == "demonstration.html" && visit["scheme"] == "light" &&
        visit["width"] == 1440)
      (visit["javascript"] ? with : without) = visit["facts"];
  EXPECT_GT(with["sorters"], 0);
  EXPECT_EQ(without["sorters"], 0);
  for (const char* same : {"figures", "verdicts", "sections", "heading", "texts"}) {
    if (std::string(same) != "figures") {
      EXPECT_EQ(with[same], without[same]) << same;
      continue;
    }
    for (size_t i = 0; i < with["figures"].size(); ++i)
      for (const char* part : {"title", "caption", "points", "bands", "cells", "rows", "texts"})
        EXPECT_EQ(with["figures"][i][part], without["figures"][i][part]) << part;
  }
}

TEST_F(Browser, IsDarkWhereItShouldBeAndNotOnPaper) {
  for (const Json& visit : visits_->visits) {
    const int paper = visit["facts"]["paper"][0], ink = visit["facts"]["ink"][0];
    const bool dark = visit["scheme"] == "dark" && visit["media"] == "";
    EXPECT_EQ(paper < 64, dark) << testing::where(visit);
    EXPECT_EQ(ink > 192, dark) << testing::where(visit);
  }
}

TEST_F(Browser, PrintsEveryFigure) {
  for (const Json& visit : visits_->visits) {
    if (visit["media"] != "print") continue;
    EXPECT_EQ(visit["problems"], Json::array());
    EXPECT_LE(visit["facts"]["page"], visit["facts"]["window"]) << visit["facts"]["wide"].dump();
    EXPECT_EQ(visit["facts"]["collisions"], Json::array()) << testing::where(visit);
    const std::string pdf =
        fs::path(visit["screenshot"].get<std::string>()).replace_extension(".pdf").string();
    EXPECT_TRUE(read_file(visits_->folder / pdf).starts_with("%PDF")) << pdf;
  }
}

TEST_F(Browser, GivesReadersTheSectionsInTheirOrder) {
  for_each("demonstration", [](const Json& visit) {
    std::vector<std::string> ids;
    for (const Json& section : visit["facts"]["sections"]) ids.push_back(section["id"]);
    EXPECT_THAT(ids, ::testing::ElementsAre("verdicts", "figures", "claims", "tables", "method",
                                            "limits", "provenance"));
    EXPECT_EQ(visit["facts"]["verdicts"].size(), demonstration().verdicts.size());
  });
}

}  // namespace
}  // namespace plumb::reports
