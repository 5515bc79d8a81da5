#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pruning/plan.h"

namespace plumb::pruning {

/// The plans of a sweep as a trie over the blocks that stay. A node is a distinct prefix of kept blocks; the root is
/// the empty prefix. A walk evaluates every node's block once, whatever the number of plans that share it.
struct TrieNode {
  int64_t block = -1;              ///< the block that leads here; -1 at the root
  std::vector<size_t> children;    ///< indices of nodes, by ascending block
  std::vector<size_t> plans;       ///< indices into the distinct plans that end here
};

struct DepthTrie {
  std::vector<TrieNode> nodes;                 ///< nodes[0] is the root
  std::vector<std::vector<int64_t>> distinct;  ///< kept blocks of each distinct plan
  std::vector<size_t> distinct_of;             ///< for each plan as asked: which distinct one it is

  int64_t block_evaluations() const { return static_cast<int64_t>(nodes.size()) - 1; }
};

DepthTrie make_trie(std::span<const PruningPlan> plans);

/// Block evaluations when every plan as asked runs alone; plans with n = 0 count once together.
int64_t block_evaluations_alone(std::span<const PruningPlan> plans);

}  // namespace plumb::pruning
