#include "harness/cli/sweep_output.h"

#include <cstdio>

#include "base/error.h"
#include "harness/pipeline/facts.h"
#include "metrics/cost/cost.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

Json measured_json(const std::optional<MeasuredMean>& measured) {
  if (!measured) return nullptr;
  return {{"mean", measured->mean},
          {"low", measured->interval.low},
          {"high", measured->interval.high},
          {"method", measured->interval.method}};
}

std::string shown(const std::optional<MeasuredMean>& measured) {
  return measured ? number_text(measured->mean, 4) : "-";
}

void add_losses(Json& json, const SweepResult& sweep, const std::vector<PlanLoss>& losses) {
  json["text"] = pairs_json(text_pairs(sweep.text));
  json["plans_distinct"] = sweep.losses.plans_distinct;
  json["block_evaluations"] = sweep.losses.block_evaluations;
  json["block_evaluations_alone"] = sweep.losses.block_evaluations_alone;
  json["positions_per_document"] = sweep.losses.positions_per_document;
  json["losses"] = Json::array();
  for (size_t i = 0; i < sweep.plans.size(); ++i)
    json["losses"].push_back({{"strategy", sweep.plans[i].strategy},
                              {"n", sweep.plans[i].removed_count()},
                              {"removed", sweep.plans[i].removed_text()},
                              {"loss_nats", losses[i].loss_nats},
                              {"normalised", losses[i].normalised},
                              {"low", losses[i].interval.low},
                              {"high", losses[i].interval.high},
                              {"perplexity", measured_json(losses[i].perplexity)},
                              {"kl_nats", measured_json(losses[i].divergence_nats)},
                              {"same_top1", measured_json(losses[i].same_top)}});
  if (!sweep.losses.divergence_nats) json["kl_nats_absent"] = kNoWholeModel;
}

void add_tasks(Json& json, const std::vector<Evaluated>& tasks) {
  // Every task has the same plans, so these are the numbers of each.
  const pruning::QuestionScores& scores = tasks.front().evaluation.scores;
  json["plans_distinct"] = scores.plans_distinct;
  json["block_evaluations"] = scores.block_evaluations;
  json["block_evaluations_alone"] = scores.block_evaluations_alone;
  json["tasks"] = Json::array();
  for (const Evaluated& task : tasks) json["tasks"].push_back(task_json(task));
}

/// What another run of the same may find otherwise: times, and memory.
Json run_json(Session& session, const SweepOutcome& outcome) {
  Json run = {{"resumed_steps", outcome.resumed_steps},
              {"processes", outcome.processes},
              {"memory", memory_json(session.memory_plan())}};
  if (const auto& sweep = outcome.losses) {
    run["spilled_bytes"] = sweep->losses.spilled_bytes;
    run["seconds"] = sweep->seconds;
    run["tokens_per_second"] = sweep->tokens_per_second;
    run["peak_resident_bytes"] = sweep->peak_resident_bytes;
  }
  if (!outcome.losses) run["peak_resident_bytes"] = metrics::peak_resident_bytes();
  for (const TaskEvaluation& e : outcome.evaluations)
    run["seconds_of_tasks"][e.asked.task.name] = e.seconds;
  return run;
}

void say_losses(const SweepOutcome& outcome, const Console& console) {
  const SweepResult& sweep = *outcome.losses;
  const auto& losses = outcome.plan_losses;
  console.say(
      "strategy             n  removed        nats  normalised  95 % interval   perplexity"
      "  KL nats  same top-1");
  for (size_t i = 0; i < sweep.plans.size(); ++i) {
    char line[160];
    std::snprintf(
        line, sizeof line, "%-17s %4d  %-12.12s %6.3f  %10.4f  %.4f..%.4f  %10.10s  %7.7s  %10.6s",
        sweep.plans[i].strategy.c_str(), static_cast<int>(sweep.plans[i].removed_count()),
        sweep.plans[i].removed_text().c_str(), losses[i].loss_nats, losses[i].normalised,
        losses[i].interval.low, losses[i].interval.high, shown(losses[i].perplexity).c_str(),
        shown(losses[i].divergence_nats).c_str(), shown(losses[i].same_top).c_str());
    console.say(line);
  }
  console.say(text(sweep.losses.block_evaluations, " block evaluations instead of ",
                   sweep.losses.block_evaluations_alone, " for ", sweep.losses.plans_distinct,
                   " distinct of ", asked_plans(sweep.plans), " plans, in ",
                   duration_text(sweep.seconds), "; calibration: ", outcome.chosen.calibration));
}

}  // namespace

Json sweep_json(Session& session, const SweepOutcome& outcome) {
  Json json = common_json(session.experiment(),
                          model_facts(session.checkpoint(), session.experiment().model_origin));
  json["calibration"] = outcome.chosen.calibration;
  json["policy"]["calibration"] = outcome.chosen.calibration;
  json["plans"] = asked_plans(outcome.chosen.plans);
  if (outcome.losses) add_losses(json, *outcome.losses, outcome.plan_losses);
  if (!outcome.tasks.empty()) add_tasks(json, outcome.tasks);
  json["run"] = run_json(session, outcome);
  return json;
}

void say_sweep(const SweepOutcome& outcome, const Console& console) {
  if (outcome.losses) say_losses(outcome, console);
  for (const Evaluated& task : outcome.tasks) say_accuracies(task, console);
}

}  // namespace plumb::harness
