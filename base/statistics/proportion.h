#pragma once

#include <cstdint>
#include <span>

#include "base/record.h"

namespace plumb {

/// Intervals and a test of one accuracy: `right` of `questions` answers. Errors: Error{kInvariant}
/// for no questions, right outside of 0..questions, a level or chance outside of (0, 1), or an
/// answer that is neither 0 nor 1.

/// Wilson's score interval (1927). At 95 % and from 100 questions up it covers at least 92.7 % where
/// accuracy_interval takes it.
Interval wilson_interval(int64_t right, int64_t questions, double level = 0.95);

/// Clopper and Pearson's exact interval (1934): covers never less than its level, and often more.
Interval exact_interval(int64_t right, int64_t questions, double level = 0.95);

/// What Plumb reports: Wilson, or exact for fewer than 100 questions or fewer than 5 right or wrong
/// ones. `method` says which.
Interval accuracy_interval(int64_t right, int64_t questions, double level = 0.95);

/// Interval of an accuracy whose questions depend on each other within clusters: Wilson's, with the
/// number of independent questions that would have the cluster-robust standard error, and the
/// quantile of t with the degrees of freedom of ClusteredMean. Mean plus and minus t errors would
/// cover 88 % for 100 questions at an accuracy of 0.95. This covers 94.6 to 97.2 % with clusters as
/// BoolQ's passages at accuracies of 0.25, 0.5 and 0.95, and 92.7 to 96 % with 10 clusters, or 57 as
/// MMLU's subjects, at 0.25 and 0.5. Known shortfall: where nearly all is right, few clusters hold
/// what is wrong, and a sample without them shows no sign of them. With 1,000 questions at 0.95 and
/// a correlation within clusters of 0.1 and 0.3 it covers 89 and 83 % for such subjects, 66 and 40 %
/// for 10 clusters.
/// Where all answers are right, or all wrong, every cluster counts as one question.
Interval clustered_accuracy_interval(std::span<const uint8_t> right,
                                     std::span<const int64_t> cluster, double level = 0.95);

/// One-sided exact binomial test: the chance of so many right ones or more by guessing, where a
/// guess is right with probability `chance`, 0 where nothing can be guessed.
double p_not_above_chance(int64_t right, int64_t questions, double chance);

}  // namespace plumb
