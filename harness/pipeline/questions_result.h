#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/pipeline/accuracy_summary.h"
#include "harness/pipeline/evaluation.h"

namespace plumb::harness {

/// What a task is and whose questions were asked, for people and for the provenance.
struct TaskFacts {
  std::string name;
  int64_t version = 0;
  std::string sha256;  ///< of the task file
  std::string protocol;
  std::string note;
  std::string scoring;  ///< with the target delimiter: "continuation, delimiter ' '"
  std::string file;     ///< of the questions, without folder
  std::string file_sha256;
  bool built_in = false;  ///< the questions are part of the program
  int64_t questions = 0;
  int64_t questions_in_file = 0;
  int64_t shots = 0;
  int64_t shots_dropped = 0;  ///< over all questions
  int64_t questions_cut = 0;
};

/// Answers to one task's questions.
struct TaskAnswers {
  TaskFacts facts;
  std::vector<AnsweredTask> answered;  ///< one for each metric
  int64_t block_evaluations = 0;
  int64_t tokens_run = 0;
  double seconds = 0;
};

/// Result of the stage `questions`.
struct QuestionsResult {
  std::vector<TaskAnswers> tasks;
  /// Of each task what accuracy_file and question_files write from. What was read back has no more than they need: no
  /// text of a question, no token.
  std::vector<TaskEvaluation> evaluations;
  double seconds = 0;
};

nlohmann::ordered_json to_json(const QuestionsResult& result);
/// Throws nlohmann's exceptions or Error for what is no such result.
QuestionsResult questions_from_json(const nlohmann::ordered_json& json);

}  // namespace plumb::harness
