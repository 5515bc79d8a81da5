#include "metrics/tasks/built_in.h"

namespace plumb::metrics {

std::vector<std::string_view> built_in_tasks() {
  return {mmlu_task_json(),           mmlu_lm_eval_task_json(), boolq_task_json(),
          hellaswag_task_json(),      arc_easy_task_json(),     arc_challenge_task_json(),
          piqa_task_json(),           winogrande_task_json(),   smoke_task_json(),
          multiple_choice_task_json()};
}

std::string_view built_in_questions(std::string_view name) {
  return name == "smoke" ? smoke_questions_jsonl() : std::string_view();
}

}  // namespace plumb::metrics
