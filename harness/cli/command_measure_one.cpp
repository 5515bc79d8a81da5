#include "harness/cli/common.h"
#include "harness/pipeline/stages.h"

namespace plumb::harness {

namespace {

std::vector<Flag> flags() {
  return model_flags() +
         std::vector<Flag>{
             {"--n", "N", "", "blocks removed"},
             {"--prefill-tokens", "T", "cost.prefill_tokens", "tokens of the timed prefill"},
             {"--decode-context", "T", "cost.decode_context",
              "tokens in the cache before decoding"},
             {"--decode-tokens", "T", "cost.decode_tokens", "tokens of a timed decoding"},
             {"--repetitions", "R", "cost.repetitions", "timed repetitions"}};
}

int run_measure_one(const Arguments& arguments, const Console& console) {
  Settings settings = settings_from(arguments, flags());
  const Experiment experiment = make_experiment(settings);
  const CostPoint point = measure_one(experiment, whole_number(arguments, "--n", 0));
  console.result({{"removed", point.removed},
                  {"peak_excludes_loading", point.peak_excludes_loading},
                  {"cost", to_json(point.cost)}});
  return 0;
}

}  // namespace

Command measure_one_command() {
  return {"measure-one",
          "one configuration of a run's cost, in this process",
          "plumb measure-one --model model.gguf --n 7",
          flags(),
          run_measure_one,
          true};
}

}  // namespace plumb::harness
