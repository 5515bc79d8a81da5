#pragma once

#include <cstdint>
#include <span>

#include "base/record.h"

namespace plumb {

/// Intervals and a test of one accuracy: `right` of `questions` answers. Errors: Error{kInvariant}
/// for no questions, right outside of 0..questions, a level or chance outside of (0, 1), or an
/// answer that is neither 0 nor 1.

/// Wilson's score interval (1927). Covers 93.6 % to 97 % of the time at a nominal 95 % where
/// accuracy_interval takes it.
Interval wilson_interval(int64_t right, int64_t questions, double level = 0.95);

/// Clopper and Pearson's exact interval (1934): covers never less than its level, and often more.
Interval exact_interval(int64_t right, int64_t questions, double level = 0.95);

/// What Plumb reports: Wilson, or exact for fewer than 100 questions or fewer than 5 right or wrong
/// ones. `method` says which.
Interval accuracy_interval(int64_t right, int64_t questions, double level = 0.95);

/// Interval of an accuracy whose questions depend on each other within clusters: Wilson's, with the
/// number of independent questions that would have the cluster-robust standard error, and the
/// quantile of t with the degrees of freedom of ClusteredMean. The error alone (Wald) covers 88 %
/// for 100 questions at an accuracy of 0.95; this covers 93 to 97 % from some 30 clusters up.
/// Known shortfalls, as few of the clusters then hold all that is wrong: accuracy 0.95 with
/// intra-cluster correlation 0.1 covers 92 % with 10 equal clusters of 100 and with 57 that differ
/// 15-fold in size, with correlation 0.3 82 % and 90 %.
/// Where all answers are right, or all wrong, every cluster counts as one question.
Interval clustered_accuracy_interval(std::span<const uint8_t> right,
                                     std::span<const int64_t> cluster, double level = 0.95);

/// One-sided exact binomial test: the chance of so many right ones or more by guessing, where a
/// guess is right with probability `chance`.
double p_not_above_chance(int64_t right, int64_t questions, double chance);

}  // namespace plumb
