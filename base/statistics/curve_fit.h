#pragma once

#include <cstddef>
#include <span>

namespace plumb {

/// Weighted least-squares fits of y over x, each the best of all there are, not the one nearest to
/// a start. Errors: Error{kInvariant} for unequal lengths, fewer than kLeastPoints, x that do not
/// rise strictly, a number that is not finite, or a weight that is not above 0.
struct CurvePoints {
  std::span<const double> x;        ///< rising
  std::span<const double> y;        ///< [x]
  std::span<const double> weights;  ///< [x], or empty for equal ones

  double weight(size_t i) const { return weights.empty() ? 1 : weights[i]; }
};
constexpr size_t kLeastPoints = 5;
void require_points(const CurvePoints& points);

/// y = intercept + slope x.
struct LineFit {
  double intercept = 0, slope = 0;
  double squares = 0;  ///< weighted sum of squared residuals, in this and in all below
  double at(double x) const { return intercept + slope * x; }
};
LineFit fit_line(const CurvePoints& points);

/// One level before the break, one from it on; the break is midway between two points.
struct StepFit {
  double breakpoint = 0, before = 0, after = 0;
  double squares = 0;
  double at(double x) const { return x < breakpoint ? before : after; }
};
StepFit fit_step(const CurvePoints& points);

/// Two lines that meet at the break, which lies between points or on one, with two points at least
/// on either side, its own counting for both. Within each gap the best break is where the lines of
/// either side meet, or one of the gap's ends (Hudson 1966, JASA 61:1097).
struct SegmentedFit {
  double breakpoint = 0, level = 0;  ///< y at the break
  double slope_before = 0, slope_after = 0;
  double squares = 0;
  double at(double x) const {
    return level + (x < breakpoint ? slope_before : slope_after) * (x - breakpoint);
  }
};
SegmentedFit fit_segmented(const CurvePoints& points);

/// Bayes' information criterion of a fit with normal residuals of unknown variance, which counts
/// as a parameter: n log(squares / n) + parameters log n, less a constant. Residuals of 1e-9 of the
/// range of y are the least that count.
double bayes_criterion(const CurvePoints& points, double squares, int parameters);
constexpr int kLineParameters = 3, kStepParameters = 4, kSegmentedParameters = 5;

}  // namespace plumb
