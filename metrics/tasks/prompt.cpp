#include "metrics/tasks/prompt.h"

#include "base/error.h"
#include "base/hash.h"

namespace plumb::metrics {
namespace {

std::string letter_of(size_t choice) { return {static_cast<char>('A' + choice)}; }

/// A template of the question, about its choice number `choice` where it is about one.
class Filling {
 public:
  Filling(const Task& task, const Question& question) : task_(task), question_(question) {}

  std::string operator()(const Template& made, size_t choice) const {
    return made.render([&](const std::string& name) -> std::string {
      if (name == "choices") return lines();
      if (name == "choice") return question_.choices.at(choice);
      if (name == "letter") return letter_of(choice);
      if (name == "answer") return question_.answer_text;
      return question_.field(name);
    });
  }
  /// Prompt and target of the right answer, for a shot.
  std::string answered() const {
    const auto right = static_cast<size_t>(question_.answer);
    return (*this)(task_.prompt, right) + task_.target_delimiter + (*this)(task_.target, right) +
           task_.shot_delimiter;
  }

 private:
  std::string lines() const {
    std::string out;
    for (size_t i = 0; i < question_.choices.size(); ++i)
      out += (i == 0 ? "" : task_.choice_delimiter) + (*this)(task_.choice, i);
    return out;
  }

  const Task& task_;
  const Question& question_;
};

}  // namespace

Prompt make_prompt(const Task& task, const Question& question,
                   std::span<const Question* const> shots) {
  const Filling filling(task, question);
  std::string before = filling(task.description, 0);
  for (const Question* shot : shots) before += Filling(task, *shot).answered();
  Prompt prompt;
  if (task.scoring == Scoring::kContext) {
    for (size_t i = 0; i < question.choices.size(); ++i)
      prompt.contexts.push_back(before + filling(task.prompt, i));
  } else {
    prompt.contexts.push_back(before + filling(task.prompt, 0));
  }
  for (size_t i = 0; i < question.choices.size(); ++i)
    prompt.continuations.push_back(task.target_delimiter + filling(task.target, i));
  return prompt;
}

std::string prompt_hash(const Prompt& prompt) { return sha256_hex(prompt.contexts.front()); }

std::string target_hash(const Task& task, const Question& question) {
  if (task.scoring == Scoring::kContext) return sha256_hex(Filling(task, question)(task.target, 0));
  if (task.scoring == Scoring::kGenerate) return sha256_hex(question.answer_text);
  return sha256_hex(text(question.answer));
}

}  // namespace plumb::metrics
