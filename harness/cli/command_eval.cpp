#include "base/error.h"
#include "harness/cli/asked_questions.h"
#include "harness/pipeline/answered_task.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/questions_stage.h"
#include "harness/pipeline/sweep_plans.h"
#include "harness/pipeline/work_journal.h"
#include "harness/pipeline/work_key.h"
#include "metrics/cost/cost.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

std::vector<Flag> eval_flags() {
  return model_flags() +
         question_flags(
             "smoke, mmlu, mmlu_lm_eval, boolq, hellaswag, arc_easy, arc_challenge, piqa, "
             "winogrande, or task files (.json); default smoke") +
         std::vector<Flag>{
             {"--limit", "N", "", "the same as --limit-questions"},
             {"--documents", "FILE", "calibration.documents",
              "text that similarity chooses on, where there is no --plans"},
             {"--max-tokens", "T", "calibration.max_tokens", "cut those documents to T tokens"},
             {"--documents-limit", "N", "calibration.limit", "the first N of them"}} +
         plan_flags();
}

/// Everything but `run` is the same for a run that was interrupted and one that was not.
Json summary(Session& session, const SweepPlans& chosen, const std::vector<Evaluated>& tasks,
             int64_t resumed_steps) {
  Json json = common_json(session.experiment(),
                          model_facts(session.checkpoint(), session.experiment().model_origin));
  json["calibration"] = chosen.calibration;
  json["tasks"] = Json::array();
  for (const Evaluated& task : tasks) json["tasks"].push_back(task_json(task));
  json["lm_eval"] = lm_eval_json(tasks);
  json["run"] = {{"resumed_steps", resumed_steps},
                 {"memory", memory_json(session.memory_plan())},
                 {"peak_resident_bytes", metrics::peak_resident_bytes()},
                 {"seconds", Json::object()}};
  for (const Evaluated& task : tasks)
    json["run"]["seconds"][task.evaluation.asked.task.name] = task.evaluation.seconds;
  return json;
}

int run_eval(const Arguments& arguments, const Console& console) {
  Settings settings = settings_from(arguments, eval_flags());
  Experiment experiment = make_experiment(settings);
  const Processes& processes = *arguments.processes;
  share_machine(settings, processes, experiment);
  const auto lock = take_out(experiment, processes);
  const std::string out = experiment.out;
  processes.first_then_others([&] { find_model(experiment, console); });
  Session session(experiment);
  std::vector<AskedTask> asked = ask_tasks(session, arguments, "smoke", "--limit");
  say_detectable(asked, console);
  const SweepPlans chosen = choose_plans(session, arguments.get("--plans"), console);
  const Json work = work_key(session, chosen, asked, false);
  processes.require_same(work.dump(), "evaluation");
  std::optional<WorkJournal> journal;
  if (processes.is_first()) journal.emplace(out, "eval", work, arguments.has("--fresh"), console);
  SharedSteps steps(processes, journal ? &*journal : nullptr);
  const std::vector<TaskEvaluation> evaluations =
      evaluate_all(session, std::move(asked), chosen.plans, steps, console);
  if (!processes.is_first()) return 0;

  const auto summaries = summarise_all(evaluations, experiment.seed);
  const auto tasks = with_summaries(evaluations, summaries);
  Json json = summary(session, chosen, tasks, journal->resumed_steps());
  json["run"]["processes"] = processes.count();
  const std::vector<NamedFile> files{accuracy_file(evaluations, summaries),
                                     {"eval.json", json.dump(2) + "\n"}};
  const auto large = question_files(evaluations);
  journal->publish(files, large);
  console.result(json);
  for (const Evaluated& task : tasks) say_accuracies(task, console);
  console.say(wrote(files, out, large));
  return 0;
}

}  // namespace

Command eval_command() {
  return {
      .name = "eval",
      .summary = "answers to questions by every plan of every strategy, in one walk over the model",
      .example =
          "plumb eval --model model.gguf --tasks mmlu,arc_easy --data data --sample 200 "
          "--strategies simple --n 0-28 --out eval",
      .flags = eval_flags(),
      .run = run_eval,
      .several = true};
}

}  // namespace plumb::harness
