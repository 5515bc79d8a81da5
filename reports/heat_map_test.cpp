#include <gmock/gmock.h>

#include <limits>
#include <map>

#include "base/testing.h"
#include "reports/chart.h"
#include "reports/colour.h"
#include "reports/testing.h"

namespace plumb::reports {
namespace {

using plumb::testing::error_of;
using ::testing::AllOf;
using testing::elements;
using ::testing::HasSubstr;

// A triangle as of the distances of `blocks` blocks, with some cells left out.
HeatFigure triangle(int blocks, uint64_t seed) {
  Rng rng(seed);
  HeatFigure figure{.id = "map",
                    .title = "Map",
                    .row_label = "n, blocks removed",
                    .column_label = "l, first removed block",
                    .first_row = 1,
                    .rows = blocks,
                    .columns = blocks,
                    .value_label = "angular distance",
                    .mark_label = "the least"};
  for (int n = 1; n <= blocks; ++n)
    for (int l = 0; l + n <= blocks; ++l)
      if (rng.below(10) != 0)
        figure.cells.push_back(
            {.row = n, .column = l, .value = rng.uniform(), .marked = rng.below(9) == 0});
  if (figure.cells.empty()) figure.cells.push_back({.row = 1, .column = 0, .value = 1});
  return figure;
}

pugi::xml_node drawn(const HeatFigure& figure, pugi::xml_document& document) {
  testing::parse(draw(figure, figure.id).svg, document);
  return document.child("svg");
}

std::map<std::pair<int, int>, pugi::xml_node> cells_of(const pugi::xml_node& svg) {
  std::map<std::pair<int, int>, pugi::xml_node> cells;
  for (const pugi::xml_node& cell : elements(svg, "g", "cell"))
    cells[{cell.attribute("data-row").as_int(), cell.attribute("data-column").as_int()}] = cell;
  return cells;
}

class HeatMapOverSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(HeatMapOverSeeds, ShowsEveryCellWithAllItsDigitsAndLeavesGapsOpen) {
  const HeatFigure figure = triangle(1 + static_cast<int>(GetParam()) * 3, GetParam());
  pugi::xml_document document;
  const auto cells = cells_of(drawn(figure, document));
  ASSERT_EQ(cells.size(), figure.cells.size());  // and so nothing where the figure has nothing
  for (const Cell& cell : figure.cells) {
    const auto& node = cells.at({cell.row, cell.column});
    EXPECT_EQ(std::stod(node.attribute("data-value").value()), cell.value);
    EXPECT_EQ(!node.child("circle").empty(), cell.marked);
    EXPECT_EQ(node.attribute("data-marked").as_bool(), cell.marked);
    EXPECT_THAT(node.child("title").child_value(), HasSubstr(readable(cell.value)));
  }
}

TEST_P(HeatMapOverSeeds, StandsInAGridWithRowsUpwardsAndColumnsRightwards) {
  const HeatFigure figure = triangle(2 + static_cast<int>(GetParam()) * 3, GetParam());
  pugi::xml_document document;
  const auto cells = cells_of(drawn(figure, document));
  const auto at = [](const pugi::xml_node& cell, const char* name) {
    return cell.child("rect").attribute(name).as_double();
  };
  const auto& [origin, first] = *cells.begin();
  double size = 0;
  for (const auto& [place, cell] : cells)
    if (place.second != origin.second)
      size = (at(cell, "x") - at(first, "x")) / (place.second - origin.second);
  for (const auto& [place, cell] : cells) {
    // Coordinates are written to two decimals: half a unit of the last one at each end.
    EXPECT_NEAR(at(cell, "x") - at(first, "x"), size * (place.second - origin.second), 0.5);
    EXPECT_NEAR(at(cell, "y") - at(first, "y"), -size * (place.first - origin.first), 0.5);
    EXPECT_GT(at(cell, "width"), 0);
  }
}

TEST_P(HeatMapOverSeeds, ColoursByTheWholeMapOrByEachRow) {
  for (const bool by_row : {false, true}) {
    HeatFigure figure = triangle(12, GetParam());
    figure.normalise_rows = by_row;
    pugi::xml_document document;
    const auto cells = cells_of(drawn(figure, document));
    for (const Cell& cell : figure.cells) {
      double low = cell.value, high = cell.value;
      for (const Cell& other : figure.cells)
        if (!by_row || other.row == cell.row)
          low = std::min(low, other.value), high = std::max(high, other.value);
      const auto rect = cells.at({cell.row, cell.column}).child("rect");
      if (low == high)
        EXPECT_STREQ(rect.attribute("class").value(), "no-range");
      else
        EXPECT_EQ(rect.attribute("fill").value(),
                  hex(heat_colour((cell.value - low) / (high - low))));
    }
  }
}

TEST_P(HeatMapOverSeeds, KeepsItsTextsApartAndItsKeyOffTheCells) {
  HeatFigure figure = triangle(1 + static_cast<int>(GetParam()) * 7, GetParam());
  for (const bool full : {false, true}) {
    if (full)  // no free corner: the key goes above
      figure.cells.push_back({.row = figure.rows, .column = figure.columns - 1, .value = 0.5});
    pugi::xml_document document;
    const pugi::xml_node svg = drawn(figure, document);
    testing::expect_texts_apart(svg, text("seed ", GetParam(), full ? ", full" : ""));
    const pugi::xml_node bar = elements(svg, "g", "key").at(0).child("rect");
    for (const auto& [place, cell] : cells_of(svg)) {
      const auto rect = cell.child("rect");
      EXPECT_FALSE(rect.attribute("x").as_double() + rect.attribute("width").as_double() >
                       bar.attribute("x").as_double() &&
                   rect.attribute("y").as_double() <
                       bar.attribute("y").as_double() + bar.attribute("height").as_double() + 40 &&
                   rect.attribute("y").as_double() + rect.attribute("height").as_double() >
                       bar.attribute("y").as_double() - 12)
          << "cell " << place.first << ", " << place.second << " under the key";
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, HeatMapOverSeeds, ::testing::Range<uint64_t>(0, 12));

TEST(HeatMap, RefusesAValueThatIsNotFiniteAndSaysToLeaveItOut) {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    HeatFigure figure = triangle(4, 1);
    figure.cells[2].value = value;
    const Error error = error_of([&] { draw(figure, "map"); });
    EXPECT_EQ(error.kind(), ErrorKind::kInvariant);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("figure 'map', cell ("), HasSubstr("leave the cell out")));
  }
}

TEST(HeatMap, RefusesACellOutsideAndAMapOfNothing) {
  HeatFigure figure = triangle(4, 1);
  figure.cells.push_back({.row = 5, .column = 0, .value = 1});
  EXPECT_THAT(error_of([&] { draw(figure, "map"); }).what(),
              HasSubstr("cell (5, 0) is outside rows 1..4 and columns 0..3"));
  figure.cells.back() = {.row = 1, .column = -1, .value = 1};
  EXPECT_THAT(error_of([&] { draw(figure, "map"); }).what(), HasSubstr("cell (1, -1) is outside"));
  figure.rows = 0;
  EXPECT_THAT(error_of([&] { draw(figure, "map"); }).what(), HasSubstr("has 0 rows and 4 columns"));
}

TEST(HeatMap, OfOneCellAndOfNoneCanBeDrawn) {
  HeatFigure figure = triangle(1, 1);
  pugi::xml_document document;
  EXPECT_EQ(cells_of(drawn(figure, document)).size(), 1u);
  figure.cells.clear();
  EXPECT_EQ(cells_of(drawn(figure, document)).size(), 0u);
}

}  // namespace
}  // namespace plumb::reports
