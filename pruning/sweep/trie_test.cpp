#include "pruning/sweep/trie.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "base/rng.h"
#include "pruning/strategy.h"

namespace plumb::pruning {
namespace {

PruningPlan contiguous(int64_t L, int64_t first, int64_t n) {
  PruningPlan plan{L, {}, "explicit", ""};
  for (int64_t block = first; block < first + n; ++block) plan.removed.push_back(block);
  return plan;
}

/// n = 0 once, then n = 1.. of the given starts and of `simple`.
std::vector<PruningPlan> both_strategies(int64_t L, const std::vector<int64_t>& starts) {
  std::vector<PruningPlan> plans{contiguous(L, 0, 0)};
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto n = static_cast<int64_t>(i) + 1;
    plans.push_back(contiguous(L, starts[i], n));
    plans.push_back(make_plan("simple", n, {L, nullptr, 0, {}}));
  }
  return plans;
}

std::vector<PruningPlan> published(const std::string& model) {
  const auto claims = parse_json(
      read_file(std::string(PLUMB_SOURCE_DIR) + "/fixtures/claims/published_starts.json"));
  for (const auto& entry : claims.at("models"))
    if (entry.at("model") == model)
      return both_strategies(entry.at("block_count").get<int64_t>(),
                             entry.at("first").get<std::vector<int64_t>>());
  throw std::out_of_range(model);
}

std::vector<PruningPlan> random_plans(uint64_t seed, int64_t L, size_t count) {
  Rng rng(seed);
  std::vector<PruningPlan> plans;
  while (plans.size() < count) {
    PruningPlan plan{L, {}, "explicit", ""};
    for (int64_t block = 0; block + 1 < L; ++block)
      if (rng.below(2) == 0) plan.removed.push_back(block);
    plans.push_back(std::move(plan));
  }
  return plans;
}

/// Walks as a sweep does and counts activations by hand: what the trie says must be what is held.
class Walker {
 public:
  explicit Walker(const DepthTrie& trie) : trie_(trie) { visit(0, {}); }
  int64_t peak = 0;
  int64_t evaluations = -1;  // the root is none
  std::vector<std::vector<int64_t>> reached;

 private:
  void visit(size_t index, std::vector<int64_t> prefix) {
    const TrieNode& node = trie_.nodes[index];
    if (node.block >= 0) prefix.push_back(node.block);
    ++evaluations;
    peak = std::max(peak, ++alive_);
    for (const size_t plan : node.plans) {
      EXPECT_EQ(trie_.distinct[plan], prefix);
      reached.push_back(prefix);
    }
    for (const size_t child : node.children) {
      const bool last = child == node.children.back();
      if (last) --alive_;  // handed over
      visit(child, prefix);
      if (last) return;
    }
    --alive_;
  }

  const DepthTrie& trie_;
  int64_t alive_ = 0;
};

class DepthTrieOf : public ::testing::TestWithParam<uint64_t> {};  // parameter: seed

TEST_P(DepthTrieOf, RandomPlansReachesEveryDistinctPlanOnceAndNoPrefixTwice) {
  const auto plans = random_plans(GetParam(), 2 + static_cast<int64_t>(GetParam() % 7), 40);
  const DepthTrie trie = make_trie(plans);
  const Walker walker(trie);
  std::set<std::vector<int64_t>> expected, prefixes;
  for (size_t i = 0; i < plans.size(); ++i) {
    const auto kept = plans[i].kept();
    EXPECT_EQ(trie.distinct[trie.distinct_of[i]], kept);
    expected.insert(kept);
    for (size_t end = 1; end <= kept.size(); ++end)
      prefixes.emplace(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(end));
  }
  EXPECT_EQ(trie.distinct.size(), expected.size());
  EXPECT_EQ(walker.reached.size(), expected.size());
  EXPECT_EQ(trie.block_evaluations(), static_cast<int64_t>(prefixes.size()));
  EXPECT_EQ(walker.evaluations, trie.block_evaluations());
  EXPECT_EQ(walker.peak, trie.peak_activations());
}

TEST_P(DepthTrieOf, AnyStartsAndSimpleCostsAtMostWhatEachRunAloneDoes) {
  Rng rng(GetParam());
  std::vector<int64_t> starts;
  for (int64_t n = 1; n <= 28; ++n)
    starts.push_back(static_cast<int64_t>(rng.below(static_cast<uint64_t>(30 - n + 1))));
  const auto plans = both_strategies(30, starts);
  EXPECT_EQ(plans.size(), 57u);
  EXPECT_EQ(block_evaluations_alone(plans), 898);
  EXPECT_LT(make_trie(plans).block_evaluations(), 898);
}

INSTANTIATE_TEST_SUITE_P(Seeds, DepthTrieOf, ::testing::Range<uint64_t>(0, 30));

TEST(DepthTrie, OfAllSimplePlansIsTwoPassesAndTwoActivations) {
  std::vector<PruningPlan> plans;
  for (int64_t n = 0; n < 30; ++n) plans.push_back(make_plan("simple", n, {30, nullptr, 0, {}}));
  const DepthTrie trie = make_trie(plans);
  // The prefix 0..28, and the last block behind each of its 30 beginnings, the empty one included.
  EXPECT_EQ(trie.block_evaluations(), 29 + 30);
  EXPECT_EQ(trie.peak_activations(), 2);
}

TEST(DepthTrie, OfThePublishedStartsOfLlamaTwoSevenBillion) {
  const auto plans = published("Llama-2-7B");
  EXPECT_EQ(plans.size(), 49u);
  EXPECT_EQ(make_trie(plans).block_evaluations(), 179);
  EXPECT_EQ(block_evaluations_alone(plans), 968);
}

TEST(DepthTrie, OfThePublishedStartsOfLlamaTwoSeventyBillion) {
  const auto plans = published("Llama-2-70B");
  EXPECT_EQ(plans.size(), 129u);
  EXPECT_EQ(make_trie(plans).block_evaluations(), 612);
  EXPECT_EQ(block_evaluations_alone(plans), 6160);
  EXPECT_LE(make_trie(plans).peak_activations(), 3);
}

TEST(DepthTrie, EvaluatesEqualPlansOnceAndRemembersWhoAsked) {
  const std::vector<PruningPlan> plans{contiguous(5, 2, 2), contiguous(5, 0, 0),
                                       contiguous(5, 2, 2), contiguous(5, 4, 0)};
  const DepthTrie trie = make_trie(plans);
  EXPECT_EQ(trie.distinct.size(), 2u);
  EXPECT_EQ(trie.distinct_of, (std::vector<size_t>{0, 1, 0, 1}));
  EXPECT_EQ(block_evaluations_alone(plans), 3 + 5 + 3);
}

TEST(DepthTrie, RefusesPlansForDifferentModels) {
  const std::vector<PruningPlan> plans{contiguous(5, 2, 2), contiguous(6, 2, 2)};
  EXPECT_THROW(make_trie(plans), Error);
}

}  // namespace
}  // namespace plumb::pruning
