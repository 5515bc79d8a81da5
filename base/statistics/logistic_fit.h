#pragma once

#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace plumb {

/// y = lower + (upper - lower) / (1 + exp((x - centre) / width)), falling or flat.
struct LogisticFit {
  double upper = 0, lower = 0, centre = 0, width = 0;
  double squares = 0;  ///< weighted sum of squared residuals
  double at(double x) const;
};
struct LogisticBounds {
  double least = -std::numeric_limits<double>::infinity();  ///< of the lower level
  double most = std::numeric_limits<double>::infinity();    ///< of the upper level
  std::optional<double> floor = {};                         ///< the lower level itself, if known
};

/// Fits logistics to several y over the same x by weighted least squares. For a given centre and
/// width the levels follow in closed form, so a search of these two over a grid finds the valley,
/// and a simplex its ground; no start is asked for.
///
/// The centre lies within the range of x. The width is at most twice the range and at least an
/// eighth of the least gap between neighbours: there the curve is a step within one gap, and of
/// still smaller widths the points show no difference. Errors as curve_fit.h says. Thread rule:
/// fit() may be called from several threads.
class LogisticFitter {
 public:
  /// Empty weights: equal ones.
  LogisticFitter(std::span<const double> x, std::span<const double> weights,
                 const LogisticBounds& bounds = {});
  LogisticFit fit(std::span<const double> y) const;

 private:
  LogisticFit at(double centre, double log_width, std::span<const double> y) const;
  size_t best_cell(std::span<const double> y) const;

  std::vector<double> x_, weights_;
  LogisticBounds bounds_;
  double least_log_width_ = 0, most_log_width_ = 0;
  std::vector<double> centres_, log_widths_;  ///< of the grid's cells
  std::vector<double> sums_, squares_;        ///< [cells], weighted, of 1 / (1 + exp(...))
  std::vector<double> shapes_;                ///< [x, cells], these values times the weights
};
constexpr int kLogisticParameters = 5;  ///< of bayes_criterion; one less with a known floor

}  // namespace plumb
