#include "base/statistics/paired.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>

#include "base/error.h"
#include "base/statistics/answers.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

constexpr int64_t kLeastForChiSquare = 25;

void require_share(double share, const char* what) {
  if (!(share > 0 && share < 1))
    throw Error(ErrorKind::kInvariant,
                text("a ", what, " of ", share, "; needed is a share in (0, 1)"));
}

void require_counts(const PairedCounts& counts) {
  if (std::min({counts.both, counts.only_first, counts.only_second, counts.neither}) < 0 ||
      counts.questions() < 1)
    throw Error(
        ErrorKind::kInvariant,
        text("paired counts of ", counts.both, ", ", counts.only_first, ", ", counts.only_second,
             " and ", counts.neither, "; needed are none below 0, together at least 1"));
}

double chi_square_p(const PairedCounts& counts) {
  if (counts.discordant() < kLeastForChiSquare)
    throw Error(ErrorKind::kInvariant,
                text("McNemar's chi-square of ", counts.discordant(),
                     " discordant pairs; needed are ", kLeastForChiSquare, ": take mid-p"));
  const auto difference = static_cast<double>(counts.only_first - counts.only_second);
  const double z = difference / std::sqrt(static_cast<double>(counts.discordant()));
  return 2 * normal_cdf(-std::abs(z));
}

}  // namespace

PairedCounts count_pairs(std::span<const uint8_t> first, std::span<const uint8_t> second) {
  if (first.size() != second.size())
    throw Error(ErrorKind::kInvariant,
                text("a paired comparison got ", first.size(), " and ", second.size(),
                     " answers; needed are the same questions"));
  require_answers(first);
  require_answers(second);
  PairedCounts counts;
  for (size_t i = 0; i < first.size(); ++i) {
    counts.both += first[i] & second[i];
    counts.only_first += first[i] & ~second[i] & 1;
    counts.only_second += ~first[i] & second[i] & 1;
  }
  counts.neither = static_cast<int64_t>(first.size()) - counts.both - counts.discordant();
  return counts;
}

double mcnemar_p(const PairedCounts& counts, McNemar variant) {
  require_counts(counts);
  if (counts.discordant() == 0) return 1;
  if (variant == McNemar::kChiSquare) return chi_square_p(counts);
  const boost::math::binomial coin(static_cast<double>(counts.discordant()), 0.5);
  const auto fewer = static_cast<double>(std::min(counts.only_first, counts.only_second));
  const double exact = 2 * boost::math::cdf(coin, fewer);
  // Not capped first: for b = c the mid-p is 1 - P(X = b) / 2 + P(X = b) / 2 = 1 only so.
  if (variant == McNemar::kMidP) return std::min(1.0, exact - boost::math::pdf(coin, fewer));
  return std::min(1.0, exact);
}

double minimum_detectable_difference(int64_t questions, double discordant, double alpha,
                                     double power) {
  if (questions < 1)
    throw Error(ErrorKind::kInvariant, text(questions, " questions; needed is at least 1"));
  if (!(discordant > 0 && discordant <= 1))
    throw Error(ErrorKind::kInvariant,
                text("a discordant share of ", discordant, "; needed is one in (0, 1]"));
  require_share(alpha, "level of a test");
  require_share(power, "power");
  return (normal_quantile(1 - alpha / 2) + normal_quantile(power)) *
         std::sqrt(discordant / static_cast<double>(questions));
}

}  // namespace plumb
