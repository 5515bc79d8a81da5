#include "base/statistics/collapse.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/statistics/bca.h"

namespace plumb {
namespace {

constexpr double kClearBic = 6;
constexpr double kMostAtRangeEnd = 0.05;

std::vector<ShapeScore> score_shapes(const CurvePoints& points, const Collapse& fits,
                                     bool known_floor) {
  const auto score = [&](const char* shape, double squares, int parameters) {
    return ShapeScore{shape, squares, bayes_criterion(points, squares, parameters)};
  };
  std::vector<ShapeScore> scores = {
      score("line", fit_line(points).squares, kLineParameters),
      score("step", fit_step(points).squares, kStepParameters),
      score("segmented", fits.segmented.squares, kSegmentedParameters),
      score("logistic", fits.logistic.squares, kLogisticParameters - (known_floor ? 1 : 0))};
  std::stable_sort(scores.begin(), scores.end(),
                   [](const ShapeScore& a, const ShapeScore& b) { return a.bic < b.bic; });
  return scores;
}

bool beats_line(const std::vector<ShapeScore>& shapes) {
  double line = 0, fall = std::numeric_limits<double>::infinity();
  for (const ShapeScore& score : shapes) {
    if (score.shape == "line") line = score.bic;
    if (score.shape == "step" || score.shape == "logistic") fall = std::min(fall, score.bic);
  }
  return fall <= line - kClearBic;
}

/// Bias-corrected percentile interval of an estimate from its draws.
/// `within`: what of the questions are drawn within.
Interval interval_of(double estimate, std::vector<double>& draws, const CollapseOptions& options,
                     const char* within) {
  for (double& draw : draws) draw -= estimate;
  const BcaEnds ends = bca_interval(draws, 0, options.level);
  return {estimate + ends.low, estimate + ends.high, options.level,
          text("bias-corrected percentile by question", within, ", ", options.draws,
               " draws, seed ", options.seed)};
}

void add_intervals(Collapse& fits, const CurvePoints& points, const LogisticFitter& fitter,
                   const Answers& answers, const CollapseOptions& options) {
  const std::vector<double> resampled = resample_accuracies(answers, options.draws, options.seed);
  const auto width = static_cast<size_t>(answers.points);
  std::vector<double> centres, widths, breaks;
  int64_t at_end = 0;
  const char* const within = answers.groups.empty() ? "" : " within groups";
  for (size_t begin = 0; begin < resampled.size(); begin += width) {
    const std::span shares = std::span(resampled).subspan(begin, width);
    const LogisticFit fit = fitter.fit(shares);
    at_end += fit.centre <= points.x.front() || fit.centre >= points.x.back();
    centres.push_back(fit.centre);
    widths.push_back(std::log(fit.width));  // what is of a scale has its ends on its logarithm
    breaks.push_back(fit_segmented({points.x, shares, points.weights}).breakpoint);
  }
  fits.at_range_end = static_cast<double>(at_end) / static_cast<double>(options.draws);
  fits.f0 = interval_of(fits.logistic.centre, centres, options, within);
  fits.breakpoint = interval_of(fits.segmented.breakpoint, breaks, options, within);
  fits.width = interval_of(std::log(fits.logistic.width), widths, options, within);
  fits.width.low = std::exp(fits.width.low);
  fits.width.high = std::exp(fits.width.high);
}

}  // namespace

Collapse fit_collapse(std::span<const double> removed, const Answers& answers,
                      const CollapseOptions& options) {
  const std::vector<double> shares = accuracies(answers);
  const std::vector<double> weights = precisions(answers);
  const CurvePoints points{removed, shares, weights};
  require_points(points);
  if (!(options.level > 0 && options.level < 1))
    throw Error(ErrorKind::kInvariant,
                text("a level of ", options.level, "; needed is a share in (0, 1)"));

  const LogisticFitter fitter(removed, weights, {.least = 0, .most = 1, .floor = options.floor});
  Collapse out;
  out.logistic = fitter.fit(shares);
  out.segmented = fit_segmented(points);
  out.shapes = score_shapes(points, out, options.floor.has_value());
  out.grid_step = removed[1] - removed[0];
  for (size_t i = 1; i < removed.size(); ++i)
    out.grid_step = std::min(out.grid_step, removed[i] - removed[i - 1]);
  add_intervals(out, points, fitter, answers, options);
  out.shown = beats_line(out.shapes) && out.at_range_end < kMostAtRangeEnd;
  out.sharp = out.shown && out.width.high < out.grid_step;
  return out;
}

}  // namespace plumb
