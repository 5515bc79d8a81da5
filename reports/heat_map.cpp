#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/csv.h"
#include "base/error.h"
#include "reports/chart.h"
#include "reports/colour.h"
#include "reports/escape.h"

namespace plumb::reports {
namespace {

constexpr double kWidth = 640;
constexpr double kKeyWidth = 210;
constexpr double kKeyHeight = 78;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

struct Grid {
  const HeatFigure& figure;
  Plot plot;
  double size = 0;
  double left_of(int column) const { return plot.left + size * column; }
  double top_of(int row) const { return plot.bottom - size * (row - figure.first_row + 1); }
};

void require_sound(const HeatFigure& figure) {
  if (figure.rows < 1 || figure.columns < 1)
    throw Error(ErrorKind::kInvariant,
                text("figure '", figure.id, "' has ", figure.rows, " rows and ", figure.columns,
                     " columns; it needs at least one of each"));
  for (const Cell& cell : figure.cells) {
    const std::string where =
        text("figure '", figure.id, "', cell (", cell.row, ", ", cell.column, ")");
    if (!std::isfinite(cell.value))
      throw Error(ErrorKind::kInvariant, where + ": the value is not finite; leave the cell out");
    if (cell.row < figure.first_row || cell.row >= figure.first_row + figure.rows ||
        cell.column < 0 || cell.column >= figure.columns)
      throw Error(ErrorKind::kInvariant,
                  text(where, " is outside rows ", figure.first_row, "..",
                       figure.first_row + figure.rows - 1, " and columns 0..", figure.columns - 1));
  }
}

/// The colours' ends: of the whole map, or of each row for itself.
std::map<int, Range> colour_ranges(const HeatFigure& figure) {
  std::map<int, Range> ranges;
  Range all;
  for (const Cell& cell : figure.cells) {
    all.add(cell.value);
    ranges[cell.row].add(cell.value);
  }
  if (!figure.normalise_rows)
    for (auto& [row, range] : ranges) range = all;
  return ranges;
}

std::string tooltip(const HeatFigure& figure, const Cell& cell) {
  if (!cell.tooltip.empty()) return cell.tooltip;
  return text(figure.row_label, ": ", cell.row, "\n", figure.column_label, ": ", cell.column, "\n",
              figure.value_label, ": ", readable(cell.value));
}

void draw_cells(Markup& out, const Grid& grid) {
  const auto ranges = colour_ranges(grid.figure);
  const double gap = grid.size > 10 ? 1 : 0.4;
  out.open("g", {{"class", "cells"}});
  for (const Cell& cell : grid.figure.cells) {
    const Range& range = ranges.at(cell.row);
    const double x = grid.left_of(cell.column), y = grid.top_of(cell.row);
    Attributes attributes{{"class", "cell"},
                          {"data-row", text(cell.row)},
                          {"data-column", text(cell.column)},
                          {"data-value", shortest(cell.value)}};
    if (cell.marked) attributes.emplace_back("data-marked", "true");
    out.open("g", attributes).element("title", tooltip(grid.figure, cell));
    Attributes shape{{"x", px(x)},
                     {"y", px(y)},
                     {"width", px(grid.size - gap)},
                     {"height", px(grid.size - gap)}};
    // A row without a range has no place on a scale of its own.
    if (range.low == range.high)
      shape.emplace_back("class", "no-range");
    else
      shape.emplace_back("fill",
                         hex(heat_colour((cell.value - range.low) / (range.high - range.low))));
    out.leaf("rect", shape);
    if (cell.marked)
      out.leaf("circle", {{"cx", px(x + (grid.size - gap) / 2)},
                          {"cy", px(y + (grid.size - gap) / 2)},
                          {"r", px(std::clamp(0.2 * grid.size, 1.6, 4.0))},
                          {"class", "star"}});
    out.close();
  }
  out.close().line();
}

/// As much of `text` as `width` has room for.
std::string fitting(const std::string& text, double width) {
  const double one = text_width("x", 12);
  return shorten(clean_text(text), static_cast<size_t>(width / one));
}

void draw_axes(Markup& out, const Grid& grid) {
  const HeatFigure& figure = grid.figure;
  const Plot& plot = grid.plot;
  const double half = grid.size / 2;
  // Room for a label of two digits decides how many ticks there may be.
  const auto about = [&](int count) {
    return AxisOptions{.about = std::clamp(static_cast<int>(count * grid.size / 55), 2, 10),
                       .integers = true};
  };
  out.open("g", {{"class", "axis"}});
  const Axis columns = axis(0, std::max(1, figure.columns - 1), about(figure.columns));
  for (size_t i = 0; i < columns.ticks.size(); ++i) {
    const int column = static_cast<int>(columns.ticks[i]);
    if (column >= figure.columns) continue;
    const double room = kWidth - text_width(columns.labels[i], 12) / 2;
    label(out, std::min(grid.left_of(column) + half, room), plot.bottom + 16, "middle", "tick",
          columns.labels[i]);
  }
  const int last = figure.first_row + figure.rows - 1;
  const Axis rows =
      axis(figure.first_row, std::max(last, figure.first_row + 1), about(figure.rows));
  std::vector<int> ticks;
  for (const double tick : rows.ticks) ticks.push_back(static_cast<int>(tick));
  if (ticks.empty() || ticks.front() - figure.first_row >= rows.step / 2)
    ticks.push_back(figure.first_row);
  for (const int row : ticks)
    if (row <= last)
      label(out, plot.left - 7, grid.top_of(row) + half + 4, "end", "tick", text(row));
  label(out, plot.left, plot.bottom + 37, "start", "axis-label",
        fitting(figure.column_label, kWidth - plot.left));
  label(out, 0, plot.top - 10, "start", "axis-label", fitting(figure.row_label, kWidth));
  out.close().line();
}

/// Colour bar, its ticks, and the sign of marked cells, with its upper left corner at (left, top).
void draw_key(Markup& out, const HeatFigure& figure, const std::string& id, double left,
              double top) {
  Range range;
  for (const Cell& cell : figure.cells) range.add(cell.value);
  out.open("linearGradient", {{"id", id + "-scale"}});
  constexpr int kStops = 16;
  for (int i = 0; i <= kStops; ++i)
    out.leaf("stop", {{"offset", px(static_cast<double>(i) / kStops)},
                      {"stop-color", hex(heat_colour(static_cast<double>(i) / kStops))}});
  out.close();
  out.open("g", {{"class", "key"}});
  label(out, left, top + 10, "start", "axis-label", fitting(figure.value_label, kKeyWidth));
  out.leaf("rect", {{"x", px(left)},
                    {"y", px(top + 18)},
                    {"width", px(kKeyWidth)},
                    {"height", "10"},
                    {"fill", "url(#" + id + "-scale)"}});
  if (figure.normalise_rows) {
    label(out, left, top + 43, "start", "tick", "least of its row");
    label(out, left + kKeyWidth, top + 43, "end", "tick", "greatest");
  } else if (range.low < range.high) {
    const Axis ticks = axis(range.low, range.high, {.about = 4});
    const Scale scale{range.low, range.high, left, left + kKeyWidth};
    for (size_t i = 0; i < ticks.ticks.size(); ++i) {
      rule(out, scale(ticks.ticks[i]), top + 28, scale(ticks.ticks[i]), top + 32, "base");
      label(out, scale(ticks.ticks[i]), top + 44, "middle", "tick", ticks.labels[i]);
    }
  }
  const bool marked =
      std::any_of(figure.cells.begin(), figure.cells.end(), [](const Cell& c) { return c.marked; });
  if (marked && !figure.mark_label.empty()) {
    out.leaf("circle", {{"cx", px(left + 5)}, {"cy", px(top + 64)}, {"r", "4"}, {"class", "star"}});
    label(out, left + 16, top + 68, "start", "tick", fitting(figure.mark_label, kKeyWidth - 16));
  }
  out.close().line();
}

/// The key goes into the empty corner of a triangle where it fits, else above the map.
bool corner_is_free(const Grid& grid) {
  const double left = grid.plot.right - kKeyWidth - 24, bottom = grid.plot.top + kKeyHeight + 4;
  return std::none_of(grid.figure.cells.begin(), grid.figure.cells.end(), [&](const Cell& cell) {
    return grid.left_of(cell.column + 1) > left && grid.top_of(cell.row) < bottom;
  });
}

}  // namespace

Drawing draw(const HeatFigure& figure, const std::string& id) {
  require_sound(figure);
  Grid grid{.figure = figure, .plot = {.left = 34, .top = 30}};
  grid.size = std::min(26.0, (kWidth - grid.plot.left - 2) / std::max(figure.columns, figure.rows));
  grid.plot.right = kWidth - 2;
  grid.plot.bottom = grid.plot.top + grid.size * figure.rows;
  double key_top = grid.plot.top;
  if (!corner_is_free(grid)) {
    grid.plot.top += kKeyHeight + 12, grid.plot.bottom += kKeyHeight + 12;
    key_top = 4;
  }
  Markup out;
  open_svg(out, id, kWidth, grid.plot.bottom + 44, figure.title,
           text(figure.value_label, " by ", figure.row_label, " and ", figure.column_label, ", ",
                figure.cells.size(), " cells. The numbers are in the table below the figure."));
  draw_axes(out, grid);
  draw_cells(out, grid);
  draw_key(out, figure, id, grid.plot.right - kKeyWidth - 14, key_top);
  out.close();
  return {out.str(), {}};
}

}  // namespace plumb::reports
