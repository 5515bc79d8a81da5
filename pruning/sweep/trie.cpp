#include "pruning/sweep/trie.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace plumb::pruning {
namespace {

size_t child_of(DepthTrie& trie, size_t node, int64_t block) {
  for (const size_t child : trie.nodes[node].children)
    if (trie.nodes[child].block == block) return child;
  const size_t child = trie.nodes.size();
  trie.nodes.push_back({.block = block, .children = {}, .plans = {}});
  trie.nodes[node].children.push_back(child);
  return child;
}

/// Fills `activations` and orders children. A node's own activation is needed until its last child
/// takes it over, so every other child stands on top of it.
void order_children(DepthTrie& trie, size_t index) {
  TrieNode& node = trie.nodes[index];
  std::sort(node.children.begin(), node.children.end(), [&](size_t a, size_t b) {
    const TrieNode &x = trie.nodes[a], &y = trie.nodes[b];
    return x.activations != y.activations ? x.activations < y.activations : x.block < y.block;
  });
  for (const size_t child : node.children) {
    const int64_t below = trie.nodes[child].activations;
    node.activations =
        std::max(node.activations, child == node.children.back() ? below : below + 1);
  }
}

}  // namespace

size_t DepthTrie::asked(size_t plan) const {
  return static_cast<size_t>(std::find(distinct_of.begin(), distinct_of.end(), plan) -
                             distinct_of.begin());
}

DepthTrie make_trie(std::span<const PruningPlan> plans) {
  DepthTrie trie;
  trie.nodes.emplace_back();
  std::map<std::vector<int64_t>, size_t> known;
  for (const PruningPlan& plan : plans) {
    validate(plan);
    if (plan.block_count != plans.front().block_count)
      throw Error(ErrorKind::kUsage, text("plans for ", plans.front().block_count, " and for ",
                                          plan.block_count, " blocks cannot share a sweep"));
    const auto [entry, is_new] = known.try_emplace(plan.kept(), trie.distinct.size());
    trie.distinct_of.push_back(entry->second);
    if (!is_new) continue;
    size_t node = 0;
    for (const int64_t block : entry->first) node = child_of(trie, node, block);
    trie.nodes[node].plans.push_back(entry->second);
    trie.distinct.push_back(entry->first);
  }
  // Children come after their parents, so from the back every child is ready before its parent.
  for (size_t index = trie.nodes.size(); index-- > 0;) order_children(trie, index);
  return trie;
}

int64_t block_evaluations_alone(std::span<const PruningPlan> plans) {
  int64_t evaluations = 0;
  bool whole_model_counted = false;
  for (const PruningPlan& plan : plans) {
    if (plan.removed.empty() && whole_model_counted) continue;
    whole_model_counted |= plan.removed.empty();
    evaluations += plan.block_count - plan.removed_count();
  }
  return evaluations;
}

}  // namespace plumb::pruning
