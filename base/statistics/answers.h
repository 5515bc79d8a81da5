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
  /// [questions], numbers from 0 without a gap: fixed groups, such as subjects, that weigh alike (macro average). Empty:
  /// every question weighs alike. Only what names groups takes them into account.
  std::span<const int64_t> groups = {};

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

/// Accuracy at each point, the mean of the groups' where there are groups; [points]. Error{kInvariant} as above, for groups
/// of another count than questions, and for a number that no question has.
std::vector<double> accuracies(const Answers& answers);

/// The same of resamples, row by row; [draws, points]. Groups are fixed: questions are drawn within each.
std::vector<double> resample_accuracies(const Answers& answers, int64_t draws, uint64_t seed);

/// Weights in proportion to the inverse variance of `accuracies`: binomial, each group's accuracy (or the only one) drawn
/// off 0 and 1 by half an answer; an accuracy of 0.5 in every one of equal groups weighs 1. [points]
std::vector<double> precisions(const Answers& answers);

}  // namespace plumb
