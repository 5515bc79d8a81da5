#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/cli/common.h"
#include "harness/pipeline/evaluation.h"

/// What `plumb eval` and `plumb sweep` share: which plans are asked which questions, and what is said of the answers.
namespace plumb::harness {

/// --plans, --strategies, --n, --special-tokens.
std::vector<Flag> plan_flags();
/// --tasks, --data, --questions, --limit-questions, --sample, --shots. `tasks` is the help of the first.
std::vector<Flag> question_flags(const std::string& tasks);

/// The questions of the tasks of --tasks (else of `otherwise`, a list as well), so that what is wrong with any of them
/// is said before hours of work; none for an empty list. `limit_flag` is another name of --limit-questions, or empty.
/// Error{kUsage} as harness::ask, for --data that is neither a folder nor one task's file, and for tasks of one name or
/// of a name that no file can have.
std::vector<AskedTask> ask_tasks(Session& session, const Arguments& arguments,
                                 const std::string& otherwise, const std::string& limit_flag);

/// Facts and accuracies of a task; no time.
nlohmann::ordered_json task_json(const TaskEvaluation& evaluation);
void say_accuracies(const TaskEvaluation& evaluation, const Console& console);

}  // namespace plumb::harness
