#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "reports/chart.h"

namespace plumb::reports {
namespace {

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

void require_finite(const LineFigure& figure) {
  const auto check = [&](double value, const std::string& where) {
    if (!std::isfinite(value))
      throw Error(ErrorKind::kInvariant, text("figure '", figure.id, "', ", where,
                                              ": a value is not finite; leave the point "
                                              "out and say why in the caption"));
  };
  for (const Series& series : figure.series)
    for (const Point& point : series.points)
      for (const double value : {point.x, point.y, point.low.value_or(0), point.high.value_or(0)})
        check(value, "series '" + series.label + "'");
  for (const Reference& reference : figure.references)
    check(reference.value, "reference '" + reference.label + "'");
  for (const Band& band : figure.bands)
    for (const double value : {band.low, band.high}) check(value, "band '" + band.label + "'");
  for (const double value : {figure.y_low.value_or(0), figure.y_high.value_or(0)})
    check(value, "y axis");
}

Range x_range(const LineFigure& figure) {
  Range range;
  for (const Series& series : figure.series)
    for (const Point& point : series.points) range.add(point.x);
  if (range.empty()) range = {0, 1};
  for (const Reference& reference : figure.references)
    if (reference.vertical) range.add(reference.value);
  for (const Band& band : figure.bands)
    if (band.vertical) range.add(band.low), range.add(band.high);
  if (range.low == range.high) range.low -= 0.5, range.high += 0.5;
  return range;
}

Range y_range(const LineFigure& figure) {
  Range points;
  for (const Series& series : figure.series)
    for (const Point& point : series.points) points.add(point.y);
  if (points.empty()) points = {0, 1};
  const double span = points.high - points.low;
  const double room = 0.5 * (span > 0 ? span : std::max(std::abs(points.high), 1e-12));
  Range range = points;
  for (const Series& series : figure.series)
    for (const Point& point : series.points)
      for (const double end : {point.low.value_or(point.y), point.high.value_or(point.y)})
        range.add(std::clamp(end, points.low - room, points.high + room));
  for (const Reference& reference : figure.references)
    if (!reference.vertical) range.add(reference.value);
  for (const Band& band : figure.bands)
    if (!band.vertical) range.add(band.low), range.add(band.high);
  if (range.low == range.high) range.low -= room, range.high += room;
  // An axis that nearly reaches zero had better reach it: then heights can be compared, not only
  // differences.
  if (range.low > 0 && range.low < 0.35 * range.high) range.low = 0;
  if (points.low >= 0) range.low = std::max(range.low, 0.0);
  return range;
}

bool whole_numbers(const LineFigure& figure) {
  for (const Series& series : figure.series)
    for (const Point& point : series.points)
      if (point.x != std::floor(point.x)) return false;
  return !figure.x_is_fraction;
}

/// As many ticks as have room for their labels.
Axis x_axis(const LineFigure& figure, double low, double high) {
  constexpr double kLeastWidth = 500, kFont = 12, kBetween = 10;
  AxisOptions options{
      .about = 8, .integers = whole_numbers(figure), .per_cent = figure.x_is_fraction};
  for (;; --options.about) {
    const Axis made = axis(low, high, options);
    double widest = 0;
    for (const std::string& label : made.labels)
      widest = std::max(widest, text_width(label, kFont));
    if (options.about == 2 || widest + kBetween <= made.step / (high - low) * kLeastWidth)
      return made;
  }
}

}  // namespace

bool has_interval(const Point& point) { return point.low && point.high; }

LineDomain line_domain(const LineFigure& figure) {
  require_finite(figure);
  LineDomain out;
  const Range x = x_range(figure), y = y_range(figure);
  const double padding = 0.02 * (x.high - x.low);
  out.x_low = x.low - padding, out.x_high = x.high + padding;
  out.x = x_axis(figure, out.x_low, out.x_high);

  out.y_low = figure.y_low.value_or(y.low), out.y_high = figure.y_high.value_or(y.high);
  if (!(out.y_low < out.y_high))
    throw Error(ErrorKind::kInvariant, text("figure '", figure.id, "': the y axis would run from ",
                                            out.y_low, " to ", out.y_high));
  const double step = axis(out.y_low, out.y_high, {.about = 6}).step;
  // A fitted end goes on to the next tick, so that no curve ends in the open above the last label.
  if (!figure.y_low) out.y_low = step * std::floor(out.y_low / step + 1e-9);
  if (!figure.y_high) out.y_high = step * std::ceil(out.y_high / step - 1e-9);
  out.y = axis(out.y_low, out.y_high,
               {.about = static_cast<int>(std::lround((out.y_high - out.y_low) / step))});

  for (const Series& series : figure.series)
    for (const Point& point : series.points) {
      const bool inside = point.y >= out.y_low && point.y <= out.y_high;
      out.points_beyond += !inside;
      out.intervals_beyond +=
          inside && has_interval(point) && (*point.low < out.y_low || *point.high > out.y_high);
    }
  return out;
}

}  // namespace plumb::reports
