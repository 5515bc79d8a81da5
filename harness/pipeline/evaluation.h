#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/record.h"
#include "harness/cli/console.h"
#include "harness/pipeline/accuracy_summary.h"
#include "harness/pipeline/publish.h"
#include "harness/pipeline/session.h"
#include "harness/pipeline/written_answers.h"
#include "harness/processes/shared_steps.h"
#include "metrics/tasks/answer.h"
#include "metrics/tasks/request.h"
#include "pruning/plan.h"
#include "pruning/sweep/question_sweep.h"

namespace plumb::harness {

/// Which questions of a task are asked, and how.
struct QuestionChoice {
  std::string task;            ///< a name of `metrics::tasks()`, or a task file (.json)
  std::filesystem::path data;  ///< folder that the task's files lie in; empty where none is needed
  std::filesystem::path questions;  ///< instead of the task's own file; empty: that
  int64_t limit = 0;                ///< the first so many; 0: all
  int64_t sample = 0;  ///< so many, drawn without replacement by the experiment's seed; 0: all
  int64_t shots = -1;  ///< below 0: the task's default
};

/// A task with its questions and what they ask of a model.
struct AskedTask {
  QuestionChoice choice;
  metrics::Task task;
  std::string file;
  std::string sha256;        ///< of the question file
  std::string shots_sha256;  ///< of the file that shots come from; empty: there are none
  int64_t questions_in_file = 0;
  double chance = 0;  ///< among the questions that are asked
  int64_t shots = 0;
  std::vector<metrics::Question> questions;  ///< in file order
  std::vector<metrics::Request> requests;    ///< of each

  int64_t shots_dropped() const;  ///< in all requests, as they did not fit
  int64_t questions_cut() const;  ///< that did not fit without any
};

/// A task by its name, or of its file. Error{kUsage} for one that is not known, with the list.
metrics::Task task_of(const std::string& name);

/// Error{kUsage} for a task that is not known, a limit and a sample together, or more questions
/// than there are; else as metrics::read_questions and RequestMaker.
AskedTask ask(Session& session, const QuestionChoice& choice);

/// Names of tasks are names of files: Error{kUsage} for one that cannot be, or that two have.
void require_names(const std::vector<AskedTask>& asked);

/// Rows of a pack of questions: what the experiment says, else rows_of_a_pack.
int64_t rows_per_pack(Session& session);

/// What every plan answers.
struct TaskEvaluation {
  AskedTask asked;
  std::vector<pruning::PruningPlan> plans;
  std::vector<int64_t> clusters;  ///< of each question, as metrics::clusters
  pruning::QuestionScores scores;
  /// [plan][question]; what was written is right or not and has no index (-1).
  std::vector<std::vector<metrics::Answer>> answers;
  std::vector<std::vector<WrittenText>> written;  ///< the same; of scoring `generate` alone
  double seconds = 0;
};
TaskEvaluation evaluate(Session& session, AskedTask asked,
                        const std::vector<pruning::PruningPlan>& plans, const Console& console,
                        const pruning::StepLog& log = {});
/// One task after the other, by the steps "questions of <task>".
std::vector<TaskEvaluation> evaluate_all(Session& session, std::vector<AskedTask> asked,
                                         const std::vector<pruning::PruningPlan>& plans,
                                         SharedSteps& steps, const Console& console);

/// accuracy.csv: a row for each strategy, n and task; an exact_match stands under acc. `summaries` holds one for each
/// task and metric; Error{kInvariant} where it does not.
NamedFile accuracy_file(const std::vector<TaskEvaluation>& evaluations,
                        const std::vector<AccuracySummary>& summaries);
/// questions/<task>.jsonl: a line for each plan and question. They write from `evaluations`, which
/// must stay.
std::vector<LargeFile> question_files(const std::vector<TaskEvaluation>& evaluations);

}  // namespace plumb::harness
