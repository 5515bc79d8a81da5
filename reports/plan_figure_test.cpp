#include <gmock/gmock.h>

#include "base/testing.h"
#include "reports/chart.h"
#include "reports/html_parts.h"
#include "reports/testing.h"

namespace plumb::reports {
namespace {

using plumb::testing::error_of;
using testing::elements;
using ::testing::HasSubstr;

struct Drawn {
  pugi::xml_document document;
  explicit Drawn(const PlanFigure& figure) { testing::parse(draw(figure, "plans").svg, document); }
  size_t count(const char* name, const char* css_class) const {
    return elements(document, name, css_class).size();
  }
};

TEST(PlanFigure, ShowsEveryBlockOfEveryPlanOnceAndAnArrowForEachGap) {
  const PlanFigure figure{.id = "p",
                          .title = "t",
                          .blocks = 12,
                          .rows = {{"whole", {}}, {"a", {3, 4, 5}}, {"b", {0, 2, 7, 8, 11}}}};
  const Drawn drawn(figure);
  // The key has one of each as well.
  EXPECT_EQ(drawn.count("rect", "kept"), 12u + 9u + 7u + 1u);
  EXPECT_EQ(drawn.count("rect", "gone"), 0u + 3u + 5u + 1u);
  EXPECT_EQ(drawn.count("path", "reconnection"), 0u + 1u + 4u + 1u);
  testing::expect_texts_apart(drawn.document.first_child(), "plans");
}

TEST(PlanFigure, LeadsEachArrowFromTheBlockBeforeTheGapToTheOneAfterIt) {
  const Drawn drawn({.id = "p", .title = "t", .blocks = 10, .rows = {{"a", {4, 5, 6}}}});
  std::vector<double> kept;
  for (const pugi::xml_node& block : elements(drawn.document, "rect", "kept"))
    kept.push_back(block.attribute("x").as_double() + block.attribute("width").as_double() / 2);
  kept.erase(kept.begin());  // the key's
  double from = 0, to = 0, y = 0;
  const auto arcs = elements(drawn.document, "path", "reconnection");
  ASSERT_EQ(arcs.size(), 2u);
  ASSERT_EQ(
      std::sscanf(arcs[1].attribute("d").value(), "M%lf %lfC%*f %*f %*f %*f %lf", &from, &y, &to),
      3);
  // Coordinates have two decimals.
  EXPECT_NEAR(from, kept[3], 0.02);
  EXPECT_NEAR(to, kept[4], 0.02);
}

TEST(PlanFigure, SaysInWordsHowTheRestIsJoined) {
  EXPECT_EQ(reconnection({"", {}}, 8), "all 8 blocks stay");
  EXPECT_EQ(reconnection({"", {2, 3}}, 8),
            "blocks 2-3 are removed; the output of block 1 enters block 4");
  EXPECT_EQ(reconnection({"", {0}}, 8), "block 0 is removed; the embedding enters block 1");
  EXPECT_EQ(reconnection({"", {5, 7}}, 8),
            "blocks 5;7 are removed; the output of block 4 enters block 6; the output of block 6 "
            "goes to the final norm");
}

TEST(PlanFigure, KeepsItsTextsApartForManyBlocksAndLongNames) {
  PlanFigure figure{.id = "p", .title = "t", .blocks = 80};
  for (int i = 0; i < 6; ++i) figure.rows.push_back({std::string(300, 'W'), {i, i + 40}});
  testing::expect_texts_apart(Drawn(figure).document.first_child(), "80 blocks");
  figure.blocks = 1, figure.rows = {{"one", {0}}};
  testing::expect_texts_apart(Drawn(figure).document.first_child(), "1 block");
}

TEST(PlanFigure, RefusesBlocksThatAreNotThereOrNotInOrder) {
  for (const std::vector<int>& wrong : {std::vector<int>{3, 3}, {4, 2}, {-1}, {10}}) {
    const Error error = error_of([&] {
      draw(PlanFigure{.id = "p", .blocks = 10, .rows = {{"a", wrong}}}, "p");
    });
    EXPECT_EQ(error.kind(), ErrorKind::kInvariant);
    EXPECT_THAT(error.what(), HasSubstr("figure 'p', plan 'a'"));
  }
}

}  // namespace
}  // namespace plumb::reports
