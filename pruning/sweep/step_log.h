#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace plumb::pruning {

/// How a sweep goes on where another one of the same arguments was interrupted. A step is what is
/// run together: the documents of one product, a pack of questions. What its plans get is a pure
/// function of the sweep's arguments, so what `finished` was given once may be given back by
/// `known`, and the sweep's result has the same bits.
///
/// Several processes may share a sweep: each gives it the same arguments, runs the steps that are its own, and has all numbers
/// in the end. Any of these may be empty.
struct StepLog {
  /// Called once for every step, ascending, before any is run: its numbers, or none where it must
  /// be run.
  std::function<std::optional<std::vector<double>>(size_t step)> known = {};
  /// Called when all plans of a step are measured. A decoder whose blocks come and go walks all
  /// steps together, so that none of them is finished before its last blocks.
  std::function<void(size_t step, std::span<const double> numbers)> finished = {};
  /// Which of the steps that are not known are run here, ascending. Called once, after `known`.
  std::function<std::vector<size_t>(const std::vector<size_t>& missing)> mine = {};
  /// Called when those are finished, for every step that was not known, ascending: makes `numbers` what the process that ran it
  /// has found.
  std::function<void(size_t step, std::span<double> numbers)> complete = {};
  /// Called now and then while steps are run.
  std::function<void()> meanwhile = {};
};

/// `progress` of a walk, after the log's `meanwhile`.
std::function<void(int64_t, int64_t)> with_meanwhile(
    const StepLog& log, const std::function<void(int64_t, int64_t)>& progress);

/// The numbers of every distinct plan and step of a sweep, and which steps are still to be run.
class StepNumbers {
 public:
  /// `widths[step]`: numbers that a plan has of a step. Error{kInvariant} naming the step where the
  /// log knows another number of them.
  StepNumbers(const StepLog& log, size_t plans, const std::vector<size_t>& widths);

  /// Those that are run here.
  const std::vector<size_t>& missing() const { return mine_; }
  std::span<double> of(size_t plan, size_t step);
  std::span<const double> of(size_t plan, size_t step) const;
  /// One more plan has its numbers of a missing step; the log is told when it was the last.
  void measured(size_t step);
  /// All of this process' steps are finished: gives the others their numbers.
  void complete();

 private:
  const StepLog& log_;
  size_t plans_;
  std::vector<std::vector<double>> numbers_;  ///< [step][plan * width + i]
  std::vector<size_t> measured_;              ///< [step]: plans
  std::vector<size_t> unknown_, mine_;
};

}  // namespace plumb::pruning
