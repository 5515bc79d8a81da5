#include "metrics/tasks/tasks_fuzz.h"

#include "base/error.h"
#include "metrics/tasks/answer.h"
#include "metrics/tasks/prompt.h"

namespace plumb::metrics::fuzz {
namespace {

constexpr std::string_view kBetween = "\n---\n";

void ask(const Task& task, const QuestionFile& file) {
  std::vector<const Question*> shots;
  for (const Question& question : file.questions) {
    if (shots.size() < 2) shots.push_back(&question);
    const Prompt prompt = make_prompt(task, question, shots);
    prompt_hash(prompt);
    target_hash(task, question);
    if (task.generate) judge(task, question, question.answer_text);
  }
  clusters(task, file.questions);
  chance_level(task, file);
}

}  // namespace

void tasks(std::string_view bytes) try {
  const size_t middle = bytes.find(kBetween);
  const Task task = parse_task(bytes.substr(0, middle));
  if (middle != bytes.npos)
    ask(task, parse_questions(task, bytes.substr(middle + kBetween.size()), "fuzz.jsonl"));
} catch (const Error& error) {
  if (error.kind() != ErrorKind::kInput && error.kind() != ErrorKind::kUsage) throw;
}

}  // namespace plumb::metrics::fuzz
