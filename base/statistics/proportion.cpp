#include "base/statistics/proportion.h"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/statistics/answers.h"
#include "base/statistics/clusters.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

constexpr int64_t kFewQuestions = 100;
constexpr int64_t kFewOfAKind = 5;

void require_share_of(int64_t right, int64_t questions) {
  if (questions < 1 || right < 0 || right > questions)
    throw Error(ErrorKind::kInvariant, text(right, " right answers of ", questions,
                                            " questions; needed are 0 to all of at least one"));
}

void require_inside(double share, const char* what) {
  if (!(share > 0 && share < 1))
    throw Error(ErrorKind::kInvariant,
                text("a ", what, " of ", share, "; needed is a share in (0, 1)"));
}

/// Wilson's interval for a share of n questions, where n need not be a whole number.
Interval wilson(double share, double n, double quantile, double level, const std::string& method) {
  const double squared = quantile * quantile;
  const double centre = (share + squared / (2 * n)) / (1 + squared / n);
  const double half =
      quantile / (1 + squared / n) * std::sqrt(share * (1 - share) / n + squared / (4 * n * n));
  // The ends at a share of 0 and 1 are 0 and 1, which rounding must not miss.
  return {share == 0 ? 0 : std::max(0.0, centre - half),
          share == 1 ? 1 : std::min(1.0, centre + half), level, method};
}

double share_of(int64_t right, int64_t questions) {
  return static_cast<double>(right) / static_cast<double>(questions);
}

}  // namespace

Interval wilson_interval(int64_t right, int64_t questions, double level) {
  require_share_of(right, questions);
  require_inside(level, "level");
  return wilson(share_of(right, questions), static_cast<double>(questions),
                normal_quantile(0.5 + level / 2), level, text("Wilson, ", questions, " questions"));
}

Interval exact_interval(int64_t right, int64_t questions, double level) {
  require_share_of(right, questions);
  require_inside(level, "level");
  const double tail = (1 - level) / 2;
  const auto r = static_cast<double>(right), wrong = static_cast<double>(questions - right);
  return {.low = right == 0 ? 0 : boost::math::ibeta_inv(r, wrong + 1, tail),
          .high = right == questions ? 1 : boost::math::ibetac_inv(r + 1, wrong, tail),
          .level = level,
          .method = text("Clopper-Pearson, ", questions, " questions")};
}

Interval accuracy_interval(int64_t right, int64_t questions, double level) {
  const bool exact =
      questions < kFewQuestions || right < kFewOfAKind || questions - right < kFewOfAKind;
  return exact ? exact_interval(right, questions, level) : wilson_interval(right, questions, level);
}

Interval clustered_accuracy_interval(std::span<const uint8_t> right,
                                     std::span<const int64_t> cluster, double level) {
  require_answers(right);
  require_inside(level, "level");
  const std::vector<double> values(right.begin(), right.end());
  const ClusteredMean found = clustered_mean(values, cluster);
  const double share = found.mean;
  const double variance = found.standard_error * found.standard_error;
  double questions = static_cast<double>(right.size());
  if (share == 0 || share == 1)
    questions = static_cast<double>(found.clusters);
  else if (variance > 0)  // else every cluster has the same share: no sign of dependence
    questions = share * (1 - share) / variance;
  return wilson(share, questions, t_quantile(0.5 + level / 2, found.degrees_of_freedom), level,
                text("Wilson, cluster-robust, ", right.size(), " questions in ", found.clusters,
                     " clusters"));
}

double p_not_above_chance(int64_t right, int64_t questions, double chance) {
  require_share_of(right, questions);
  if (chance != 0) require_inside(chance, "chance");
  if (right == 0) return 1;
  return boost::math::ibeta(static_cast<double>(right), static_cast<double>(questions - right + 1),
                            chance);
}

}  // namespace plumb
