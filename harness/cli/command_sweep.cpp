#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "harness/cli/asked_questions.h"
#include "harness/cli/common.h"
#include "harness/cli/model_series.h"
#include "harness/cli/sweep_output.h"
#include "harness/pipeline/answered_task.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/questions_stage.h"
#include "harness/pipeline/work_key.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

std::vector<Flag> sweep_flags() {
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

/// Whether rank 0 has the results: the others may not see its disk.
bool stands_for_all(const Processes& processes, const std::string& out, const Json& key) {
  int32_t there = processes.is_first() && stands(out, key) ? 1 : 0;
  processes.broadcast(&there, sizeof there);
  return there != 0;
}

/// One model's sweep; its JSON, on rank 0. Of a series what stands already is not made again.
Json sweep_model(const Arguments& arguments, const Console& console, bool in_series) {
  Settings settings = settings_from(arguments, sweep_flags());
  Experiment experiment = make_experiment(settings);
  const Processes& processes = *arguments.processes;
  share_machine(settings, processes, experiment);
  const bool documents = !experiment.validation.file.empty();
  if (!documents && !arguments.has("--tasks"))
    throw Error(ErrorKind::kUsage,
                "nothing was named that the plans could be judged by, needed --documents FILE for "
                "their loss, --tasks LIST for their answers, or both");
  const auto lock = take_out(experiment, processes);
  const std::string out = experiment.out;
  processes.first_then_others([&] { find_model(experiment, console); });
  Session session(experiment);
  std::vector<AskedTask> asked = ask_tasks(session, arguments, "", "");
  const auto plans_csv = arguments.get("--plans");
  const Json key = in_series ? inputs_key(session, plans_csv, asked, documents) : Json();
  if (in_series && !arguments.has("--fresh") && stands_for_all(processes, out, key)) {
    console.say("  stands from before; --fresh makes it again");
    if (!processes.is_first()) return {};
    return parse_json(read_file(std::filesystem::path(out) / "sweep.json"));
  }
  say_detectable(asked, console);
  SweepOutcome outcome;
  outcome.chosen = choose_plans(session, plans_csv, console);
  const Json work = work_key(session, outcome.chosen, asked, documents);
  processes.require_same(work.dump(), "sweep");
  std::optional<WorkJournal> journal;
  if (processes.is_first()) journal.emplace(out, "sweep", work, arguments.has("--fresh"), console);
  SharedSteps steps(processes, journal ? &*journal : nullptr);
  outcome.processes = processes.count();
  if (documents) {
    outcome.losses = sweep_stage(session, outcome.chosen.plans, console, steps.log("loss"));
    outcome.plan_losses =
        losses_of(*outcome.losses, {.draws = experiment.draws, .seed = experiment.seed});
  }
  outcome.evaluations =
      evaluate_all(session, std::move(asked), outcome.chosen.plans, steps, console);
  if (!processes.is_first()) return {};
  outcome.resumed_steps = journal->resumed_steps();
  outcome.summaries = summarise_all(outcome.evaluations, experiment.seed);
  outcome.tasks = with_summaries(outcome.evaluations, outcome.summaries);

  Json json = sweep_json(session, outcome);
  std::vector<NamedFile> files;
  if (documents) files = sweep_files(*outcome.losses, outcome.plan_losses);
  if (!outcome.evaluations.empty())
    files.push_back(accuracy_file(outcome.evaluations, outcome.summaries));
  files.emplace_back("sweep.json", json.dump(2) + "\n");
  const auto large = question_files(outcome.evaluations);
  journal->publish(files, large);
  if (in_series) remember_results(out, key);
  say_sweep(outcome, console);
  console.say(wrote(files, out, large));
  return json;
}

/// What is there while a series is under way: removed when its tables stand.
void write_partial(const std::filesystem::path& folder, const std::vector<SeriesModel>& models,
                   size_t finished) {
  Json json = {{"finished", Json::array()}, {"to_do", Json::array()}};
  for (size_t i = 0; i < models.size(); ++i)
    json[i < finished ? "finished" : "to_do"].push_back(models[i].label);
  write_file_atomically(folder / "partial.json", json.dump(2) + "\n");
}

int sweep_series(const Arguments& arguments, const std::vector<std::string>& names,
                 const Console& console) {
  const std::vector<SeriesModel> models = series_models(names);
  // What is wrong with any of them is said before hours of work on the first.
  const Processes& processes = *arguments.processes;
  processes.first_then_others([&] {
    for (const SeriesModel& model : models)
      models::Checkpoint::open(local_model(model.name, console).path);
  });
  Arguments first = arguments;
  first.values["--model"] = {models.front().name};
  Settings settings = settings_from(first, sweep_flags());
  const Experiment experiment = make_experiment(settings);
  const auto lock = take_out(experiment, processes);
  const std::filesystem::path out = experiment.out;
  Json all = {{"models", Json::array()}};
  for (size_t i = 0; i < models.size(); ++i) {
    Arguments one = arguments;
    one.values["--model"] = {models[i].name};
    one.values["--out"] = {(out / models[i].label).string()};
    console.say(text(models[i].label, " (", i + 1, " of ", models.size(), ")"));
    Json json = sweep_model(one, console, true);
    if (!processes.is_first()) continue;
    write_partial(out, models, i + 1);
    all["models"].push_back({{"label", models[i].label}, {"sweep", std::move(json)}});
  }
  if (!processes.is_first()) return 0;
  auto files = joined_tables(out, models);
  Json index = {{"models", Json::array()}};
  for (size_t i = 0; i < models.size(); ++i)
    index["models"].push_back({{"label", models[i].label},
                               {"model", all["models"][i]["sweep"]["model"]},
                               {"results", models[i].label + "/sweep.json"}});
  files.emplace_back("models.json", index.dump(2) + "\n");
  publish(files, out);
  std::filesystem::remove(out / "partial.json");
  console.result(all);
  console.say(wrote(files, out.string()));
  return 0;
}

int run_sweep(const Arguments& arguments, const Console& console) {
  const auto names = arguments.values.find("--model");
  if (names != arguments.values.end() && names->second.size() > 1)
    return sweep_series(arguments, names->second, console);
  console.result(sweep_model(arguments, console, false));
  return 0;
}

}  // namespace

Command sweep_command() {
  return {.name = "sweep",
          .summary = "loss and answers of every plan of every strategy, in one walk over the model",
          .example =
              "plumb sweep --model model.gguf --documents text.jsonl --max-tokens 256 --limit 24 "
              "--tasks mmlu --data data --sample 500 --strategies similarity,simple --n 0-28 "
              "--out sweep; again with --model B: both, each in a folder of its own; after mpirun "
              "-n 4: "
              "by 4 processes",
          .flags = sweep_flags(),
          .run = run_sweep,
          .several = true};
}

}  // namespace plumb::harness
