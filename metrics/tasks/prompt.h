#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "metrics/tasks/question.h"
#include "metrics/tasks/task.h"

namespace plumb::metrics {

/// What a model is shown, as text. Equal, prompt for prompt, to lm-eval 0.4.13's for the tasks that say so.
///
///     description, then for each shot: prompt, target delimiter, target, shot delimiter; then the question's prompt
struct Prompt {
  /// One, or with scoring `context` one a choice. Not tokenised in parts: a header and a question apart give other ids.
  std::vector<std::string> contexts;
  /// What is scored after a context, target delimiter included: one a choice (with scoring `letter` " A", " B", ...; with
  /// `context` the same text each time), none with scoring `generate`.
  std::vector<std::string> continuations;
};

/// Error{kInput} naming the field that a filter does not fit.
Prompt make_prompt(const Task& task, const Question& question,
                   std::span<const Question* const> shots);

/// The hashes by which lm-eval 0.4.13's sample logs name a prompt and a target: sha256 of the first context, and of the answer's
/// index or, with scoring `context` and `generate`, of the target's text.
std::string prompt_hash(const Prompt& prompt);
std::string target_hash(const Task& task, const Question& question);

}  // namespace plumb::metrics
