#include "harness/pipeline/run.h"

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "harness/cli/signals.h"
#include "harness/pipeline/heal_stage.h"
#include "harness/pipeline/healing_summary.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/publish.h"
#include "harness/pipeline/questions_stage.h"
#include "harness/pipeline/run_record.h"
#include "harness/pipeline/stage_cache.h"
#include "harness/pipeline/stage_keys.h"
#include "harness/pipeline/stages.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

namespace {

/// One run in the making: stages come from the cache or are made and stored there.
class Runner {
 public:
  Runner(Run& run, const Console& console)
      : run_(run), console_(console), session_(run.experiment), cache_(run.experiment.out) {}

  Session& session() { return session_; }
  const StageCache& cache() const { return cache_; }

  /// `part`: of a stage that is run for several plans.
  template <typename Result, typename Read, typename Make>
  Result stage(const std::string& name, const Json& key, Read read, Make make,
               const std::string& part = "") {
    throw_if_interrupted();
    const std::string full = part.empty() ? name : name + " " + part;
    entries_[full] = StageCache::entry_name(name, key);
    if (const auto cached = cache_.load(name, key)) {
      try {
        Result result = read(*cached);
        note(full, result.seconds, true);
        return result;
      } catch (const std::exception&) {
        console_.warn(
            text("the saved result of stage ", full, " cannot be read; it is made again"));
      }
    }
    Result result = make();
    throw_if_interrupted();
    cache_.store(name, key, to_json(result));
    note(full, result.seconds, false);
    return result;
  }

  /// A stage that the machine may refuse: then there is a warning in place of a result.
  template <typename Result, typename Read, typename Make>
  std::optional<Result> optional_stage(const std::string& name, const Json& key, Read read,
                                       Make make) {
    try {
      return stage<Result>(name, key, read, make);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kResource) throw;
      entries_.erase(name);
      run_.warnings.push_back(text("stage ", name, " failed: ", error.what()));
      console_.warn(run_.warnings.back());
      run_.failure_code = error.exit_code();
      return std::nullopt;
    }
  }

  const Json& entries() const { return entries_; }

 private:
  void note(const std::string& name, double seconds, bool reused) {
    run_.stages.push_back({name, seconds, reused});
    std::string column = name;
    column.resize(std::max<size_t>(13, column.size()), ' ');
    console_.say(text(column, " ", reused ? "reused, took " : "", duration_text(seconds)));
  }

  Run& run_;
  const Console& console_;
  Session session_;
  StageCache cache_;
  Json entries_ = Json::object();
};

/// Licence and origin of the documents, where a manifest stands beside them.
Pairs text_licence(const Experiment& experiment) {
  const auto file =
      std::filesystem::path(experiment.validation.file).parent_path() / "manifest.json";
  if (!std::filesystem::is_regular_file(file)) return {};
  Pairs out;
  try {
    const Json manifest = parse_json(read_file(file));
    for (const auto& [key, value] : manifest.items())
      if (value.is_string()) out.emplace_back(key, value.get<std::string>());
  } catch (const Error& error) {
    out.emplace_back("manifest", text("cannot be read: ", error.what()));
  }
  return out;
}

/// The plans whose continuations are shown: those that are healed, else similarity's, or the first strategy's, of a quarter of the
/// blocks.
std::vector<pruning::PruningPlan> illustrated(const Run& run) {
  const Experiment& e = run.experiment;
  const auto healed = heal_counts(e, run.model.block_count);
  const auto has = [](const auto& list, const auto& one) {
    return std::find(list.begin(), list.end(), one) != list.end();
  };
  std::vector<pruning::PruningPlan> out;
  for (const pruning::PruningPlan& plan : run.plans.plans)
    if (healed.empty()
            ? plan.strategy ==
                      (has(e.strategies, "similarity") ? "similarity" : e.strategies.front()) &&
                  plan.removed_count() == std::max<int64_t>(1, run.model.block_count / 4)
            : has(e.heal.strategies, plan.strategy) && has(healed, plan.removed_count()))
      out.push_back(plan);
  return out;
}

Json continuation_key(const StageKeys& keys, const Run& run) {
  Json removed = Json::array();
  for (const pruning::PruningPlan& plan : illustrated(run))
    removed.push_back(plan.strategy + " " + plan.removed_text());
  return {{"common", keys.profile.at("common")},
          {"prompt", kIllustrationPrompt},
          {"tokens", kIllustrationTokens},
          {"removed", removed}};
}

/// The built-in experiment's text is where ./run was; elsewhere nothing is healed, and said so. Who names a text has it.
void drop_absent_healing(Run& run) {
  const bool built_in =
      run.settings.origin("heal.documents").find("fixtures/experiments/default.json") !=
      std::string::npos;
  HealChoice& heal = run.experiment.heal;
  if (!heal.is_asked() || !built_in || std::filesystem::exists(heal.documents)) return;
  run.warnings.push_back(text("nothing is healed: the default experiment's text '", heal.documents,
                              "' is not here; ./run makes it, or name one (heal.documents)"));
  heal.n.clear();
}

void warn_of_choices(Run& run) {
  run.warnings = run.environment.warnings;
  if (run.experiment.overlapping_documents())
    run.warnings.push_back(
        text("calibration: ", run.experiment.same_documents() ? "same" : "overlapping",
             " documents; the plans were chosen on text that they are judged on"));
  if (std::string left = heal_left_out(run.experiment, run.model.block_count); !left.empty())
    run.warnings.push_back(std::move(left));
  drop_absent_healing(run);
  if (!run.experiment.device_reason.empty())
    run.warnings.push_back(text("device auto took the CPU: ", run.experiment.device_reason));
  if (run.model.license.empty()) run.warnings.push_back("the model's file names no licence");
}

/// The stages of what is healed, plan by plan.
class Healer {
 public:
  Healer(Run& run, Runner& runner, const StageKeys& keys, const Console& console)
      : run_(run), runner_(runner), keys_(keys), console_(console) {
    healing_options(runner.session(), {});  // what is wrong with them is said before any work
  }

  /// What is wrong with the text is said before hours of work, where any training may be to come.
  void try_text() {
    const auto plans = runner_.cache().load("plans", keys_.plans);
    if (!plans || !all_trained(plans_from_json(*plans).plans)) read_text();
  }

  HealResult heal() {
    HealResult result;
    for (const pruning::PruningPlan& plan : run_.plans.plans)
      if (is_chosen(plan)) add(plan, result);
    result.whole = runner_.stage<BlockBytes>("nf4", keys_.nf4, block_bytes_from_json,
                                             [&] { return nf4_stage(runner_.session()); });
    return result;
  }

 private:
  void read_text() {
    if (!text_) text_ = heal_text(runner_.session());
  }

  bool all_trained(const std::vector<pruning::PruningPlan>& plans) const {
    return std::all_of(plans.begin(), plans.end(), [&](const pruning::PruningPlan& plan) {
      return !is_chosen(plan) ||
             runner_.cache().load("heal", heal_key(runner_.session(), plan, keys_.heal));
    });
  }

  bool is_chosen(const pruning::PruningPlan& plan) const {
    const auto has = [](const auto& list, const auto& one) {
      return std::find(list.begin(), list.end(), one) != list.end();
    };
    return has(run_.experiment.heal.strategies, plan.strategy) &&
           has(heal_counts(run_.experiment, run_.model.block_count), plan.removed_count());
  }

  void add(const pruning::PruningPlan& plan, HealResult& result) {
    Session& session = runner_.session();
    const std::string part = text(plan.strategy, " ", plan.removed_count());
    const Json key = heal_key(session, plan, keys_.heal);
    const std::string entry = StageCache::entry_name("heal", key);
    const auto folder = runner_.cache().folder() / entry;
    const Json measured = {{"adapter", entry}, {"how", keys_.healed}};
    const bool needs_adapter = !runner_.cache().load("healed", measured);
    result.trained.push_back(runner_.stage<TrainedPlan>(
        "heal", key,
        [&](const Json& json) {
          if (needs_adapter && !has_adapter(folder))
            throw Error(ErrorKind::kInput, "its adapter is gone");
          return trained_from_json(json);
        },
        [&] {
          read_text();
          return heal_stage(session, plan, *text_, folder, console_);
        },
        part));
    finish_heal_stage(folder);
    result.healed.push_back(runner_.stage<HealedPlan>(
        "healed", measured,
        [&](const Json& json) {
          HealedPlan healed = healed_from_json(json);
          require_documents(healed);
          return healed;
        },
        [&] { return healed_stage(session, plan, run_.sweep.text, folder, console_); }, part));
    result.trained.back().plan = result.healed.back().plan = plan;  // whoever was first with it
  }

  void require_documents(const HealedPlan& healed) const {
    if (healed.loss_nats.size() != run_.sweep.text.documents.size())
      throw Error(ErrorKind::kInput, "of other documents");
  }

  Run& run_;
  Runner& runner_;
  const StageKeys& keys_;
  const Console& console_;
  std::optional<HealingText> text_;
};

}  // namespace

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char out[32];
  std::strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return out;
}

Run execute(const Settings& settings, const std::string& program, const std::string& command_line,
            const Console& console) {
  Run run;
  run.settings = settings;
  run.experiment = make_experiment(run.settings);
  run.command_line = command_line;
  run.started = utc_now();
  const Experiment& e = run.experiment;
  try_writable_folder(e.out);
  find_model(run.experiment, console);
  remove_leftovers(e.out);
  Runner runner(run, console);
  Session& session = runner.session();
  run.model = model_facts(session.checkpoint(), e.model_origin);
  run.environment = environment();
  run.libraries = library_facts(e.device);
  run.text_licence = text_licence(e);
  warn_of_choices(run);
  const int64_t blocks = run.model.block_count;
  sweep_counts(e, blocks);  // what is out of range is said before any work
  cost_counts(e, blocks);
  const StageKeys keys = stage_keys(session, run.model, run.environment);

  // What is wrong with a question is said before hours of work, and nothing is asked twice.
  std::vector<AskedTask> asked;
  if (!keys.questions.is_null() && !runner.cache().load("questions", keys.questions))
    asked = ask_questions(session);
  say_detectable(asked, console);
  std::optional<Healer> healer;
  if (!heal_counts(e, blocks).empty()) {
    healer.emplace(run, runner, keys, console);
    healer->try_text();
  }

  run.profile = runner.stage<ProfileResult>("profile", keys.profile, profile_from_json,
                                            [&] { return profile_stage(session, console); });
  run.plans = runner.stage<PlanResult>("plans", keys.plans, plans_from_json,
                                       [&] { return plan_stage(e, blocks, &run.profile); });
  run.sweep = runner.stage<SweepResult>("sweep", keys.sweep, sweep_from_json, [&] {
    return sweep_stage(session, run.plans.plans, console);
  });
  if (!keys.questions.is_null()) {
    run.questions =
        runner.stage<QuestionsResult>("questions", keys.questions, questions_from_json, [&] {
          if (asked.empty()) asked = ask_questions(session);  // the saved result was damaged
          return questions_stage(session, std::move(asked), run.plans.plans, console);
        });
    run.accuracy = summarise_questions(*run.questions, e.seed);
  }
  run.reconnection = runner.optional_stage<ReconnectionResult>(
      "reconnection", keys.reconnection, reconnection_from_json,
      [&] { return reconnection_stage(session, runner.cache().folder().string(), console); });
  run.continuations = runner.optional_stage<ContinuationResult>(
      "continuation", continuation_key(keys, run), continuation_from_json,
      [&] { return continuation_stage(session, illustrated(run)); });
  if (session.has_memory_plan()) run.memory = memory_pairs(session.memory_plan());
  session.drop_decoder();  // the children need the memory, and so does a training
  if (healer) run.heal = healer->heal();
  if (run.heal) run.healed_accuracy = healed_summaries(*run.heal, run.accuracy, {.seed = e.seed});
  const std::string refusal = cost_refusal(e, session.checkpoint().config());
  if (!refusal.empty() && !runner.cache().load("cost", keys.cost))
    run.cost_refusal = text("the stage cost did not run: ", refusal);
  else
    run.cost = runner.optional_stage<CostResult>(
        "cost", keys.cost, cost_from_json, [&] { return cost_stage(e, blocks, program, console); });
  run.finished = utc_now();
  save_run_record(run, runner.entries());
  return run;
}

std::vector<Verdict> judge(const Run& run) {
  Measurements m;
  m.block_count = run.model.block_count;
  m.model = &run.model;
  m.profile = &run.profile;
  m.plans = &run.plans;
  m.sweep = &run.sweep;
  m.accuracy = &run.accuracy;
  m.healed_accuracy = &run.healed_accuracy;
  m.heal = run.heal ? &*run.heal : nullptr;
  m.cost = run.cost ? &*run.cost : nullptr;
  if (!run.cost_refusal.empty()) m.no_cost = run.cost_refusal;
  m.reconnection = run.reconnection ? &*run.reconnection : nullptr;
  m.draws = run.experiment.draws;
  m.seed = run.experiment.seed;
  return judge_claims(m, run.experiment.required_claims);
}

}  // namespace plumb::harness
