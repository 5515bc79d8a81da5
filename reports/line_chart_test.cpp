#include <gmock/gmock.h>

#include <limits>
#include <map>
#include <set>

#include "base/testing.h"
#include "reports/chart.h"
#include "reports/testing.h"

namespace plumb::reports {
namespace {

using plumb::testing::error_of;
using ::testing::AllOf;
using testing::elements;
using ::testing::HasSubstr;

std::string words(Rng& rng, uint64_t most) {
  std::string out;
  for (uint64_t left = 1 + rng.below(most); left > 0; --left)
    out += std::string(1 + rng.below(9), static_cast<char>('a' + rng.below(26))) +
           (left > 1 ? " " : "");
  return out;
}

// Any figure: scales over many orders of magnitude, up to eight series, references and bands.
LineFigure random_figure(uint64_t seed) {
  Rng rng(seed);
  LineFigure figure{.id = "lines",
                    .title = "Lines",
                    .x_label = words(rng, 4),
                    .y_label = words(rng, 4),
                    .x_is_fraction = rng.below(2) == 0};
  const double x_size =
      figure.x_is_fraction ? 1 : std::pow(10, static_cast<double>(rng.below(7)) - 2);
  const double y_size = std::pow(10, static_cast<double>(rng.below(14)) - 6);
  const double y_offset = rng.below(3) == 0 ? 20 * y_size : 0;
  for (uint64_t left = 1 + rng.below(8); left > 0; --left) {
    Series series{
        .label = words(rng, 5), .dashed = rng.below(3) == 0, .markers = rng.below(4) != 0};
    const uint64_t count = 1 + rng.below(30);
    const bool intervals = rng.below(2) == 0;
    for (uint64_t i = 0; i < count; ++i) {
      Point point{x_size * static_cast<double>(i) / static_cast<double>(count),
                  y_offset + y_size * rng.uniform(),
                  {},
                  {}};
      if (intervals && rng.below(12) != 0)
        point.low = point.y - 0.2 * y_size * rng.uniform(),
        point.high = point.y + 0.2 * y_size * rng.uniform();
      series.points.push_back(point);
    }
    figure.series.push_back(series);
  }
  for (uint64_t left = rng.below(4); left > 0; --left) {
    const bool vertical = rng.below(2) == 0;
    figure.references.push_back(
        {words(rng, 4), vertical ? x_size * rng.uniform() : y_offset + y_size * rng.uniform(),
         vertical});
  }
  for (uint64_t left = rng.below(3); left > 0; --left) {
    const bool vertical = rng.below(2) == 0;
    const double at = rng.uniform(), offset = vertical ? 0 : y_offset,
                 size = vertical ? x_size : y_size;
    figure.bands.push_back(
        {words(rng, 6), offset + size * at, offset + size * (at + 0.2), vertical});
  }
  return figure;
}

pugi::xml_node drawn(const LineFigure& figure, pugi::xml_document& document) {
  testing::parse(draw(figure, figure.id).svg, document);
  return document.child("svg");
}

std::vector<std::pair<double, double>> vertices(const std::string& path) {
  std::vector<std::pair<double, double>> out;
  double x = 0, y = 0;
  for (size_t at = 0; at < path.size(); ++at)
    if ((path[at] == 'M' || path[at] == 'L') &&
        std::sscanf(path.c_str() + at + 1, "%lf %lf", &x, &y) == 2)
      out.emplace_back(x, y);
  return out;
}

class LineChartOverSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(LineChartOverSeeds, CarriesEveryPointWithAllItsDigits) {
  for (uint64_t seed = 25 * GetParam(); seed < 25 * GetParam() + 25; ++seed) {
    SCOPED_TRACE(seed);
    const LineFigure figure = random_figure(seed);
    pugi::xml_document document;
    const auto points = elements(drawn(figure, document), "g", "point");
    size_t k = 0;
    for (const Series& series : figure.series)
      for (const Point& point : series.points) {
        ASSERT_LT(k, points.size());
        const pugi::xml_node& node = points[k++];
        EXPECT_EQ(node.attribute("data-series").value(), series.label);
        EXPECT_EQ(std::stod(node.attribute("data-x").value()), point.x);
        EXPECT_EQ(std::stod(node.attribute("data-y").value()), point.y);
        EXPECT_EQ(node.attribute("data-low").empty(), !point.low.has_value());
        if (point.low) {
          EXPECT_EQ(std::stod(node.attribute("data-low").value()), *point.low);
        }
      }
    EXPECT_EQ(k, points.size());
  }
}

// Where a point stands is what the axis says: read off the grid lines, whose ticks are known.
TEST_P(LineChartOverSeeds, PutsEveryPointWhereItsNumbersAre) {
  for (uint64_t seed = 25 * GetParam(); seed < 25 * GetParam() + 25; ++seed) {
    SCOPED_TRACE(seed);
    const LineFigure figure = random_figure(seed);
    const LineDomain domain = line_domain(figure);
    pugi::xml_document document;
    const pugi::xml_node svg = drawn(figure, document);
    const auto grid = elements(svg, "line", "grid");
    ASSERT_EQ(grid.size(), domain.y.ticks.size());
    ASSERT_GE(grid.size(), 2u);
    const auto y_of = [&](size_t tick) { return grid[tick].attribute("y1").as_double(); };
    const double per_y =
        (y_of(grid.size() - 1) - y_of(0)) / (domain.y.ticks.back() - domain.y.ticks.front());
    for (const pugi::xml_node& point : elements(svg, "g", "point")) {
      const double expected =
          y_of(0) + per_y * (std::stod(point.attribute("data-y").value()) - domain.y.ticks.front());
      // Three coordinates of two decimals, the outer two stretched over at most twice their
      // distance.
      EXPECT_NEAR(point.child("circle").attribute("cy").as_double(), expected, 0.03);
    }
  }
}

TEST_P(LineChartOverSeeds, IntervalsHoldTheirMeansAndStopAtGaps) {
  for (uint64_t seed = 25 * GetParam(); seed < 25 * GetParam() + 25; ++seed) {
    SCOPED_TRACE(seed);
    const LineFigure figure = random_figure(seed);
    pugi::xml_document document;
    const pugi::xml_node svg = drawn(figure, document);
    std::map<std::string, std::pair<double, double>> frame;
    for (const pugi::xml_node& band : elements(svg, "path", "interval")) {
      const auto corners = vertices(band.attribute("d").value());
      ASSERT_EQ(corners.size() % 2, 0u);
      const std::string series_class = band.parent().attribute("class").value();
      const auto lines = elements(svg, "g", series_class.c_str());
      for (size_t i = 0; i < corners.size() / 2; ++i) {
        const auto &upper = corners[i], &lower = corners[corners.size() - 1 - i];
        EXPECT_EQ(upper.first, lower.first);
        EXPECT_LE(upper.second, lower.second);
        size_t holding = 0, at_x = 0;  // of the series of this colour
        for (const pugi::xml_node& group : lines)
          for (const pugi::xml_node& line : elements(group, "path", "line"))
            for (const auto& [x, y] : vertices(line.attribute("d").value()))
              if (x == upper.first)
                ++at_x, holding += y >= upper.second - 0.011 && y <= lower.second + 0.011;
        EXPECT_GE(at_x, 1u);
        EXPECT_GE(holding, 1u) << series_class << " at " << upper.first;
      }
    }
    for (const Series& series : figure.series) {
      const auto with = std::count_if(series.points.begin(), series.points.end(), has_interval);
      EXPECT_TRUE(with == 0 || !elements(svg, "path", "interval").empty() ||
                  !elements(svg, "line", "whisker").empty());
    }
  }
}

TEST_P(LineChartOverSeeds, KeepsItsTextsApartAndInside) {
  for (uint64_t seed = 25 * GetParam(); seed < 25 * GetParam() + 25; ++seed) {
    SCOPED_TRACE(seed);
    const LineFigure figure = random_figure(seed);
    pugi::xml_document document;
    testing::expect_texts_apart(drawn(figure, document), text("seed ", seed));
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, LineChartOverSeeds, ::testing::Range<uint64_t>(0, 4));

LineFigure two_points() {
  return {.id = "lines",
          .title = "Lines",
          .x_label = "x",
          .y_label = "y",
          .series = {{.label = "one", .points = {{0, 1, {}, {}}, {1, 2, {}, {}}}}}};
}

TEST(LineChart, RefusesWhatIsNotFiniteAndNamesTheSeries) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Point& point :
       std::vector<Point>{{nan, 1, {}, {}},
                          {1, nan, {}, {}},
                          {1, 1, nan, 2.0},
                          {1, 1, 0.0, std::numeric_limits<double>::infinity()}}) {
    LineFigure figure = two_points();
    figure.series[0].points.push_back(point);
    const Error error = error_of([&] { draw(figure, "lines"); });
    EXPECT_EQ(error.kind(), ErrorKind::kInvariant);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("figure 'lines', series 'one'"), HasSubstr("not finite")));
  }
  LineFigure figure = two_points();
  figure.references = {{"limit", nan, false}};
  EXPECT_THAT(error_of([&] { draw(figure, "lines"); }).what(), HasSubstr("reference 'limit'"));
}

TEST(LineChart, RefusesAnAxisThatRunsBackwards) {
  LineFigure figure = two_points();
  figure.y_low = 3.0, figure.y_high = 2.0;
  EXPECT_THAT(error_of([&] { draw(figure, "lines"); }).what(), HasSubstr("would run from 3 to 2"));
}

TEST(LineChart, DrawsEqualValuesOnePointAndNothing) {
  LineFigure figure = two_points();
  for (const double value : {0.0, 1.0, -3e9, 1e-9}) {
    figure.series[0].points = {{2, value, {}, {}}, {3, value, {}, {}}};
    pugi::xml_document document;
    testing::expect_texts_apart(drawn(figure, document), text(value));
    figure.series[0].points.pop_back();
    testing::expect_texts_apart(drawn(figure, document), text("one point at ", value));
  }
  figure.series.clear();
  pugi::xml_document document;
  EXPECT_TRUE(elements(drawn(figure, document), "g", "point").empty());
}

TEST(LineChart, SaysWhatLiesBeyondAFixedAxisAndDrawsItAtTheFrame) {
  LineFigure figure = two_points();
  figure.series[0].points.push_back({2, 9, 8.0, 10.0});
  figure.series[0].points.push_back({3, 2, 1.0, 10.0});
  figure.y_low = 0.0, figure.y_high = 4.0;
  const Drawing drawing = draw(figure, "lines");
  ASSERT_EQ(drawing.notes.size(), 2u);
  EXPECT_THAT(drawing.notes[0], HasSubstr("1 point lies beyond the axis"));
  EXPECT_THAT(drawing.notes[1], HasSubstr("1 interval runs on beyond the axis"));
  pugi::xml_document document;
  testing::parse(drawing.svg, document);
  const auto points = elements(document.child("svg"), "g", "point");
  EXPECT_STREQ(points[2].attribute("data-y").value(), "9");
  const auto clip = elements(document.child("svg"), "clipPath").at(0).child("rect");
  EXPECT_EQ(points[2].child("circle").attribute("cy").as_double(), clip.attribute("y").as_double());
}

TEST(LineChart, SortsPointsAlongX) {
  LineFigure figure = two_points();
  figure.series[0].points = {{3, 1, {}, {}}, {1, 2, {}, {}}, {2, 0, {}, {}}};
  pugi::xml_document document;
  const auto line = elements(drawn(figure, document), "path", "line").at(0);
  const auto path = vertices(line.attribute("d").value());
  ASSERT_EQ(path.size(), 3u);
  EXPECT_TRUE(path[0].first < path[1].first && path[1].first < path[2].first);
}

TEST(LineChart, TellsEightSeriesApartByShapeAndMoreThanOneDashedByDash) {
  LineFigure figure = two_points();
  figure.series.assign(8, figure.series[0]);
  for (Series& series : figure.series) series.points = {{0, 0, {}, {}}, {1, 1, {}, {}}};
  std::set<std::string> shapes, dashes;
  for (size_t i = 0; i < 8; ++i) shapes.insert(marker_path(i, 0, 0, 4));
  EXPECT_EQ(shapes.size(), 8u);
  for (size_t i = 0; i < 4; ++i) figure.series[i].dashed = true;
  for (size_t i = 0; i < 4; ++i) dashes.insert(series_class(figure, i).substr(2));
  EXPECT_EQ(dashes.size(), 4u);
}

}  // namespace
}  // namespace plumb::reports
