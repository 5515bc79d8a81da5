#include <algorithm>

#include "base/error.h"
#include "harness/cli/common.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/stages.h"
#include "harness/pipeline/sweep_plans.h"
#include "harness/pipeline/tables.h"

namespace plumb::harness {

namespace {

std::vector<Flag> flags() {
  return model_flags() +
         std::vector<Flag>{
             {"--documents", "FILE", "validation.documents", "JSONL with `text` (.gz too) or text"},
             {"--max-tokens", "T", "validation.max_tokens calibration.max_tokens",
              "cut documents to T tokens"},
             {"--limit", "N", "validation.limit calibration.limit",
              "the first N documents with T tokens"},
             {"--calibration", "FILE", "calibration.documents",
              "text that the plans are chosen on; default: --documents, and every output says so"},
             {"--calibration-limit", "N", "calibration.limit", "documents of it; default --limit"},
             {"--plans", "FILE", "", "plans.csv of `plumb profile` for the strategy similarity"},
             {"--strategies", "LIST", "sweep.strategies",
              "similarity, simple, random, block-influence; default similarity,simple"},
             {"--n", "RANGE", "sweep.n", "blocks removed, such as 0-28 or 0-28:2; default 0..L-2"},
             {"--positions", "P", "sweep.positions",
              "loss at P random positions of a document; default 0: all"},
             {"--special-tokens", "", "special_tokens", "add BOS or EOS as the tokenizer says"},
             {"--documents-per-step", "B", "documents_per_step", "documents in every product"}};
}

nlohmann::ordered_json summary(Session& session, const SweepPlans& chosen, const SweepResult& sweep,
                               const std::vector<PlanLoss>& losses) {
  auto json = common_json(session.experiment(),
                          model_facts(session.checkpoint(), session.experiment().model_origin));
  json["text"] = pairs_json(text_pairs(sweep.text));
  json["calibration"] = chosen.calibration;
  json["policy"]["calibration"] = chosen.calibration;
  json["plans"] = asked_plans(sweep.plans);
  json["plans_distinct"] = sweep.losses.plans_distinct;
  json["block_evaluations"] = sweep.losses.block_evaluations;
  json["block_evaluations_alone"] = sweep.losses.block_evaluations_alone;
  json["positions_per_document"] = sweep.losses.positions_per_document;
  json["memory"] = memory_json(session.memory_plan());
  json["spilled_bytes"] = sweep.losses.spilled_bytes;
  json["seconds"] = sweep.seconds;
  json["tokens_per_second"] = sweep.tokens_per_second;
  json["peak_resident_bytes"] = sweep.peak_resident_bytes;
  json["losses"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < sweep.plans.size(); ++i)
    json["losses"].push_back({{"strategy", sweep.plans[i].strategy},
                              {"n", sweep.plans[i].removed_count()},
                              {"removed", sweep.plans[i].removed_text()},
                              {"loss_nats", losses[i].loss_nats},
                              {"normalised", losses[i].normalised},
                              {"low", losses[i].interval.low},
                              {"high", losses[i].interval.high}});
  return json;
}

void say_losses(const SweepResult& sweep, const std::vector<PlanLoss>& losses,
                const Console& console) {
  console.say("strategy             n  removed        nats  normalised  95 % interval");
  for (size_t i = 0; i < sweep.plans.size(); ++i) {
    char line[160];
    std::snprintf(line, sizeof line, "%-17s %4d  %-12.12s %6.3f  %10.4f  %.4f..%.4f",
                  sweep.plans[i].strategy.c_str(), static_cast<int>(sweep.plans[i].removed_count()),
                  sweep.plans[i].removed_text().c_str(), losses[i].loss_nats, losses[i].normalised,
                  losses[i].interval.low, losses[i].interval.high);
    console.say(line);
  }
}

int run_sweep(const Arguments& arguments, const Console& console) {
  Settings settings = settings_from(arguments, flags());
  Experiment experiment = make_experiment(settings);
  const std::string out = require_out(experiment);
  find_model(experiment, console);
  Session session(experiment);
  const SweepPlans chosen = choose_plans(session, arguments.get("--plans"), console);
  const SweepResult sweep = sweep_stage(session, chosen.plans, console);
  const auto losses = losses_of(sweep, {.draws = experiment.draws, .seed = experiment.seed});

  const auto json = summary(session, chosen, sweep, losses);
  auto files = sweep_files(sweep, losses);
  files.emplace_back("sweep.json", json.dump(2) + "\n");
  publish(files, out);
  console.result(json);
  say_losses(sweep, losses, console);
  console.say(text(sweep.losses.block_evaluations, " block evaluations instead of ",
                   sweep.losses.block_evaluations_alone, " for ", sweep.losses.plans_distinct,
                   " distinct of ", asked_plans(sweep.plans), " plans, in ",
                   duration_text(sweep.seconds), "; calibration: ", chosen.calibration));
  console.say(wrote(files, out));
  return 0;
}

}  // namespace

Command sweep_command() {
  return {"sweep", "loss of every plan of every strategy, in one walk over the model",
          "plumb sweep --model model.gguf --documents text.jsonl --max-tokens 256 --limit 24 "
          "--strategies similarity,simple --n 0-28 --out sweep",
          flags(), run_sweep};
}

}  // namespace plumb::harness
