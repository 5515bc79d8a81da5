#include "pruning/strategy.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"

namespace plumb::pruning {
namespace {

/// What a strategy answers; the caller adds the rest of the plan.
struct Choice {
  std::vector<int64_t> removed;
  std::string evidence;
};

std::vector<int64_t> run_of_blocks(int64_t first, int64_t n) {
  std::vector<int64_t> blocks(static_cast<size_t>(n));
  std::iota(blocks.begin(), blocks.end(), first);
  return blocks;
}

const metrics::Profile& require_profile(const StrategyInputs& inputs, const char* strategy) {
  if (inputs.profile == nullptr)
    throw Error(ErrorKind::kUsage, text("the strategy '", strategy,
                                        "' needs a profile of the model; give documents for one"));
  const int64_t L = inputs.profile->before_norm.block_count();
  if (L != inputs.block_count || static_cast<int64_t>(inputs.profile->block_influence.size()) != L)
    throw Error(ErrorKind::kUsage, text("the profile is of a model with ", L,
                                        " blocks, the plan for one with ", inputs.block_count));
  return *inputs.profile;
}

Choice similarity(int64_t n, const StrategyInputs& inputs) {
  const auto& distances = require_profile(inputs, "similarity").before_norm;
  const int64_t first = distances.best_start(n);
  return {run_of_blocks(first, n),
          text("d(", n, ", ", first, ") = ", distances.mean(n, first), " half turns, the least of ",
               inputs.block_count - n + 1, " over ", distances.document_count(), " documents")};
}

Choice simple(int64_t n, const StrategyInputs& inputs) {
  return {run_of_blocks(inputs.block_count - 1 - n, n), "the deepest blocks but the last one"};
}

Choice deepest(int64_t n, const StrategyInputs& inputs) {
  return {run_of_blocks(inputs.block_count - n, n), "the deepest blocks, the last one among them"};
}

Choice random(int64_t n, const StrategyInputs& inputs) {
  Rng rng(inputs.seed, static_cast<uint64_t>(n));
  const uint64_t first = rng.below(static_cast<uint64_t>(inputs.block_count - n + 1));
  return {run_of_blocks(static_cast<int64_t>(first), n), text("drawn by seed ", inputs.seed)};
}

Choice block_influence(int64_t n, const StrategyInputs& inputs) {
  const auto& influence = require_profile(inputs, "block-influence").block_influence;
  std::vector<int64_t> order = run_of_blocks(0, inputs.block_count);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const double of_a = influence[static_cast<size_t>(a)], of_b = influence[static_cast<size_t>(b)];
    return of_a != of_b ? of_a < of_b : a > b;
  });
  order.resize(static_cast<size_t>(n));
  const double largest = influence[static_cast<size_t>(order.back())];
  std::sort(order.begin(), order.end());
  return {std::move(order), text("the ", n, " blocks of influence at most ", largest)};
}

Choice explicit_list(int64_t n, const StrategyInputs& inputs) {
  if (static_cast<int64_t>(inputs.explicit_blocks.size()) != n)
    throw Error(ErrorKind::kUsage,
                text("the explicit list has ", inputs.explicit_blocks.size(),
                     " blocks, but n = ", n, " was asked for; both must be the same"));
  std::vector<int64_t> blocks = inputs.explicit_blocks;
  std::sort(blocks.begin(), blocks.end());
  return {std::move(blocks), "the list that was given"};
}

/// One row a strategy; `choose` is called with n in 1..L-1.
struct Strategy {
  std::string name;
  Choice (*choose)(int64_t n, const StrategyInputs& inputs);
};

const std::array<Strategy, 6>& table() {
  static const std::array<Strategy, 6> rows{{{"similarity", similarity},
                                             {"simple", simple},
                                             {"deepest", deepest},
                                             {"random", random},
                                             {"block-influence", block_influence},
                                             {"explicit", explicit_list}}};
  return rows;
}

const Strategy& find(const std::string& name) {
  std::string known;
  for (const Strategy& strategy : table()) {
    if (strategy.name == name) return strategy;
    known += (known.empty() ? "" : ", ") + strategy.name;
  }
  throw Error(ErrorKind::kUsage, text("unknown strategy '", name, "'; known are ", known));
}

}  // namespace

PruningPlan make_plan(const std::string& strategy, int64_t n, const StrategyInputs& inputs) {
  const Strategy& row = find(strategy);
  if (n < 0 || n >= inputs.block_count)
    throw Error(ErrorKind::kUsage,
                text("n = ", n, " blocks are to be removed of ", inputs.block_count,
                     "; n must be in 0..", inputs.block_count - 1));
  PruningPlan plan{inputs.block_count, {}, row.name, "nothing is removed"};
  if (n > 0) {
    Choice choice = row.choose(n, inputs);
    plan.removed = std::move(choice.removed);
    plan.evidence = std::move(choice.evidence);
  }
  validate(plan);
  return plan;
}

std::span<const std::string> strategy_names() {
  static const auto names = [] {
    std::array<std::string, 6> all;
    std::transform(table().begin(), table().end(), all.begin(),
                   [](const Strategy& strategy) { return strategy.name; });
    return all;
  }();
  return names;
}

}  // namespace plumb::pruning
