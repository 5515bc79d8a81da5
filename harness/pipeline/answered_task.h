#pragma once

#include <vector>

#include "harness/pipeline/accuracy_summary.h"
#include "harness/pipeline/evaluation.h"

namespace plumb::harness {

/// What an evaluation says, without its questions: one for each of the task's metrics, in their order.
///
/// The clusters are the task's: kSample where the clustering field is part of a question's prompt (BoolQ's passage),
/// kGroups where it is not (MMLU's subject, which only the description names).
std::vector<AnsweredTask> answered_tasks(const TaskEvaluation& evaluation);

/// The statistics of each: evaluations in their order, the metrics of a task together.
std::vector<AccuracySummary> summarise_all(const std::vector<TaskEvaluation>& evaluations,
                                           uint64_t seed);

}  // namespace plumb::harness
