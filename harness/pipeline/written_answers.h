#pragma once

#include <string>
#include <vector>

#include "harness/cli/console.h"
#include "harness/pipeline/session.h"
#include "metrics/tasks/answer.h"
#include "metrics/tasks/request.h"
#include "pruning/plan.h"
#include "pruning/sweep/step_log.h"

namespace plumb::harness {

/// What a plan wrote after a question, and what that says.
struct WrittenText {
  std::string text;  ///< up to the first stop string; UTF-8, what is none replaced by U+FFFD
  metrics::WrittenAnswer answer;
};

/// What every plan wrote.
struct WrittenAnswers {
  std::vector<std::vector<WrittenText>> texts;  ///< [plan][question]
  int64_t plans_distinct = 0;
};

/// Greedy answers to the questions of a task with scoring `generate`. Errors as pruning::sweep_written.
WrittenAnswers write_answers(Session& session, const metrics::Task& task,
                             const std::vector<metrics::Question>& questions,
                             const std::vector<metrics::Request>& requests,
                             const std::vector<pruning::PruningPlan>& plans, const Console& console,
                             const pruning::StepLog& log);

}  // namespace plumb::harness
