#include "reports/browser_testing.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "reports/axis.h"
#include "reports/escape.h"

namespace plumb::reports::testing {
namespace {

using Json = nlohmann::json;

/// As the browser gives a text back: without the white space at its ends.
std::string shown(const std::string& words) {
  const std::string clean = clean_text(words);
  const size_t from = clean.find_first_not_of(" \t\n\r");
  return from == std::string::npos
             ? ""
             : clean.substr(from, clean.find_last_not_of(" \t\n\r") + 1 - from);
}

double centre(const Json& box, const char* low, const char* high) {
  return (box[low].get<double>() + box[high].get<double>()) / 2;
}

/// Positions on the screen are an affine function of the numbers, to a tenth of a pixel that layout rounds to and the
/// two decimals of a drawing's coordinates.
void expect_affine(std::vector<std::pair<double, double>> at, const std::string& about) {
  if (at.size() < 3) return;
  std::sort(at.begin(), at.end());
  const auto [x0, p0] = at.front();
  const auto [x1, p1] = at.back();
  if (x0 == x1) return;
  EXPECT_NE(p0, p1) << about;
  for (const auto& [x, p] : at)
    EXPECT_NEAR(p, p0 + (p1 - p0) * (x - x0) / (x1 - x0), 0.1) << about << " at " << x;
}

std::string of(const Json& figure, const Json& visit) {
  return where(visit) + ", figure " + figure["id"].get<std::string>();
}

bool has_text(const Json& figure, const std::string& words) {
  // A long label is shortened; its beginning stands.
  const std::string clean = clean_text(words);
  return std::any_of(figure["texts"].begin(), figure["texts"].end(), [&](const Json& text) {
    std::string one = text;
    if (one == shown(clean)) return true;
    constexpr std::string_view kEllipsis = "\xE2\x80\xA6";
    if (!one.ends_with(kEllipsis)) return false;
    one.resize(one.size() - kEllipsis.size());
    return one.size() >= 8 && clean.starts_with(one);
  });
}

void expect_number_in(const Json& rows, double value, const std::string& about) {
  const std::string wanted = readable(value);
  for (const Json& row : rows)
    for (const Json& cell : row)
      if (cell.get<std::string>().find(wanted) != std::string::npos) return;
  ADD_FAILURE() << about << ": the table has no " << wanted;
}

void expect_drawn(const Json& figure, const Json& visit, const LineFigure& expected) {
  const std::string about = of(figure, visit);
  size_t count = 0;
  std::vector<std::pair<double, double>> across, up;
  const auto cut = [&](double y) {  // a point beyond a fixed axis stands at its end
    return (expected.y_low && y < *expected.y_low) || (expected.y_high && y > *expected.y_high);
  };
  for (const Series& series : expected.series) {
    if (expected.series.size() > 1) {
      EXPECT_TRUE(has_text(figure, series.label)) << about << ": " << series.label;
    }
    for (const Point& point : series.points) {
      const auto found =
          std::find_if(figure["points"].begin(), figure["points"].end(), [&](const Json& p) {
            return p["series"] == clean_text(series.label) && p["x"] == point.x &&
                   p["y"] == point.y;
          });
      ++count;
      if (found == figure["points"].end()) {
        ADD_FAILURE() << about << ": no point of '" << series.label << "' at " << point.x;
        continue;
      }
      EXPECT_EQ((*found)["low"], point.low ? Json(*point.low) : Json()) << about;
      EXPECT_EQ((*found)["high"], point.high ? Json(*point.high) : Json()) << about;
      across.emplace_back(point.x, centre((*found)["at"], "left", "right"));
      if (!cut(point.y)) up.emplace_back(point.y, centre((*found)["at"], "top", "bottom"));
      expect_number_in(figure["rows"], point.y, about);
    }
  }
  EXPECT_EQ(figure["points"].size(), count) << about;
  expect_affine(across, about + ", across");
  expect_affine(up, about + ", up");
  ASSERT_EQ(figure["bands"].size(), expected.bands.size()) << about;
  for (size_t i = 0; i < expected.bands.size(); ++i) {
    const Json& band = figure["bands"][i];
    EXPECT_EQ(band["label"], clean_text(expected.bands[i].label)) << about;
    EXPECT_EQ(band["low"], expected.bands[i].low) << about;
    EXPECT_EQ(band["high"], expected.bands[i].high) << about;
    EXPECT_TRUE(has_text(figure, expected.bands[i].label))
        << about << ": " << expected.bands[i].label;
    if (!expected.bands[i].vertical || across.size() < 2 ||
        across.front().first == across.back().first)
      continue;
    const auto [least, most] = std::minmax_element(across.begin(), across.end());
    if (least->first == most->first) continue;
    const auto place = [&](double x) {
      return least->second +
             (most->second - least->second) * (x - least->first) / (most->first - least->first);
    };
    EXPECT_NEAR(band["at"]["left"].get<double>(), place(expected.bands[i].low), 0.1) << about;
    EXPECT_NEAR(band["at"]["right"].get<double>(), place(expected.bands[i].high), 0.1) << about;
  }
  ASSERT_EQ(figure["references"].size(), expected.references.size()) << about;
  for (size_t i = 0; i < expected.references.size(); ++i)
    EXPECT_EQ(figure["references"][i]["value"], expected.references[i].value) << about;
}

void expect_drawn(const Json& figure, const Json& visit, const HeatFigure& expected) {
  const std::string about = of(figure, visit);
  std::map<std::pair<int, int>, const Cell*> cells;
  for (const Cell& cell : expected.cells) cells[{cell.row, cell.column}] = &cell;
  EXPECT_EQ(figure["cells"].size(), cells.size()) << about;
  for (const Json& cell : figure["cells"]) {
    const auto at = cells.find({cell["row"], cell["column"]});
    ASSERT_NE(at, cells.end()) << about;
    EXPECT_EQ(cell["value"], at->second->value) << about;
    EXPECT_EQ(cell["marked"], at->second->marked) << about;
  }
  ASSERT_EQ(figure["rows"].size(), static_cast<size_t>(expected.rows) + 1) << about;
  for (const Cell& cell : expected.cells)
    EXPECT_EQ(figure["rows"][static_cast<size_t>(cell.row - expected.first_row) + 1]
                    [static_cast<size_t>(cell.column) + 1],
              readable(cell.value))
        << about;
}

void expect_drawn(const Json& figure, const Json& visit, const PlanFigure& expected) {
  const std::string about = of(figure, visit);
  for (const PlanRow& row : expected.rows)
    EXPECT_TRUE(has_text(figure, row.label)) << about << ": " << row.label;
  EXPECT_EQ(figure["rows"].size(), expected.rows.size() + 1) << about;
}

void expect_drawn(const Json& figure, const Json& visit, const Table& expected) {
  const std::string about = of(figure, visit);
  ASSERT_EQ(figure["rows"].size(), expected.rows.size() + 1) << about;
  for (size_t i = 0; i < expected.rows.size(); ++i)
    for (size_t j = 0; j < expected.rows[i].size(); ++j)
      EXPECT_EQ(figure["rows"][i + 1][j], shown(expected.rows[i][j])) << about;
}

}  // namespace

void expect_figures(const Json& visit, const Report& report) {
  std::vector<const Figure*> order;
  for (const bool tables : {false, true})
    for (const Figure& figure : report.figures)
      if (std::holds_alternative<Table>(figure) == tables) order.push_back(&figure);
  const Json& figures = visit["facts"]["figures"];
  ASSERT_EQ(figures.size(), order.size()) << where(visit);
  for (size_t i = 0; i < order.size(); ++i)
    std::visit(
        [&](const auto& expected) {
          EXPECT_EQ(figures[i]["title"], shown(expected.title)) << where(visit);
          EXPECT_TRUE(figures[i]["table_is_last"]) << of(figures[i], visit);
          if (!std::holds_alternative<Table>(*order[i])) {
            EXPECT_EQ(figures[i]["name"], shown(expected.title)) << of(figures[i], visit);
            EXPECT_GT(figures[i]["drawing"]["right"], figures[i]["drawing"]["left"]);
          }
          expect_drawn(figures[i], visit, expected);
        },
        *order[i]);
}

}  // namespace plumb::reports::testing
