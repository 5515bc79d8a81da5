#include "harness/cli/chosen_plan.h"

#include "base/error.h"
#include "harness/pipeline/tables.h"
#include "pruning/strategy.h"

namespace plumb::harness {

std::vector<Flag> block_flags() {
  return {{"--first", "F", "", "first block to remove, from 0"},
          {"--n", "N", "", "how many blocks to remove: from --first on, or as --strategy chooses"},
          {"--strategy", "NAME", "", "simple, random, or similarity (with --plans)"},
          {"--plans", "FILE", "", "plans.csv of `plumb profile`, for the strategy similarity"},
          {"--blocks", "LIST", "", "blocks to remove, ranges inclusive, such as 3,7-9"}};
}

namespace {

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

}  // namespace

pruning::PruningPlan chosen_plan(const Arguments& arguments, int64_t block_count) {
  if (arguments.has("--strategy")) return strategy_plan(arguments, block_count);
  if (arguments.has("--plans"))
    throw Error(ErrorKind::kUsage, "--plans was given without --strategy, which it belongs to");
  pruning::PruningPlan plan{block_count, removed_blocks(arguments, block_count), "explicit",
                            "named on the command line"};
  pruning::validate(plan);
  return plan;
}

}  // namespace plumb::harness
