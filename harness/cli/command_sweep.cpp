#include "base/error.h"
#include "harness/cli/asked_questions.h"
#include "harness/cli/common.h"
#include "harness/cli/sweep_output.h"
#include "harness/pipeline/answered_task.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/questions_stage.h"
#include "harness/pipeline/work_key.h"

namespace plumb::harness {

namespace {

std::vector<Flag> flags() {
  return model_flags() +
         std::vector<Flag>{
             {"--documents", "FILE", "validation.documents",
              "text whose loss is measured: JSONL with `text` (.gz too), CSV, Parquet or text"},
             {"--max-tokens", "T", "validation.max_tokens calibration.max_tokens",
              "cut documents to T tokens"},
             {"--limit", "N", "validation.limit calibration.limit",
              "the first N documents with T tokens"},
             {"--calibration", "FILE", "calibration.documents",
              "text that the plans are chosen on; default: --documents, and every output says so"},
             {"--calibration-limit", "N", "calibration.limit", "documents of it; default --limit"},
             {"--positions", "P", "sweep.positions",
              "loss at P random positions of a document; default 0: all"},
             {"--documents-per-step", "B", "documents_per_step", "documents in every product"}} +
         question_flags(
             "questions that every plan answers: smoke, mmlu, mmlu_lm_eval, boolq, hellaswag, "
             "arc_easy, arc_challenge, piqa, winogrande, or task files (.json)") +
         plan_flags();
}

int run_sweep(const Arguments& arguments, const Console& console) {
  Settings settings = settings_from(arguments, flags());
  Experiment experiment = make_experiment(settings);
  const bool documents = !experiment.validation.file.empty();
  if (!documents && !arguments.has("--tasks"))
    throw Error(ErrorKind::kUsage,
                "nothing was named that the plans could be judged by, needed --documents FILE for "
                "their loss, --tasks LIST for their answers, or both");
  const std::string out = require_out(experiment);
  const RunLock lock(out);
  find_model(experiment, console);
  Session session(experiment);
  std::vector<AskedTask> asked = ask_tasks(session, arguments, "", "");
  say_detectable(asked, console);
  SweepOutcome outcome;
  outcome.chosen = choose_plans(session, arguments.get("--plans"), console);
  WorkJournal journal(out, "sweep", work_key(session, outcome.chosen, asked, documents),
                      arguments.has("--fresh"), console);
  outcome.resumed_steps = journal.resumed_steps();
  if (documents) {
    outcome.losses = sweep_stage(session, outcome.chosen.plans, console, journal.log("loss"));
    outcome.plan_losses =
        losses_of(*outcome.losses, {.draws = experiment.draws, .seed = experiment.seed});
  }
  outcome.evaluations =
      evaluate_all(session, std::move(asked), outcome.chosen.plans, journal, console);
  outcome.summaries = summarise_all(outcome.evaluations, experiment.seed);
  outcome.tasks = with_summaries(outcome.evaluations, outcome.summaries);

  const auto json = sweep_json(session, outcome);
  std::vector<NamedFile> files;
  if (documents) files = sweep_files(*outcome.losses, outcome.plan_losses);
  if (!outcome.evaluations.empty())
    files.push_back(accuracy_file(outcome.evaluations, outcome.summaries));
  files.emplace_back("sweep.json", json.dump(2) + "\n");
  const auto large = question_files(outcome.evaluations);
  journal.publish(files, large);
  console.result(json);
  say_sweep(outcome, console);
  console.say(wrote(files, out, large));
  return 0;
}

}  // namespace

Command sweep_command() {
  return {"sweep", "loss and answers of every plan of every strategy, in one walk over the model",
          "plumb sweep --model model.gguf --documents text.jsonl --max-tokens 256 --limit 24 "
          "--tasks mmlu --data data --sample 500 --strategies similarity,simple --n 0-28 "
          "--out sweep",
          flags(), run_sweep};
}

}  // namespace plumb::harness
