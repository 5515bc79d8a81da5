#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "metrics/tasks/question.h"
#include "metrics/tasks/task.h"

namespace plumb::metrics {

/// Which choice has the largest value; of equal ones the first.
struct Choice {
  int64_t index = 0;
  double margin = 0;  ///< over the next best, in the unit of the values; infinity of a single one
  bool correct = false;
};

/// A model's answer to one question.
struct Answer {
  Choice best;
  std::optional<Choice> normalised;  ///< for acc_norm, where the task has it
};

/// Error{kInput} for no values, or one that is not finite, by its number. `right` is the right choice's index.
Choice largest(std::span<const double> values, int64_t right);

/// The answer by one value a choice: logits of the letters, or sums of ln p (nats). For acc_norm a sum is divided by its choice's
/// number of Unicode code points, without target delimiter, as lm-eval 0.4.13 does. Error{kInvariant} where values and
/// choices differ in number, else as `largest`.
Answer choose(const Task& task, const Question& question, std::span<const double> values);

/// What a text that a model wrote says, with scoring `generate`.
struct WrittenAnswer {
  std::string extracted;  ///< what was compared, before anything was ignored
  bool found = false;     ///< whether the task's expression matched
  bool correct = false;   ///< equal to the right text; never where nothing was found
};

/// The text before the first of the task's stop strings.
std::string before_stop(const Generation& generation, const std::string& written);

/// Extracts from the written text, cut at a stop string, and from the right one (whole where it holds no match), takes out what is
/// ignored, and compares. Error{kInput} naming the expression that is none, or that explodes.
WrittenAnswer judge(const Task& task, const Question& question, const std::string& written);

}  // namespace plumb::metrics
