#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/record.h"

namespace plumb {

/// Two independent samples, such as times of two programs. Errors of all here: Error{kInvariant} for an empty sample, a
/// value that is not finite, or a level outside of (0, 1).

/// Mann and Whitney's test (1947) that neither sample tends to be greater. U counts the pairs in which a's value is the
/// greater one, ties half. Exact where no two values are equal and there are at most 400 pairs, else normal with the
/// tie-corrected variance and a continuity correction. All p are 1 where every value is the same.
struct RankSumTest {
  double u = 0;
  double p_less = 1;     ///< one-sided: of so small a U, where a does not tend to be less
  double p_greater = 1;  ///< one-sided, the other way
  double p_two_sided = 1;
  bool exact = false;
};
RankSumTest mann_whitney(std::span<const double> a, std::span<const double> b);

/// The smallest one-sided p that samples of so many values can give: 1 / C(a + b, a).
double least_rank_sum_p(int64_t a, int64_t b);

/// Hodges and Lehmann's estimate (1963) of how far a lies above b, the median of all differences a_i - b_j, with the
/// interval of the shifts that Mann and Whitney's two-sided test does not refuse (Moses). It ends at differences, exactly
/// where the test is exact. None where so few values cannot reach the level.
struct ShiftEstimate {
  double shift = 0;
  std::optional<Interval> interval = {};
};
ShiftEstimate hodges_lehmann(std::span<const double> a, std::span<const double> b,
                             double level = 0.95);

}  // namespace plumb
