#include "harness/cli/common.h"
#include "harness/pipeline/measure_child.h"
#include "pruning/plan.h"

namespace plumb::harness {

namespace {

std::vector<Flag> flags() {
  return model_flags() +
         std::vector<Flag>{{"--blocks", "LIST", "", "blocks to remove; none: the whole model"},
                           {"--context", "T", "", "tokens of a prompt"},
                           {"--batch", "B", "", "prompts that run together"},
                           {"--tokens", "N", "", "tokens written after each prompt"},
                           {"--repetitions", "R", "cost.repetitions", "timed repetitions"},
                           {"--prompts", "FILE", "", "JSON array of arrays of token ids"},
                           {"--read-speed", "", "", "measure the memory's speed as well"}};
}

int run_measure_child(const Arguments& arguments, const Console& console) {
  Settings settings = settings_from(arguments, flags());
  const Experiment experiment = make_experiment(settings);
  ChildRequest request;
  if (const auto blocks = arguments.get("--blocks"))
    request.removed = pruning::parse_block_list(*blocks);
  request.context = whole_number(arguments, "--context", 1);
  request.batch = whole_number(arguments, "--batch", 1);
  request.tokens = whole_number(arguments, "--tokens", 2);
  request.repetitions = experiment.repetitions;
  request.prompts_file = arguments.get("--prompts").value_or("");
  request.read_speed = arguments.has("--read-speed");
  console.result(measure_child(experiment, request));
  return 0;
}

}  // namespace

Command measure_child_command() {
  return {"measure-child",
          "one configuration of measure, in this process",
          "plumb measure-child --model model.gguf --context 256 --batch 1 --tokens 64",
          flags(),
          run_measure_child,
          true};
}

}  // namespace plumb::harness
