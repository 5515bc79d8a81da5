#include "base/statistics/paired_difference.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/statistics/answers.h"
#include "base/statistics/clusters.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

void require_share(double share, double below, const char* what) {
  if (!(share > 0 && share < below))
    throw Error(ErrorKind::kInvariant,
                text("a ", what, " of ", share, "; needed is one in (0, ", below, ")"));
}

/// Likeliest share of questions that only the second has right, if the difference is `delta`: the
/// root of 2 n q^2 + linear q - c delta (1 - delta) = 0 that is a share (Tango 1998).
double likeliest_share(double b, double c, double n, double delta) {
  const double linear = -b - c + (2 * n - b + c) * delta;
  const double product = c * delta * (1 - delta);
  const double root = std::sqrt(std::max(0.0, linear * linear + 8 * n * product));
  // Of two forms of the same root the one that does not subtract equal numbers.
  return linear <= 0 ? (root - linear) / (4 * n) : 2 * product / (root + linear);
}

/// Standard deviation of b - c if the difference is `delta`.
double score_spread(double b, double c, double n, double delta) {
  const double share = likeliest_share(b, c, n, delta);
  return std::sqrt(std::max(0.0, n * (2 * share + delta * (1 - delta))));
}

/// Least difference in [-1, (b - c) / n] that the score does not reject. The score falls in delta,
/// so halving finds the only root, wherever it is.
double lower_end(double b, double c, double n, double quantile) {
  double rejected = -1, kept = (b - c) / n;
  for (;;) {
    const double middle = rejected + (kept - rejected) / 2;
    if (middle == rejected || middle == kept) return kept;
    const bool rejects = b - c - n * middle > quantile * score_spread(b, c, n, middle);
    (rejects ? rejected : kept) = middle;
  }
}

/// One-sided p of "the difference is at most delta".
double p_not_above(double b, double c, double n, double delta, double degrees) {
  return t_cdf(-(b - c - n * delta) / score_spread(b, c, n, delta), degrees);
}

}  // namespace

PairedEvidence paired_evidence(const PairedCounts& counts) {
  mcnemar_p(counts, McNemar::kExact);  // refuses counts that are none
  PairedEvidence out;
  out.only_first = static_cast<double>(counts.only_first);
  out.only_second = static_cast<double>(counts.only_second);
  out.questions = static_cast<double>(counts.questions());
  const double surplus = out.only_first - out.only_second;
  out.standard_error =
      std::sqrt(out.only_first + out.only_second - surplus * surplus / out.questions) /
      out.questions;
  out.what = text(counts.questions(), " questions");
  return out;
}

PairedEvidence clustered_paired_evidence(std::span<const uint8_t> first,
                                         std::span<const uint8_t> second,
                                         std::span<const int64_t> cluster) {
  PairedEvidence out = paired_evidence(count_pairs(first, second));
  std::vector<double> differences(first.size());
  for (size_t i = 0; i < first.size(); ++i)
    differences[i] = static_cast<double>(first[i]) - static_cast<double>(second[i]);
  const ClusteredMean found = clustered_mean(differences, cluster);
  // Without any spread between clusters nothing shows what a question is worth: all differ the
  // same way, or none does, where every cluster counts as one question, or shares are equal, where
  // each question does.
  double worth = 1;
  if (out.standard_error == 0)
    worth = static_cast<double>(found.clusters) / out.questions;
  else if (found.standard_error > 0)
    worth = std::pow(out.standard_error / found.standard_error, 2);
  out.only_first *= worth;
  out.only_second *= worth;
  out.questions *= worth;
  out.degrees_of_freedom = found.degrees_of_freedom;
  out.standard_error = found.standard_error;
  out.what = text("cluster-robust, ", first.size(), " questions in ", found.clusters, " clusters");
  return out;
}

Interval difference_interval(const PairedEvidence& evidence, double level) {
  require_share(level, 1, "level");
  const double quantile = t_quantile(0.5 + level / 2, evidence.degrees_of_freedom);
  const auto& [b, c, n, degrees, error, what] = evidence;
  return {.low = lower_end(b, c, n, quantile),
          .high = -lower_end(c, b, n, quantile),
          .level = level,
          .method = text("Tango's score, ", what)};
}

NonInferiority non_inferiority(const PairedEvidence& evidence, double margin, double alpha) {
  require_share(margin, 1, "margin");
  require_share(alpha, 0.5, "level of a one-sided test");
  const auto& [b, c, n, degrees, error, what] = evidence;
  NonInferiority out;
  out.p = p_not_above(b, c, n, -margin, degrees);
  out.lower_bound = lower_end(b, c, n, t_quantile(1 - alpha, degrees));
  out.shown = out.p <= alpha;
  return out;
}

Equivalence equivalence(const PairedEvidence& evidence, double margin, double alpha) {
  require_share(margin, 1, "margin");
  require_share(alpha, 0.5, "level of a one-sided test");
  const auto& [b, c, n, degrees, error, what] = evidence;
  Equivalence out;
  out.p = std::max(p_not_above(b, c, n, -margin, degrees), p_not_above(c, b, n, -margin, degrees));
  out.interval = difference_interval(evidence, 1 - 2 * alpha);
  out.shown = out.p <= alpha;
  return out;
}

}  // namespace plumb
