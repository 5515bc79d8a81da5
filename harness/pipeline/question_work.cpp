#include "harness/pipeline/question_work.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "harness/pipeline/evaluation.h"
#include "metrics/tasks/prompt.h"

namespace plumb::harness {

namespace {

constexpr double kBytesPerToken = 4;

std::optional<metrics::QuestionFile> questions_of(const metrics::Task& task, const Experiment& e) {
  if (!task.built_in.empty()) return metrics::built_in_question_file(task);
  const auto file = metrics::question_path(task, e.questions.data);
  if (!std::filesystem::is_regular_file(file)) return std::nullopt;
  return metrics::read_questions(task, file);
}

double tokens_of(const std::string& text) {
  return static_cast<double>(text.size()) / kBytesPerToken;
}

void add(const metrics::Task& task, const metrics::QuestionFile& file, int64_t count,
         QuestionWork& work) {
  double prompts = 0, groups = 1;
  for (size_t q = 0; q < static_cast<size_t>(count); ++q) {
    const metrics::Prompt prompt = metrics::make_prompt(task, file.questions[q], {});
    for (const std::string& context : prompt.contexts) prompts += tokens_of(context);
    work.read_tokens += 1;
    if (task.scoring == metrics::Scoring::kLetter) continue;  // the letters are read, not run
    for (const std::string& continuation : prompt.continuations) {
      prompts += tokens_of(continuation);
      work.read_tokens += tokens_of(continuation);
    }
  }
  // A group's questions share its shots, each about as long as a question.
  if (!task.shots.same.empty()) {
    const auto groups_of = metrics::clusters(task, file.questions);
    groups = 1 + static_cast<double>(*std::max_element(groups_of.begin(), groups_of.end()));
  }
  const double shots = static_cast<double>(task.shots.count) * groups;
  work.questions += count;
  work.tokens += prompts + shots * prompts / static_cast<double>(std::max<int64_t>(1, count));
}

}  // namespace

QuestionWork question_work(const Experiment& e) {
  QuestionWork work;
  for (const std::string& name : e.questions.tasks) {
    const metrics::Task task = task_of(name);
    const auto file = questions_of(task, e);
    if (!file) {
      work.missing.push_back(task.name);
      continue;
    }
    const int64_t wanted = std::max(e.questions.limit, e.questions.sample);
    const auto all = static_cast<int64_t>(file->questions.size());
    add(task, *file, wanted > 0 ? std::min(wanted, all) : all, work);
  }
  return work;
}

}  // namespace plumb::harness
