#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "harness/pipeline/accuracy_summary.h"

namespace plumb::harness {

nlohmann::ordered_json interval_json(const Interval& interval);

/// A row for each plan, the differences to the whole model and to `simple` with it. A key whose number does not exist is
/// null: none of it is NaN.
nlohmann::ordered_json accuracies_json(const AccuracySummary& summary);

/// A row for each strategy: the collapse's place and width, whether accuracy falls, how far it is flat; `not_run` says
/// why these are null.
nlohmann::ordered_json curves_json(const AccuracySummary& summary);

/// One plan's accuracies under lm-evaluation-harness' keys (`acc,none`, `acc_stderr,none`), with its formula for the error:
/// the deviation of all answers over sqrt(n), or of a group of tasks the pooled one; "N/A" where it has none.
/// `is_group`: lm-eval runs each cluster as a task of its own ("mmlu_anatomy") and the task as their group.
nlohmann::ordered_json lm_eval_results(const AccuracySummary& summary, size_t plan, bool is_group);

}  // namespace plumb::harness
