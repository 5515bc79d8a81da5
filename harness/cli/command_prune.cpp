#include "base/error.h"
#include "harness/cli/chosen_plan.h"
#include "harness/cli/signals.h"
#include "harness/healing/merge.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/model_source.h"
#include "pruning/apply.h"

namespace plumb::harness {

namespace {

const std::vector<std::string> kFormats{"safetensors", "gguf"};
constexpr uint64_t kShardBytes = uint64_t{5} << 30;  // as transformers cuts

std::vector<Flag> prune_flags() {
  return std::vector<Flag>{
             {"--model", "MODEL", "",
              "a GGUF file, a folder with config.json and safetensors, or org/name[@revision]"},
             {"--out", "DIR", "",
              "folder of the pruned model, new or empty; of --format gguf a new file that ends in "
              ".gguf"}} +
         block_flags() +
         std::vector<Flag>{
             {"--seed", "S", "", "of the strategy random; default 0"},
             {"--bf16", "", "", "store quantised weights that are decoded as bf16 rather than F32"},
             {"--adapter", "DIR", "",
              "a PEFT adapter of the pruned model; of `plumb heal` it also says which blocks go"},
             {"--merge", "", "", "add the adapter to the weights"}};
}

/// The blocks that the command line names; else those that the adapter was made without.
pruning::PruningPlan plan_of(const Arguments& arguments, const models::Checkpoint& checkpoint) {
  const int64_t blocks = checkpoint.config().block_count;
  if (arguments.has("--seed") && !arguments.has("--strategy"))
    throw Error(ErrorKind::kUsage, "--seed was given without --strategy, which it belongs to");
  if (arguments.has("--adapter") != arguments.has("--merge"))
    throw Error(ErrorKind::kUsage, "--adapter and --merge belong together");
  bool named = false;
  for (const Flag& flag : block_flags()) named = named || arguments.has(flag.name);
  if (arguments.has("--adapter") && !named)
    if (auto plan = plan_of_adapter(arguments.require("--adapter"), checkpoint)) return *plan;
  return chosen_plan(arguments, blocks);
}

int run_prune(const Arguments& arguments, const Console& console) {
  const std::string out = arguments.require("--out");
  const LocalModel found = local_model(arguments.get("--model").value_or(""), console);
  const std::string model = found.path.string();
  const auto checkpoint = models::Checkpoint::open(model);
  const int64_t blocks = checkpoint.config().block_count;
  const pruning::PruningPlan plan = plan_of(arguments, checkpoint);
  std::optional<healing::PeftAdapter> adapter;
  models::ModelConfig pruned = checkpoint.config();
  pruned.block_count -= plan.removed_count();
  if (const auto folder = arguments.get("--adapter"))
    adapter = healing::read_peft_adapter(*folder, pruned);
  throw_if_interrupted();
  const auto change = adapter ? merging(*adapter, pruned) : pruning::WeightChange();
  const std::string format = arguments.get(kFileFormat).value_or(kFormats.front());
  const bool bf16 = arguments.has("--bf16");
  const double error = format == "gguf"
                           ? pruning::write_pruned_gguf(checkpoint, model, plan, out, bf16,
                                                        throw_if_interrupted, found.origin, change)
                           : pruning::write_pruned(checkpoint, model, plan, out, bf16, kShardBytes,
                                                   throw_if_interrupted, found.origin, change);
  console.result({{"out", out},
                  {"strategy", plan.strategy},
                  {"removed", plan.removed},
                  {"blocks_before", blocks},
                  {"blocks_after", blocks - plan.removed_count()},
                  {"base_sha256", checkpoint.sha256()},
                  {"base_origin", origin_json(found.origin)},
                  {"merged", adapter.has_value()},
                  {"format", format},
                  {"largest_rounding_error", error}});
  console.say(text("removed blocks ", plan.removed_text(), " of ", blocks, "; ",
                   blocks - plan.removed_count(), " stay"));
  if (error > 0) console.say(text("largest error of rounding to bf16: ", number_text(error)));
  console.say(text("wrote ", printable(out)));
  return 0;
}

}  // namespace

Command prune_command() {
  return {
      .name = "prune",
      .summary = "write the model without some of its blocks, as transformers or llama.cpp load it",
      .example = "plumb prune --model model.gguf --first 20 --n 7 --out pruned",
      .flags = prune_flags(),
      .run = run_prune,
      .file_formats = kFormats};
}

}  // namespace plumb::harness
