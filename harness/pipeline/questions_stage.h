#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "harness/cli/console.h"
#include "harness/pipeline/evaluation.h"
#include "harness/pipeline/questions_result.h"
#include "harness/pipeline/session.h"
#include "pruning/plan.h"

namespace plumb::harness {

/// What decides which questions are asked, and how: hashes of task and question files, limits. An empty array where the
/// experiment names no task. Error{kUsage} for a task that is not known or has no data, Error{kInput} for a file that is
/// missing.
nlohmann::ordered_json questions_key(const Experiment& experiment);

/// The experiment's tasks with their questions. What is wrong with any of them is said here, before hours of work.
std::vector<AskedTask> ask_questions(Session& session);

/// What a part of a task's questions can show is said before they are asked.
void say_detectable(const std::vector<AskedTask>& asked, const Console& console);

/// Answers of every plan to every task, in the order of the tasks.
QuestionsResult questions_stage(Session& session, std::vector<AskedTask> asked,
                                const std::vector<pruning::PruningPlan>& plans,
                                const Console& console);

/// The statistics of a result: for each task and metric.
std::vector<AccuracySummary> summarise_questions(const QuestionsResult& result, uint64_t seed);

}  // namespace plumb::harness
