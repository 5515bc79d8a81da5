#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "harness/pipeline/evaluation.h"

namespace plumb::harness {
namespace {

using Json = nlohmann::ordered_json;

std::string accuracy_csv(const std::vector<TaskEvaluation>& evaluations) {
  CsvTable table({"task", "strategy", "n", "first", "metric", "accuracy", "low", "high", "right",
                  "questions", "chance", "removed"});
  for (const TaskEvaluation& e : evaluations)
    for (size_t p = 0; p < e.plans.size(); ++p)
      for (const Accuracy& a : accuracies(e, p)) {
        const pruning::PruningPlan& plan = e.plans[p];
        table.cell(e.asked.task.name).cell(plan.strategy).cell(plan.removed_count());
        if (const auto first = plan.first())
          table.cell(*first);
        else
          table.cell("");
        table.cell(a.metric).cell(a.accuracy).cell(a.interval.low).cell(a.interval.high);
        table.cell(a.right).cell(static_cast<int64_t>(e.asked.questions.size()));
        table.cell(e.asked.chance).cell(plan.removed_text());
        table.end_row();
      }
  return table.str();
}

Json answer_json(const TaskEvaluation& e, size_t p, size_t q) {
  const metrics::Answer& answer = e.answers[p][q];
  const metrics::Question& question = e.asked.questions[q];
  const metrics::Request& request = e.asked.requests[q];
  Json line = {{"task", e.asked.task.name},          {"strategy", e.plans[p].strategy},
               {"n", e.plans[p].removed_count()},    {"removed", e.plans[p].removed_text()},
               {"doc_id", question.line - 1},        {"doc_hash", question.doc_hash},
               {"prompt_hash", request.prompt_hash}, {"target_hash", request.target_hash},
               {"target", question.answer},          {"values", e.scores.values[p][q]},
               {"answer", answer.best.index},        {"acc", answer.best.correct ? 1 : 0}};
  if (answer.normalised) {
    line["answer_norm"] = answer.normalised->index;
    line["acc_norm"] = answer.normalised->correct ? 1 : 0;
  }
  return line;
}

std::string answers_jsonl(const std::vector<TaskEvaluation>& evaluations) {
  std::string out;
  for (const TaskEvaluation& e : evaluations)
    for (size_t p = 0; p < e.plans.size(); ++p)
      for (size_t q = 0; q < e.asked.questions.size(); ++q)
        out += answer_json(e, p, q).dump() + "\n";
  return out;
}

}  // namespace

std::vector<NamedFile> evaluation_files(const std::vector<TaskEvaluation>& evaluations) {
  return {{"accuracy.csv", accuracy_csv(evaluations)},
          {"answers.jsonl", answers_jsonl(evaluations)}};
}

}  // namespace plumb::harness
