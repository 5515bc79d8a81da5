#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/error.h"
#include "harness/pipeline/evaluation.h"

namespace plumb::harness {
namespace {

using Json = nlohmann::ordered_json;

/// None where the task has no such metric.
const PlanAccuracy* find(const std::vector<AccuracySummary>& all, const TaskEvaluation& e,
                         const std::string& metric, size_t plan) {
  const auto& metrics = e.asked.task.metrics;
  if (std::find(metrics.begin(), metrics.end(), metric) == metrics.end()) return nullptr;
  for (const AccuracySummary& s : all)
    if (s.answered.task == e.asked.task.name && s.answered.metric == metric) return &s.plans[plan];
  throw Error(ErrorKind::kInvariant,
              text("nobody summarised the ", metric, " of task ", e.asked.task.name));
}

/// A cell by `value`, or an empty one where there is no accuracy.
template <typename Value>
void cell_or_empty(CsvTable& table, const PlanAccuracy* accuracy, Value value) {
  if (accuracy != nullptr)
    table.cell(value(*accuracy));
  else
    table.empty();
}

void accuracy_row(CsvTable& table, const TaskEvaluation& e, size_t p,
                  const std::vector<AccuracySummary>& summaries) {
  const pruning::PruningPlan& plan = e.plans[p];
  const PlanAccuracy *acc = find(summaries, e, e.written.empty() ? "acc" : "exact_match", p),
                     *norm = find(summaries, e, "acc_norm", p);
  const auto accuracy = [](const PlanAccuracy& a) { return a.accuracy; };
  const auto low = [](const PlanAccuracy& a) { return a.interval.low; };
  const auto high = [](const PlanAccuracy& a) { return a.interval.high; };
  const auto right = [](const PlanAccuracy& a) { return a.right; };
  table.cell(plan.strategy).cell(plan.removed_count()).cell(e.asked.task.name);
  cell_or_empty(table, acc, accuracy);
  cell_or_empty(table, norm, accuracy);
  cell_or_empty(table, acc, low);
  cell_or_empty(table, acc, high);
  table.cell(static_cast<int64_t>(e.asked.questions.size()));
  if (const auto first = plan.first())
    table.cell(*first);
  else
    table.empty();
  cell_or_empty(table, acc, right);
  cell_or_empty(table, norm, right);
  cell_or_empty(table, norm, low);
  cell_or_empty(table, norm, high);
  table.cell(e.asked.chance).cell(plan.removed_text());
  table.end_row();
}

/// What every line begins with.
Json question_json(const TaskEvaluation& e, size_t p, size_t q) {
  const metrics::Question& question = e.asked.questions[q];
  const metrics::Request& request = e.asked.requests[q];
  return {{"task", e.asked.task.name},          {"strategy", e.plans[p].strategy},
          {"n", e.plans[p].removed_count()},    {"removed", e.plans[p].removed_text()},
          {"doc_id", question.line - 1},        {"doc_hash", question.doc_hash},
          {"prompt_hash", request.prompt_hash}, {"target_hash", request.target_hash}};
}

Json written_json(const TaskEvaluation& e, size_t p, size_t q) {
  const WrittenText& written = e.written[p][q];
  Json line = question_json(e, p, q);
  line["target"] = e.asked.questions[q].answer_text;
  line["written"] = written.text;
  line["extracted"] = written.answer.found ? Json(written.answer.extracted) : Json();
  line["acc"] = written.answer.correct ? 1 : 0;
  line["cluster"] = e.clusters[q];
  return line;
}

Json answer_json(const TaskEvaluation& e, size_t p, size_t q) {
  if (!e.written.empty()) return written_json(e, p, q);
  const metrics::Answer& answer = e.answers[p][q];
  Json line = question_json(e, p, q);
  line["target"] = e.asked.questions[q].answer;
  line["values"] = e.scores.values[p][q];
  line["answer"] = answer.best.index;
  line["acc"] = answer.best.correct ? 1 : 0;
  if (answer.normalised) {
    line["answer_norm"] = answer.normalised->index;
    line["acc_norm"] = answer.normalised->correct ? 1 : 0;
  }
  line["cluster"] = e.clusters[q];
  return line;
}

void write_questions(const TaskEvaluation& e, OutputFile& out) {
  constexpr size_t kPiece = 1 << 20;
  std::string piece;
  for (size_t p = 0; p < e.plans.size(); ++p)
    for (size_t q = 0; q < e.asked.questions.size(); ++q) {
      piece += answer_json(e, p, q).dump() + "\n";
      if (piece.size() < kPiece) continue;
      out.write(piece);
      piece.clear();
    }
  out.write(piece);
}

}  // namespace

NamedFile accuracy_file(const std::vector<TaskEvaluation>& evaluations,
                        const std::vector<AccuracySummary>& summaries) {
  CsvTable table({"strategy", "n", "task", "acc", "acc_norm", "low", "high", "questions", "first",
                  "right", "right_norm", "low_norm", "high_norm", "chance", "removed"});
  // Strategies, then n, then tasks: every evaluation has the same plans.
  for (size_t p = 0; !evaluations.empty() && p < evaluations.front().plans.size(); ++p)
    for (const TaskEvaluation& e : evaluations) accuracy_row(table, e, p, summaries);
  return {"accuracy.csv", table.str()};
}

std::vector<LargeFile> question_files(const std::vector<TaskEvaluation>& evaluations) {
  std::vector<LargeFile> out;
  for (const TaskEvaluation& e : evaluations)
    out.push_back({"questions/" + e.asked.task.name + ".jsonl",
                   [&e](OutputFile& file) { write_questions(e, file); }});
  return out;
}

}  // namespace plumb::harness
