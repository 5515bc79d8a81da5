#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/record.h"
#include "base/statistics/bootstrap.h"

namespace plumb {

/// What is left of a model's knowledge after a change, with guessing taken out:
///
///     (accuracy - chance) / (accuracy of the whole model - chance)
///
/// 1 = all of it, 0 = a guess.
struct CalibratedAccuracy {
  double value = 0;
  /// BCa by question, both models on the same resampled questions. None where the whole model's
  /// accuracy is not above chance in some resample: the ratio then has no finite interval.
  std::optional<Interval> interval;
};

/// `whole` and `right` are answers to the same questions. None where the whole model's accuracy is
/// not above chance. Error{kInvariant} for unequal lengths, no questions, an answer that is neither
/// 0 nor 1, or a chance outside of [0, 1). `options.unit` is "question" whatever it says.
std::optional<CalibratedAccuracy> calibrated_accuracy(std::span<const uint8_t> right,
                                                      std::span<const uint8_t> whole, double chance,
                                                      const BootstrapOptions& options = {});

}  // namespace plumb
