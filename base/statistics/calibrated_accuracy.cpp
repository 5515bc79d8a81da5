#include "base/statistics/calibrated_accuracy.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/statistics/answers.h"
#include "base/statistics/bca.h"

namespace plumb {
namespace {

/// Both models' answers side by side; [questions, 2].
std::vector<uint8_t> side_by_side(std::span<const uint8_t> right, std::span<const uint8_t> whole) {
  std::vector<uint8_t> both;
  both.reserve(2 * right.size());
  for (size_t i = 0; i < right.size(); ++i) {
    both.push_back(right[i]);
    both.push_back(whole[i]);
  }
  return both;
}

/// How each question moves the ratio, to first order.
std::vector<double> influences(std::span<const uint8_t> both, double chance, double ratio) {
  std::vector<double> out;
  for (size_t i = 0; i < both.size(); i += 2)
    out.push_back(both[i] - chance - ratio * (both[i + 1] - chance));
  return out;
}

}  // namespace

std::optional<CalibratedAccuracy> calibrated_accuracy(std::span<const uint8_t> right,
                                                      std::span<const uint8_t> whole, double chance,
                                                      const BootstrapOptions& options) {
  if (right.size() != whole.size())
    throw Error(ErrorKind::kInvariant,
                text("a calibrated accuracy got ", right.size(), " and ", whole.size(),
                     " answers; needed are the same questions"));
  if (!(chance >= 0 && chance < 1) || !(options.level > 0 && options.level < 1))
    throw Error(ErrorKind::kInvariant,
                text("a chance of ", chance, " and a level of ", options.level,
                     "; needed are shares in [0, 1) and (0, 1)"));
  const std::vector<uint8_t> both = side_by_side(right, whole);
  const Answers answers{both, 2};
  const auto counts = count_right(answers);
  const double guessed = chance * static_cast<double>(answers.questions());
  const auto ratio_of = [&](const int64_t* pair) {
    return (static_cast<double>(pair[0]) - guessed) / (static_cast<double>(pair[1]) - guessed);
  };
  if (static_cast<double>(counts[1]) <= guessed) return std::nullopt;
  CalibratedAccuracy out{ratio_of(counts.data()), std::nullopt};

  const auto resampled = resample_right(answers, options.draws, options.seed);
  std::vector<double> draws;
  for (size_t i = 0; i < resampled.size(); i += 2) {
    if (static_cast<double>(resampled[i + 1]) <= guessed) return out;
    draws.push_back(ratio_of(&resampled[i]) - out.value);
  }
  const BcaEnds ends =
      bca_interval(draws, acceleration_of_mean(influences(both, chance, out.value)), options.level);
  out.interval = {out.value + ends.low, out.value + ends.high, options.level,
                  text("BCa by question, paired, ", options.draws, " draws, seed ", options.seed)};
  return out;
}

}  // namespace plumb
