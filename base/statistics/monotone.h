#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/statistics/answers.h"

namespace plumb {

/// Weighted least-squares fit of values that never rise, by pooling adjacent violators (Barlow,
/// Bartholomew, Bremner and Brunk 1972); one value a point. It is the likeliest one too where the
/// values are shares of `weights` trials. Error{kInvariant} for unequal lengths, a value that is
/// not finite, or a weight that is not above 0.
std::vector<double> isotonic_falling(std::span<const double> values,
                                     std::span<const double> weights);

/// Likelihood-ratio test that accuracy never rises from point to point.
struct MonotoneTest {
  double statistic = 0;     ///< 2 (log-likelihood of free accuracies - of falling ones), binomial
  double p = 1;             ///< (1 + draws with a statistic as large) / (1 + draws)
  std::vector<double> fit;  ///< the likeliest falling accuracies; [points]
};

/// The points are in order of what is removed. They share their questions, so the usual mixture of
/// chi-squares does not hold; the null is drawn by resampling whole questions. A draw's accuracies
/// are moved by (null - observed) at each point. The null is the falling fit with neighbouring
/// levels pooled as long as their drop is below sqrt(log questions) standard errors (the selection
/// of binding constraints of Andrews and Soares 2010): levels that may be equal must be equal in
/// the null, where a violation is likeliest, while a clear drop must not be levelled.
/// Error{kInvariant} as answers.h says, or for fewer than 2 points.
MonotoneTest falling_test(const Answers& answers, int64_t draws = 2000, uint64_t seed = 0);

}  // namespace plumb
