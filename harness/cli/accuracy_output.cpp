#include <cstdio>

#include "base/error.h"
#include "harness/cli/asked_questions.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

Json task_json(const TaskEvaluation& e) {
  const AskedTask& asked = e.asked;
  int64_t dropped = 0, cut = 0;
  for (const metrics::Request& request : asked.requests) {
    dropped += request.shots_dropped;
    cut += request.tokens_cut > 0 ? 1 : 0;
  }
  Json json = {{"task", asked.task.name},
               {"version", asked.task.version},
               {"task_sha256", asked.task.sha256},
               {"protocol", asked.task.protocol},
               {"scoring", metrics::scoring_name(asked.task.scoring)},
               {"target_delimiter", asked.task.target_delimiter},
               {"file", asked.file},
               {"file_sha256", asked.sha256},
               {"shots", asked.shots},
               {"shots_dropped", dropped},
               {"questions_cut", cut},
               {"questions", asked.questions.size()},
               {"questions_in_file", asked.questions_in_file},
               {"chance", asked.chance},
               {"block_evaluations", e.scores.block_evaluations},
               {"block_evaluations_alone", e.scores.block_evaluations_alone},
               {"plans_distinct", e.scores.plans_distinct},
               {"tokens_run", e.scores.tokens_run},
               {"tokens_alone", e.scores.tokens_alone}};
  json["accuracies"] = Json::array();
  for (size_t p = 0; p < e.plans.size(); ++p)
    for (const Accuracy& a : accuracies(e, p))
      json["accuracies"].push_back({{"strategy", e.plans[p].strategy},
                                    {"n", e.plans[p].removed_count()},
                                    {"removed", e.plans[p].removed_text()},
                                    {"metric", a.metric},
                                    {"accuracy", a.accuracy},
                                    {"low", a.interval.low},
                                    {"high", a.interval.high},
                                    {"method", a.interval.method}});
  return json;
}

void say_accuracies(const TaskEvaluation& e, const Console& console) {
  console.say(text(e.asked.task.name, ": ", e.asked.questions.size(), " questions, ", e.asked.shots,
                   " shots, chance ", e.asked.chance));
  console.say("strategy             n  removed       metric    accuracy  95 % interval");
  for (size_t p = 0; p < e.plans.size(); ++p)
    for (const Accuracy& a : accuracies(e, p)) {
      char line[160];
      std::snprintf(line, sizeof line, "%-17s %4d  %-12.12s  %-8s  %8.4f  %.4f..%.4f",
                    e.plans[p].strategy.c_str(), static_cast<int>(e.plans[p].removed_count()),
                    e.plans[p].removed_text().c_str(), a.metric.c_str(), a.accuracy, a.interval.low,
                    a.interval.high);
      console.say(line);
    }
  console.say(text(e.scores.tokens_run, " tokens through ", e.scores.block_evaluations,
                   " blocks instead of ", e.scores.tokens_alone, " through ",
                   e.scores.block_evaluations_alone, ", in ", duration_text(e.seconds)));
}

}  // namespace plumb::harness
