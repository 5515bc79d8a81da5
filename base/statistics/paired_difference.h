#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "base/record.h"
#include "base/statistics/paired.h"

namespace plumb {

/// What two sets of answers to the same questions say about the difference of their accuracies,
/// first less second. The fields are numbers of independent questions. For questions in clusters
/// they are those that would have the cluster-robust standard error, so not whole.
struct PairedEvidence {
  double only_first = 0;
  double only_second = 0;
  double questions = 0;
  double degrees_of_freedom = std::numeric_limits<double>::infinity();
  double standard_error = 0;  ///< sqrt(b + c - (b - c)^2 / n) / n, or cluster-robust
  std::string what;           ///< of the evidence, for the interval's `method`

  double difference() const { return (only_first - only_second) / questions; }
};

/// Error{kInvariant} as paired.h and, for clusters, clusters.h say.
PairedEvidence paired_evidence(const PairedCounts& counts);
PairedEvidence clustered_paired_evidence(std::span<const uint8_t> first,
                                         std::span<const uint8_t> second,
                                         std::span<const int64_t> cluster);

/// Tango's score interval (1998, Stat Med 17:891), which is good without any discordant pair:
/// then z^2 / (n + z^2) on both sides. Clustered evidence takes t's quantile.
Interval difference_interval(const PairedEvidence& evidence, double level = 0.95);

/// Whether the first is worse than the second by less than `margin`, in (0, 1): the score test of
/// a difference of -margin against more, and the lower one-sided 1 - alpha bound, which is above
/// -margin where the test rejects.
struct NonInferiority {
  double p = 1;
  double lower_bound = -1;
  bool shown = false;  ///< p <= alpha
};
NonInferiority non_inferiority(const PairedEvidence& evidence, double margin, double alpha = 0.05);

/// Whether both differ by less than `margin`: two one-sided tests (Schuirmann 1987), p the greater
/// of both, and the interval of level 1 - 2 alpha, which lies in (-margin, margin) where shown.
struct Equivalence {
  double p = 1;
  Interval interval;
  bool shown = false;
};
Equivalence equivalence(const PairedEvidence& evidence, double margin, double alpha = 0.05);

}  // namespace plumb
