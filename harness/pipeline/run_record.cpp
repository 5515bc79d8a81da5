// What `verify` and `report` find in a run folder.

#include "harness/pipeline/run_record.h"

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "harness/pipeline/questions_stage.h"
#include "harness/pipeline/stage_cache.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

namespace {

constexpr const char* kName = "run.json";

Json stages_json(const std::vector<StageTime>& stages) {
  Json out = Json::array();
  for (const StageTime& s : stages)
    out.push_back({{"stage", s.stage}, {"seconds", s.seconds}, {"reused", s.reused}});
  return out;
}

Json environment_json(const Environment& e) {
  return {
      {"build", pairs_json(e.build)}, {"machine", pairs_json(e.machine)}, {"warnings", e.warnings}};
}

[[noreturn]] void refuse(const std::string& folder, const std::string& why) {
  throw Error(ErrorKind::kInput,
              text("'", printable(folder), "' ", why,
                   "; needed the folder of a finished `plumb run`, run it again"));
}

Json entry_of(const StageCache& cache, const Json& record, const std::string& stage,
              const std::string& folder) {
  const Json& entries = record.at("entries");
  if (!entries.contains(stage)) return nullptr;
  const auto found = cache.load(entries.at(stage).get<std::string>());
  if (!found) refuse(folder, text("has no undamaged result of the stage ", stage));
  return *found;
}

void read_facts(const Json& record, Run& run) {
  run.settings = Settings::from_json(record.at("settings"));
  run.experiment = make_experiment(run.settings);
  run.experiment.dtype = record.at("dtype");  // "auto" and 0 threads were decided where it ran
  run.experiment.device = record.at("device");
  run.experiment.threads = record.at("threads");
  run.model = model_facts_from_json(record.at("model"));
  run.environment.build = pairs_from_json(record.at("environment").at("build"));
  run.environment.machine = pairs_from_json(record.at("environment").at("machine"));
  run.environment.warnings =
      record.at("environment").at("warnings").get<std::vector<std::string>>();
  run.libraries = pairs_from_json(record.at("libraries"));
  run.cost_refusal = record.at("cost_refusal");
  run.memory = pairs_from_json(record.at("memory"));
  run.text_licence = pairs_from_json(record.at("text_licence"));
  run.warnings = record.at("warnings").get<std::vector<std::string>>();
  for (const Json& s : record.at("stages"))
    run.stages.push_back({s.at("stage"), s.at("seconds"), s.at("reused")});
  run.command_line = record.at("command_line");
  run.started = record.at("started");
  run.finished = record.at("finished");
  run.failure_code = record.at("failure_code");
}

/// "heal similarity 7" of the stages that are run for several plans, in the order of the plans.
std::optional<HealResult> heal_of(const StageCache& cache, const Json& record, const Run& run,
                                  const std::string& folder) {
  HealResult out;
  for (const pruning::PruningPlan& plan : run.plans.plans) {
    const std::string part = text(" ", plan.strategy, " ", plan.removed_count());
    const Json trained = entry_of(cache, record, "heal" + part, folder);
    if (trained.is_null()) continue;
    out.trained.push_back(trained_from_json(trained));
    out.healed.push_back(healed_from_json(entry_of(cache, record, "healed" + part, folder)));
    out.trained.back().plan = out.healed.back().plan = plan;
  }
  const Json whole = entry_of(cache, record, "nf4", folder);
  if (whole.is_null()) return std::nullopt;
  out.whole = block_bytes_from_json(whole);
  return out;
}

}  // namespace

void save_run_record(const Run& run, const Json& entries) {
  const Json record = {{"entries", entries},
                       {"settings", run.settings.to_json()},
                       {"dtype", run.experiment.dtype},
                       {"device", run.experiment.device},
                       {"threads", run.experiment.threads},
                       {"model", to_json(run.model)},
                       {"environment", environment_json(run.environment)},
                       {"libraries", pairs_json(run.libraries)},
                       {"cost_refusal", run.cost_refusal},
                       {"memory", pairs_json(run.memory)},
                       {"text_licence", pairs_json(run.text_licence)},
                       {"warnings", run.warnings},
                       {"stages", stages_json(run.stages)},
                       {"command_line", run.command_line},
                       {"started", run.started},
                       {"finished", run.finished},
                       {"failure_code", run.failure_code}};
  write_file_atomically(std::filesystem::path(run.experiment.out) / ".stages" / kName,
                        with_checksum(record));
}

Run load_run(const std::string& folder) {
  if (!std::filesystem::is_directory(folder)) refuse(folder, "is no folder");
  const StageCache cache{std::filesystem::path(folder)};
  const auto record = read_with_checksum(cache.folder() / kName);
  if (!record) refuse(folder, "has no undamaged .stages/run.json");
  try {
    Run run;
    read_facts(*record, run);
    run.profile = profile_from_json(entry_of(cache, *record, "profile", folder));
    run.plans = plans_from_json(entry_of(cache, *record, "plans", folder));
    run.sweep = sweep_from_json(entry_of(cache, *record, "sweep", folder));
    const Json questions = entry_of(cache, *record, "questions", folder);
    if (!questions.is_null()) {
      run.questions = questions_from_json(questions);
      run.accuracy = summarise_questions(*run.questions, run.experiment.seed);
    }
    run.heal = heal_of(cache, *record, run, folder);
    const Json cost = entry_of(cache, *record, "cost", folder);
    if (!cost.is_null()) run.cost = cost_from_json(cost);
    const Json checks = entry_of(cache, *record, "reconnection", folder);
    if (!checks.is_null()) run.reconnection = reconnection_from_json(checks);
    const Json continuations = entry_of(cache, *record, "continuation", folder);
    if (!continuations.is_null()) run.continuations = continuation_from_json(continuations);
    return run;
  } catch (const nlohmann::json::exception& error) {
    refuse(folder, text("was written by another version (", error.what(), ")"));
  }
}

}  // namespace plumb::harness
