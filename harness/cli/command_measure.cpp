#include <algorithm>

#include "base/error.h"
#include "base/statistics/summary.h"
#include "harness/cli/common.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/stages.h"
#include "harness/pipeline/tables.h"

namespace plumb::harness {

namespace {

std::vector<Flag> flags() {
  return model_flags() +
         std::vector<Flag>{
             {"--n", "RANGE", "cost.n", "blocks removed, such as 0,7,14; default five values"},
             {"--prefill-tokens", "T", "cost.prefill_tokens", "tokens of the timed prefill"},
             {"--decode-context", "T", "cost.decode_context",
              "tokens in the cache before decoding"},
             {"--decode-tokens", "T", "cost.decode_tokens", "tokens of a timed decoding"},
             {"--repetitions", "R", "cost.repetitions", "timed repetitions"}};
}

int run_measure(const Arguments& arguments, const Console& console) {
  Settings settings = settings_from(arguments, flags());
  Experiment experiment = make_experiment(settings);
  const std::string out = require_out(experiment);
  find_model(experiment, console);
  const auto checkpoint = models::Checkpoint::open(experiment.model);
  if (const std::string refusal = cost_refusal(experiment, checkpoint.config()); !refusal.empty())
    throw Error(ErrorKind::kResource, refusal);
  const auto cost =
      cost_stage(experiment, checkpoint.config().block_count, "/proc/self/exe", console);

  auto json = common_json(experiment, model_facts(checkpoint, experiment.model_origin));
  json.erase("policy");
  json["cost"] = to_json(cost);
  std::vector<NamedFile> files = {cost_file(cost), {"cost.json", json.dump(2) + "\n"}};
  publish(files, out);
  console.result(json);
  console.say("    n   weights      peak     prefill  decode (medians)");
  for (const CostPoint& point : cost.points) {
    char line[160];
    std::snprintf(line, sizeof line, "%5d %9s %9s %8.1f ms %5.2f ms/token",
                  static_cast<int>(point.n), bytes_text(point.cost.weight_bytes).c_str(),
                  bytes_text(point.cost.peak_resident_bytes).c_str(), median(point.cost.prefill_ms),
                  median(point.cost.decode_ms_per_token));
    console.say(line);
  }
  console.say(wrote(files, out));
  return 0;
}

int run_measure_one(const Arguments& arguments, const Console& console) {
  Settings settings = settings_from(arguments, measure_one_command().flags);
  const Experiment experiment = make_experiment(settings);
  const CostPoint point = measure_one(experiment, whole_number(arguments, "--n", 0));
  console.result({{"removed", point.removed},
                  {"peak_excludes_loading", point.peak_excludes_loading},
                  {"cost", to_json(point.cost)}});
  return 0;
}

}  // namespace

Command measure_command() {
  return {"measure", "memory and latency against blocks removed, each in a process of its own",
          "plumb measure --model model.gguf --n 0,7,14 --out cost", flags(), run_measure};
}

Command measure_one_command() {
  std::vector<Flag> own = flags();
  for (Flag& flag : own)
    if (flag.name == "--n") flag.setting.clear();
  return {"measure-one",
          "one configuration of measure, in this process",
          "plumb measure-one --model model.gguf --n 7",
          own,
          run_measure_one,
          true};
}

}  // namespace plumb::harness
