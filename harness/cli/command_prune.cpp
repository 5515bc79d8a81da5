#include "base/error.h"
#include "harness/cli/common.h"
#include "harness/cli/signals.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/tables.h"
#include "pruning/apply.h"
#include "pruning/plan.h"
#include "pruning/strategy.h"

namespace plumb::harness {

namespace {

constexpr uint64_t kShardBytes = uint64_t{5} << 30;  // as transformers cuts

std::vector<Flag> flags() {
  return {{"--model", "MODEL", "",
           "a GGUF file, a folder with config.json and safetensors, or org/name[@revision]"},
          {"--out", "DIR", "", "folder of the pruned model; new or empty"},
          {"--first", "F", "", "first block to remove, from 0"},
          {"--n", "N", "", "how many blocks to remove: from --first on, or as --strategy chooses"},
          {"--strategy", "NAME", "", "simple, random, or similarity (with --plans)"},
          {"--plans", "FILE", "", "plans.csv of `plumb profile`, for the strategy similarity"},
          {"--seed", "S", "", "of the strategy random; default 0"},
          {"--blocks", "LIST", "", "blocks to remove, ranges inclusive, such as 3,7-9"},
          {"--bf16", "", "", "store quantised weights as bf16 rather than F32"}};
}

std::vector<int64_t> removed_blocks(const Arguments& arguments, int64_t block_count) {
  if (arguments.has("--blocks")) {
    if (arguments.has("--first") || arguments.has("--n"))
      throw Error(ErrorKind::kUsage, "--blocks and --first/--n were given, needed one of them");
    return pruning::parse_block_list(arguments.require("--blocks"));
  }
  if (!arguments.has("--first") && !arguments.has("--n"))
    throw Error(
        ErrorKind::kUsage,
        "no blocks were named, needed --first F --n N, --strategy NAME --n N or --blocks LIST");
  const int64_t first = whole_number(arguments, "--first", 0);
  const int64_t n = whole_number(arguments, "--n", 1);
  if (n >= block_count)
    throw Error(ErrorKind::kUsage, text("--n is ", n, ", needed 1..", block_count - 1,
                                        " for a model of ", block_count, " blocks"));
  if (first > block_count - n)
    throw Error(ErrorKind::kUsage, text("--first is ", first, ", needed 0..", block_count - n,
                                        " to remove ", n, " of ", block_count, " blocks"));
  std::vector<int64_t> removed;
  for (int64_t block = first; block < first + n; ++block) removed.push_back(block);
  return removed;
}

pruning::PruningPlan similarity_plan(const Arguments& arguments, int64_t n, int64_t block_count) {
  const auto file = arguments.get("--plans");
  if (!file)
    throw Error(ErrorKind::kUsage,
                "the strategy similarity was asked for without --plans, needed the plans.csv that "
                "`plumb profile` writes");
  for (const auto& plan : read_plans_csv(*file, block_count))
    if (plan.removed_count() == n) return plan;
  throw Error(ErrorKind::kUsage, text("'", printable(*file), "' has no plan for n = ", n,
                                      "; name another --n or file"));
}

pruning::PruningPlan strategy_plan(const Arguments& arguments, int64_t block_count) {
  const std::string strategy = arguments.require("--strategy");
  for (const char* other : {"--first", "--blocks"})
    if (arguments.has(other))
      throw Error(ErrorKind::kUsage,
                  text("--strategy and ", other, " were given, needed one of them"));
  if (strategy != "simple" && strategy != "random" && strategy != "similarity")
    throw Error(ErrorKind::kUsage, text("--strategy is '", printable(strategy),
                                        "', needed simple, random or similarity; "
                                        "the blocks of any other plan go to --blocks, as loss.csv "
                                        "of `plumb sweep` lists them"));
  const int64_t n = whole_number(arguments, "--n", 1);
  if (n >= block_count)
    throw Error(ErrorKind::kUsage, text("--n is ", n, ", needed 1..", block_count - 1,
                                        " for a model of ", block_count, " blocks"));
  if (strategy == "similarity") return similarity_plan(arguments, n, block_count);
  pruning::StrategyInputs inputs;
  inputs.block_count = block_count;
  if (arguments.has("--seed"))
    inputs.seed = static_cast<uint64_t>(whole_number(arguments, "--seed", 0));
  return pruning::make_plan(strategy, n, inputs);
}

pruning::PruningPlan chosen_plan(const Arguments& arguments, int64_t block_count) {
  if (arguments.has("--strategy")) return strategy_plan(arguments, block_count);
  for (const char* other : {"--plans", "--seed"})
    if (arguments.has(other))
      throw Error(ErrorKind::kUsage,
                  text(other, " was given without --strategy, which it belongs to"));
  pruning::PruningPlan plan{block_count, removed_blocks(arguments, block_count), "explicit",
                            "named on the command line"};
  pruning::validate(plan);
  return plan;
}

int run_prune(const Arguments& arguments, const Console& console) {
  const std::string out = arguments.require("--out");
  const LocalModel found = local_model(arguments.get("--model").value_or(""), console);
  const std::string model = found.path.string();
  const auto checkpoint = models::Checkpoint::open(model);
  const int64_t blocks = checkpoint.config().block_count;
  const pruning::PruningPlan plan = chosen_plan(arguments, blocks);
  throw_if_interrupted();
  const double error = pruning::write_pruned(checkpoint, model, plan, out, arguments.has("--bf16"),
                                             kShardBytes, throw_if_interrupted, found.origin);
  console.result({{"out", out},
                  {"strategy", plan.strategy},
                  {"removed", plan.removed},
                  {"blocks_before", blocks},
                  {"blocks_after", blocks - plan.removed_count()},
                  {"base_sha256", checkpoint.sha256()},
                  {"base_origin", origin_json(found.origin)},
                  {"largest_rounding_error", error}});
  console.say(text("removed blocks ", plan.removed_text(), " of ", blocks, "; ",
                   blocks - plan.removed_count(), " stay"));
  if (error > 0) console.say(text("largest error of rounding to bf16: ", number_text(error)));
  console.say(text("wrote ", printable(out)));
  return 0;
}

}  // namespace

Command prune_command() {
  return {"prune", "write the model without some of its blocks, as transformers loads it",
          "plumb prune --model model.gguf --first 20 --n 7 --out pruned", flags(), run_prune};
}

}  // namespace plumb::harness
