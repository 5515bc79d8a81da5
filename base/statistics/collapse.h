#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/record.h"
#include "base/statistics/answers.h"
#include "base/statistics/curve_fit.h"
#include "base/statistics/logistic_fit.h"

namespace plumb {

struct CollapseOptions {
  /// The accuracy after the collapse, if it is to be taken as known. By default it is fitted: a
  /// collapsed model often gives one answer to all questions, so its accuracy is that answer's
  /// share among the labels and not chance, and the curve's long end shows it well.
  std::optional<double> floor = {};
  int64_t draws = 2000;
  uint64_t seed = 0;
  double level = 0.95;
};

/// How well one shape of the curve fits.
struct ShapeScore {
  std::string shape;  ///< "line", "step", "segmented", "logistic"
  double squares = 0;
  double bic = 0;  ///< bayes_criterion: differences count, 6 and more speak clearly
};

/// Where and how sharply accuracy collapses as more is removed:
///
///     a(f) = c + (A - c) / (1 + exp((f - f0) / w)),   0 <= c <= A <= 1
///
/// Fits weigh each point by the inverse of its binomial variance. Where the answers have groups,
/// a(f) is the mean of the groups' accuracies. Intervals resample whole questions, within groups, so what the points share stays shared; they are percentile intervals corrected for
/// bias, as a resample's curve is rougher than the sample's.
struct Collapse {
  LogisticFit logistic;    ///< centre = f0, width = w
  SegmentedFit segmented;  ///< its one break is at whichever corner of the fall bends more
  Interval f0, width, breakpoint;
  std::vector<ShapeScore> shapes;  ///< the best first
  double grid_step = 0;            ///< least gap between fractions removed
  double at_range_end = 0;         ///< share of the resamples whose f0 is at an end of the range
  /// Whether there is a collapse at all: the step or the logistic is better than the line by 6, and
  /// at_range_end below 0.05. Else the numbers above describe noise, or a fall that goes on.
  bool shown = false;
  bool sharp = false;  ///< shown, and the whole interval of w is below one grid step
};

/// `removed`: fraction of layers removed at each point, rising. Error{kInvariant} as answers.h and
/// curve_fit.h say. Cost: 2,000 draws of 14,042 questions at 29 points take 0.3 s on one core.
Collapse fit_collapse(std::span<const double> removed, const Answers& answers,
                      const CollapseOptions& options = {});

}  // namespace plumb
