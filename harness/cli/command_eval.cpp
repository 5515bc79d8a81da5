#include <cstdio>

#include "base/error.h"
#include "harness/cli/common.h"
#include "harness/pipeline/evaluation.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/sweep_plans.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

std::vector<Flag> flags() {
  return model_flags() +
         std::vector<Flag>{
             {"--tasks", "LIST", "",
              "smoke, mmlu, mmlu_lm_eval, boolq, hellaswag, arc_easy, arc_challenge, piqa, "
              "winogrande, or task files (.json); default smoke"},
             {"--data", "DIR", "",
              "folder with the tasks' files, as `plumb fetch --dataset` writes them"},
             {"--questions", "FILE", "", "questions instead of the task's own, for a single task"},
             {"--limit", "N", "", "the first N questions of each task"},
             {"--sample", "N", "", "N questions of each task, drawn by the seed"},
             {"--shots", "K", "", "examples before each question; default: the task's"},
             {"--plans", "FILE", "", "plans.csv of `plumb profile` for the strategy similarity"},
             {"--documents", "FILE", "calibration.documents",
              "text that similarity chooses on, where there is no --plans"},
             {"--max-tokens", "T", "calibration.max_tokens", "cut those documents to T tokens"},
             {"--documents-limit", "N", "calibration.limit", "the first N of them"},
             {"--strategies", "LIST", "sweep.strategies",
              "similarity, simple, random, block-influence; default similarity,simple"},
             {"--n", "RANGE", "sweep.n", "blocks removed, such as 0 or 0-28; default 0..L-2"},
             {"--special-tokens", "", "special_tokens", "add BOS or EOS as the tokenizer says"}};
}

std::vector<std::string> parts(const std::string& list) {
  std::vector<std::string> out(1);
  for (const char c : list) {
    if (c == ',')
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

int64_t number_or(const Arguments& arguments, const std::string& flag, int64_t least,
                  int64_t otherwise) {
  return arguments.has(flag) ? whole_number(arguments, flag, least) : otherwise;
}

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
               {"tokens_alone", e.scores.tokens_alone},
               {"seconds", e.seconds}};
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

int run_eval(const Arguments& arguments, const Console& console) {
  Settings settings = settings_from(arguments, flags());
  Experiment experiment = make_experiment(settings);
  const std::string out = require_out(experiment);
  const std::vector<std::string> names = parts(arguments.get("--tasks").value_or("smoke"));
  if (arguments.has("--questions") && names.size() > 1)
    throw Error(ErrorKind::kUsage,
                text("--questions is for one task; ", names.size(), " were asked for"));
  find_model(experiment, console);
  Session session(experiment);
  // What is wrong with any of them is said before hours of work.
  std::vector<AskedTask> asked;
  asked.reserve(names.size());
  for (const std::string& name : names)
    asked.push_back(ask(
        session, {name, arguments.get("--data").value_or(""),
                  arguments.get("--questions").value_or(""), number_or(arguments, "--limit", 1, 0),
                  number_or(arguments, "--sample", 1, 0), number_or(arguments, "--shots", 0, -1)}));
  const SweepPlans chosen = choose_plans(session, arguments.get("--plans"), console);
  std::vector<TaskEvaluation> evaluations;
  evaluations.reserve(asked.size());
  for (AskedTask& task : asked)
    evaluations.push_back(evaluate(session, std::move(task), chosen.plans, console));

  Json json = common_json(session.experiment(),
                          model_facts(session.checkpoint(), session.experiment().model_origin));
  json["calibration"] = chosen.calibration;
  json["tasks"] = Json::array();
  for (const TaskEvaluation& e : evaluations) json["tasks"].push_back(task_json(e));
  auto files = evaluation_files(evaluations);
  files.emplace_back("eval.json", json.dump(2) + "\n");
  publish(files, out);
  console.result(json);
  for (const TaskEvaluation& e : evaluations) say_accuracies(e, console);
  console.say(wrote(files, out));
  return 0;
}

}  // namespace

Command eval_command() {
  return {"eval",
          "answers to questions by every plan of every strategy, in one walk over the model",
          "plumb eval --model model.gguf --tasks mmlu,arc_easy --data data --sample 200 "
          "--strategies simple --n 0-28 --out eval",
          flags(), run_eval};
}

}  // namespace plumb::harness
