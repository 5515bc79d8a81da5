#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "harness/pipeline/work_journal.h"
#include "harness/processes/processes.h"
#include "pruning/sweep/step_log.h"

namespace plumb::harness {

/// The steps of a command's sweeps among its processes: step k of those that are still to be run is rank k mod count's. Whole
/// steps, so that every product has the shape that it has in one process, and the numbers are the same bits.
///
/// What the others finish goes to rank 0, whose journal keeps it; so the same command goes on from it with any number of
/// processes. In the end every rank has all numbers.
class SharedSteps {
 public:
  /// `journal`: rank 0's; nullptr in the others. Both must outlive this.
  SharedSteps(const Processes& processes, WorkJournal* journal)
      : processes_(processes), journal_(journal) {}
  SharedSteps(const SharedSteps&) = delete;
  SharedSteps& operator=(const SharedSteps&) = delete;

  /// For the one sweep of that name. All; lives as long as this.
  pruning::StepLog log(const std::string& sweep);

 private:
  std::optional<std::vector<double>> known(size_t sweep, size_t step);
  std::vector<size_t> mine(const std::vector<size_t>& missing) const;
  void finished(size_t sweep, size_t step, std::span<const double> numbers);
  void complete(size_t sweep, size_t step, std::span<double> numbers);
  void take_in();

  const Processes& processes_;
  WorkJournal* journal_;
  std::vector<pruning::StepLog> kept_;  ///< of each sweep, rank 0's
  /// By sweep and step, until they are given on; on rank 0 those of all ranks, else this one's.
  std::map<std::pair<size_t, size_t>, std::vector<double>> numbers_;
};

}  // namespace plumb::harness
