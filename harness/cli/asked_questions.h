#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "harness/cli/common.h"
#include "harness/pipeline/accuracy_summary.h"
#include "harness/pipeline/evaluation.h"

/// What `plumb eval` and `plumb sweep` share: which plans are asked which questions, and what is
/// said of the answers.
namespace plumb::harness {

/// --plans, --strategies, --n, --special-tokens, --fresh.
std::vector<Flag> plan_flags();
/// --tasks, --data, --questions, --limit-questions, --sample, --shots. `tasks` is the help of the
/// first.
std::vector<Flag> question_flags(const std::string& tasks);

/// The questions of the tasks of --tasks (else of `otherwise`, a list as well), so that what is
/// wrong with any of them is said before hours of work; none for an empty list. `limit_flag` is
/// another name of --limit-questions, or empty. Error{kUsage} as harness::ask, for --data that is
/// neither a folder nor one task's file, and for tasks of one name or of a name that no file can
/// have.
std::vector<AskedTask> ask_tasks(Session& session, const Arguments& arguments,
                                 const std::string& otherwise, const std::string& limit_flag);

/// An evaluation with the statistics of each of its metrics in the task's order; both must stay.
struct Evaluated {
  const TaskEvaluation& evaluation;
  std::span<const AccuracySummary> summaries;
};
/// `summaries` as summarise_all makes them of the evaluations.
std::vector<Evaluated> with_summaries(const std::vector<TaskEvaluation>& evaluations,
                                      const std::vector<AccuracySummary>& summaries);

/// Facts, accuracies and curves of a task; no time.
nlohmann::ordered_json task_json(const Evaluated& task);
/// For each plan what lm-evaluation-harness would write of it: results, n-shot, versions, n-samples, higher_is_better.
nlohmann::ordered_json lm_eval_json(const std::vector<Evaluated>& tasks);
/// The table of a task, and what follows from it, for people.
void say_accuracies(const Evaluated& task, const Console& console);

}  // namespace plumb::harness
