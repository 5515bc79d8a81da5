#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/record.h"
#include "base/statistics/paired.h"
#include "base/statistics/paired_difference.h"

namespace plumb::harness {

/// "Flat", or "no worse", means: worse by less than this.
inline constexpr double kFlatMargin = 0.02;

/// Two sets of answers to the same questions: the first's accuracy less the second's.
struct PairedSummary {
  PairedCounts counts;
  double difference = 0;
  Interval interval;  ///< Tango's; cluster-robust where questions come in clusters
  double p = 1;       ///< McNemar, mid-p, two-sided: both are right equally often
  double p_holm = 1;  ///< adjusted in its family; p itself until adjust_family has seen it
  double p_bh = 1;    ///< Benjamini and Hochberg
  /// Least difference found with probability 0.8, at this share of answers that differ; none where
  /// none differs.
  std::optional<double> detectable = {};
  NonInferiority flat;  ///< margin kFlatMargin
};

/// `clusters` is empty where every question stands alone. Error{kInvariant} for unequal lengths, no
/// questions, or an answer that is neither 0 nor 1.
PairedSummary summarise_pair(std::span<const uint8_t> first, std::span<const uint8_t> second,
                             std::span<const int64_t> clusters = {});

/// Fills p_holm and p_bh of a family: tests that are read together.
void adjust_family(std::span<PairedSummary* const> family);

/// What a comparison of so many questions can find, for people, before it is made: "240 questions
/// find a difference in accuracy of 0.04, ... with probability 0.8 ...".
std::string detectable_text(int64_t questions);

}  // namespace plumb::harness
