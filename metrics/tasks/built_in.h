#pragma once

#include <string_view>
#include <vector>

/// Files of the source tree that are part of the program (cmake/Embed.cmake).
namespace plumb::metrics {

/// The task files of fixtures/tasks, in the order in which tasks are listed.
std::vector<std::string_view> built_in_tasks();
/// A question file of fixtures/questions by the name that tasks have for it ("smoke"), or an empty text.
std::string_view built_in_questions(std::string_view name);

std::string_view mmlu_task_json();
std::string_view mmlu_lm_eval_task_json();
std::string_view boolq_task_json();
std::string_view hellaswag_task_json();
std::string_view arc_easy_task_json();
std::string_view arc_challenge_task_json();
std::string_view piqa_task_json();
std::string_view winogrande_task_json();
std::string_view smoke_task_json();
std::string_view multiple_choice_task_json();
std::string_view smoke_questions_jsonl();

}  // namespace plumb::metrics
