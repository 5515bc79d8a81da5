#pragma once

#include <cstdint>
#include <span>

namespace plumb {

/// How two models, or two plans, answered the same questions. Errors of all here: Error{kInvariant}
/// for unequal lengths, no questions, an answer that is neither 0 nor 1, a negative count, or a
/// share outside of its range.
struct PairedCounts {
  int64_t both = 0;
  int64_t only_first = 0;   ///< b: right for the first alone
  int64_t only_second = 0;  ///< c
  int64_t neither = 0;

  int64_t discordant() const { return only_first + only_second; }
  int64_t questions() const { return both + neither + discordant(); }
};
PairedCounts count_pairs(std::span<const uint8_t> first, std::span<const uint8_t> second);

/// McNemar's test that both are right equally often; two-sided p.
///
///     exact       2 P(X <= min(b, c)), at most 1, with X binomial of b + c at 1/2
///     mid-p       exact - P(X = min(b, c)): Fagerland, Lydersen and Laake 2013, BMC Med Res
///                 Methodol 13:91; as powerful as chi-square, and its level rarely and barely above
///     chi-square  (b - c)^2 / (b + c) with one degree of freedom; needs b + c >= 25
///
/// 1 where no answers differ.
enum class McNemar { kMidP, kExact, kChiSquare };
double mcnemar_p(const PairedCounts& counts, McNemar variant = McNemar::kMidP);

/// Least difference that a paired comparison of so many questions finds with probability `power`,
/// where a share `discordant` of the questions is answered differently:
///
///     (z(1 - alpha / 2) + z(power)) sqrt(discordant / questions)
///
/// A difference is at most `discordant`: a result above it says that none can be found so.
double minimum_detectable_difference(int64_t questions, double discordant, double alpha = 0.05,
                                     double power = 0.8);

}  // namespace plumb
