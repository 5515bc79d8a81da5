#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plumb {

/// Which questions were answered right (1) or wrong (0) at each of several points, such as the
/// plans of a sweep. The points share their questions, so every statistic over points resamples
/// whole questions.
struct Answers {
  std::span<const uint8_t> right;  ///< [questions, points], row by row
  int64_t points = 0;

  int64_t questions() const { return points > 0 ? static_cast<int64_t>(right.size()) / points : 0; }
};

/// Error{kInvariant} for none or a byte that is neither 0 nor 1.
void require_answers(std::span<const uint8_t> right);
/// And for bytes that are not whole rows of at least one point.
void require_answers(const Answers& answers);

/// Right answers at each point; [points].
std::vector<int64_t> count_right(const Answers& answers);

/// Right answers at each point among the questions of `resample(questions, seed, draw)`, row by
/// row; [draws, points]. One pass over the picked rows a draw: 2,000 draws of 14,042 questions at
/// 29 points take under a second.
std::vector<int64_t> resample_right(const Answers& answers, int64_t draws, uint64_t seed);

}  // namespace plumb
