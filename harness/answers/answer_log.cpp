#include "harness/answers/answer_log.h"

#include <map>
#include <unordered_map>

#include "base/error.h"

namespace plumb::harness {
namespace {

[[noreturn]] void contradiction(const AnswerLine& line, const std::string& what) {
  throw Error(ErrorKind::kInput, text("question ", line.doc_id, " of task '", line.task, "' ", what,
                                      "; needed is a log that agrees with itself"));
}

/// Adds what a line has of a measure that all lines of a plan have, or none.
template <typename T, typename Given>
void append_measure(std::vector<T>& values, size_t before, const Given& given,
                    const AnswerLine& line, const char* what) {
  if (before > 0 && given.has_value() != (values.size() == before))
    contradiction(line, text("has ", given ? "" : "no ", what, ", earlier lines of the plan have ",
                             given ? "none" : "it"));
  if (given) values.push_back(static_cast<T>(*given));
}

}  // namespace

std::string LoggedPlan::name() const { return text(strategy, ":", n); }

struct AnswerLogBuilder::Task {
  TaskLog log;
  std::unordered_map<std::string, uint32_t> question_numbers;
  std::map<std::pair<std::string, int64_t>, size_t> plan_numbers;
  std::vector<std::vector<bool>> answered;  // [plan][question]

  uint32_t question(const AnswerLine& line) {
    const auto [found, fresh] =
        question_numbers.try_emplace(text(line.doc_hash, line.target_hash, line.doc_id),
                                     static_cast<uint32_t>(log.questions.size()));
    if (fresh) {
      log.questions.push_back(
          {line.doc_hash, line.prompt_hash, line.target_hash, line.cluster, line.doc_id});
      return found->second;
    }
    const LoggedQuestion& known = log.questions[found->second];
    if (known.prompt_hash != line.prompt_hash) contradiction(line, "has two prompts");
    if (known.cluster != line.cluster) contradiction(line, "is in two clusters");
    return found->second;
  }

  size_t plan(const AnswerLine& line) {
    const auto [found, fresh] = plan_numbers.try_emplace({line.strategy, line.n}, log.plans.size());
    if (fresh) {
      log.plans.emplace_back().strategy = line.strategy;
      log.plans.back().n = line.n;
      log.plans.back().removed = line.removed;
      answered.emplace_back();
    }
    if (log.plans[found->second].removed != line.removed)
      contradiction(line, "was answered by two plans of the same name, with other blocks removed");
    return found->second;
  }

  void add(const AnswerLine& line) {
    const uint32_t q = question(line);
    const size_t p = plan(line);
    if (answered[p].size() <= q) answered[p].resize(log.questions.size());
    LoggedPlan& into = log.plans[p];
    if (answered[p][q]) contradiction(line, text("was answered twice by plan ", into.name()));
    answered[p][q] = true;
    const size_t before = into.questions.size();
    append_measure(into.right_normalised, before, line.right_normalised, line, "acc_norm");
    append_measure(into.right_log_share, before, line.right_log_share, line, "values");
    into.questions.push_back(q);
    into.right.push_back(line.right ? 1 : 0);
  }
};

AnswerLogBuilder::AnswerLogBuilder() = default;
AnswerLogBuilder::~AnswerLogBuilder() = default;

void AnswerLogBuilder::add(const AnswerLine& line) {
  const auto [found, fresh] = numbers_.try_emplace(line.task, tasks_.size());
  if (fresh) tasks_.emplace_back().log.task = line.task;
  tasks_[found->second].add(line);
}

std::vector<TaskLog> AnswerLogBuilder::take() {
  std::vector<TaskLog> logs;
  for (Task& task : tasks_) logs.push_back(std::move(task.log));
  tasks_.clear();
  numbers_.clear();
  return logs;
}

}  // namespace plumb::harness
