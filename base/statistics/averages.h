#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace plumb {

/// Right answers of one group of questions, such as a subject of MMLU.
struct GroupCount {
  int64_t right = 0;
  int64_t questions = 0;
};

/// Averages over groups. Their errors take questions as the sample, and the groups as fixed, but
/// for the last one.
struct Averages {
  double micro = 0;  ///< by question: every question weighs alike
  double macro = 0;  ///< by group: every group weighs alike
  /// Deviation of all answers with n - 1, over sqrt(n): lm-eval's `acc_stderr` of a single task.
  /// None for one question.
  std::optional<double> micro_error;
  /// lm-eval's `acc_stderr` of a group that weighs by size:
  ///
  ///     sqrt(sum (n_i - 1) se_i^2 n_i / (N - k) / N),  se_i^2 = p_i (1 - p_i) / (n_i - 1)
  ///
  /// None where every group has one question; one such group alone is as if it had no spread.
  std::optional<double> pooled_error;
  /// sqrt(sum se_i^2) / k. None where a group has one question.
  std::optional<double> macro_error;
  /// Deviation of the groups' accuracies over sqrt(k): the groups as a sample of all subjects there
  /// could be. None for one group.
  std::optional<double> macro_error_over_groups;
};

/// Error{kInvariant} for no groups, a group without questions, or more right than asked.
Averages averages(std::span<const GroupCount> groups);

}  // namespace plumb
