#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "base/statistics/summary.h"

/// For *_test.cpp alone: answers whose points share their questions.
namespace plumb::testing {

/// [questions, points] answers with the given accuracy at each point. A question is easy or hard at
/// all points alike: the share `shared` of the latent variance is the question's own.
inline std::vector<uint8_t> latent_answers(int64_t questions, const std::vector<double>& accuracy,
                                           double shared, uint64_t run) {
  std::vector<double> thresholds;
  for (const double a : accuracy)
    thresholds.push_back(a <= 0 ? -1e9 : a >= 1 ? 1e9 : normal_quantile(a));
  Rng rng(77, run);
  std::vector<uint8_t> right;
  right.reserve(static_cast<size_t>(questions) * accuracy.size());
  const double own = std::sqrt(shared), noise = std::sqrt(1 - shared);
  for (int64_t q = 0; q < questions; ++q) {
    const double hardness = own * rng.normal();
    for (const double threshold : thresholds)
      right.push_back(hardness + noise * rng.normal() < threshold);
  }
  return right;
}

}  // namespace plumb::testing
