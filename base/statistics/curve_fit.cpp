#include "base/statistics/curve_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace plumb {
namespace {

template <typename Fit>
double squares_of(const CurvePoints& points, const Fit& fit) {
  double sum = 0;
  for (size_t i = 0; i < points.x.size(); ++i) {
    const double residual = points.y[i] - fit.at(points.x[i]);
    sum += points.weight(i) * residual * residual;
  }
  return sum;
}

/// Points [begin, end).
CurvePoints part(const CurvePoints& points, size_t begin, size_t end) {
  const auto cut = [&](std::span<const double> all) {
    return all.empty() ? all : all.subspan(begin, end - begin);
  };
  return {cut(points.x), cut(points.y), cut(points.weights)};
}

double weighted_mean(const CurvePoints& points, std::span<const double> values) {
  double weight = 0, sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    weight += points.weight(i);
    sum += points.weight(i) * values[i];
  }
  return sum / weight;
}

/// Of at least two points.
LineFit line_through(const CurvePoints& points) {
  const double x = weighted_mean(points, points.x), y = weighted_mean(points, points.y);
  double along = 0, across = 0;
  for (size_t i = 0; i < points.x.size(); ++i) {
    const double dx = points.x[i] - x;
    along += points.weight(i) * dx * dx;
    across += points.weight(i) * dx * (points.y[i] - y);
  }
  LineFit fit{.intercept = 0, .slope = across / along};
  fit.intercept = y - fit.slope * x;
  return fit;
}

/// Best two lines that meet at `breakpoint`. Of the three unknowns the slopes share no point, so
/// they go out of the normal equations one by one.
SegmentedFit meeting_at(const CurvePoints& points, double breakpoint) {
  double weight = 0, y = 0;
  struct Side {
    double x = 0, xx = 0, xy = 0;
  } sides[2];
  for (size_t i = 0; i < points.x.size(); ++i) {
    const double w = points.weight(i), dx = points.x[i] - breakpoint;
    Side& side = sides[dx < 0 ? 0 : 1];
    side.x += w * dx;
    side.xx += w * dx * dx;
    side.xy += w * dx * points.y[i];
    weight += w;
    y += w * points.y[i];
  }
  for (const Side& side : sides) {
    weight -= side.x * side.x / side.xx;
    y -= side.x * side.xy / side.xx;
  }
  SegmentedFit fit{.breakpoint = breakpoint, .level = y / weight};
  fit.slope_before = (sides[0].xy - fit.level * sides[0].x) / sides[0].xx;
  fit.slope_after = (sides[1].xy - fit.level * sides[1].x) / sides[1].xx;
  fit.squares = squares_of(points, fit);
  return fit;
}

}  // namespace

void require_points(const CurvePoints& points) {
  const auto& [x, y, weights] = points;
  if (x.size() != y.size() || (!weights.empty() && weights.size() != x.size()) ||
      x.size() < kLeastPoints)
    throw Error(ErrorKind::kInvariant,
                text("a curve of ", x.size(), " x, ", y.size(), " y and ", weights.size(),
                     " weights; needed are as many of each, at least ", kLeastPoints));
  for (size_t i = 0; i < x.size(); ++i)
    if (!std::isfinite(x[i]) || !std::isfinite(y[i]) || !std::isfinite(points.weight(i)) ||
        !(points.weight(i) > 0) || (i > 0 && !(x[i] > x[i - 1])))
      throw Error(ErrorKind::kInvariant,
                  text("point ", i, " of a curve is (", x[i], ", ", y[i], ") with weight ",
                       points.weight(i), "; needed are finite numbers, x rising, weights above 0"));
}

LineFit fit_line(const CurvePoints& points) {
  require_points(points);
  LineFit fit = line_through(points);
  fit.squares = squares_of(points, fit);
  return fit;
}

StepFit fit_step(const CurvePoints& points) {
  require_points(points);
  StepFit best{.squares = std::numeric_limits<double>::infinity()};
  const size_t n = points.x.size();
  for (size_t i = 1; i < n; ++i) {
    const CurvePoints left = part(points, 0, i), right = part(points, i, n);
    StepFit fit{.breakpoint = points.x[i - 1] + (points.x[i] - points.x[i - 1]) / 2,
                .before = weighted_mean(left, left.y),
                .after = weighted_mean(right, right.y)};
    fit.squares = squares_of(points, fit);
    if (fit.squares < best.squares) best = fit;
  }
  return best;
}

SegmentedFit fit_segmented(const CurvePoints& points) {
  require_points(points);
  SegmentedFit best{.squares = std::numeric_limits<double>::infinity()};
  const auto consider = [&](double breakpoint) {
    const SegmentedFit fit = meeting_at(points, breakpoint);
    if (fit.squares < best.squares) best = fit;
  };
  const size_t n = points.x.size();
  for (size_t i = 1; i + 1 < n; ++i) consider(points.x[i]);
  for (size_t i = 2; i + 1 < n; ++i) {
    const LineFit left = line_through(part(points, 0, i)), right = line_through(part(points, i, n));
    const double meet = (right.intercept - left.intercept) / (left.slope - right.slope);
    if (points.x[i - 1] < meet && meet < points.x[i]) consider(meet);
  }
  return best;
}

double bayes_criterion(const CurvePoints& points, double squares, int parameters) {
  require_points(points);
  const auto n = static_cast<double>(points.x.size());
  const auto [least, most] = std::minmax_element(points.y.begin(), points.y.end());
  double weight = 0;
  for (size_t i = 0; i < points.x.size(); ++i) weight += points.weight(i);
  const double negligible = 1e-9 * (*most - *least);
  const double floor =
      std::max(weight * negligible * negligible, std::numeric_limits<double>::min());
  return n * std::log(std::max(squares, floor) / n) + parameters * std::log(n);
}

}  // namespace plumb
