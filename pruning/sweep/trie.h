#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pruning/plan.h"

namespace plumb::pruning {

/// The plans of a sweep as a trie over the blocks that stay. A node is a distinct prefix of kept
/// blocks; the root is the empty prefix. A walk evaluates every node's block once, whatever the
/// number of plans that share it.
struct TrieNode {
  int64_t block = -1;  ///< the block that leads here; -1 at the root
  /// Indices of nodes in the order of a walk: the one whose subtree needs the most activations is
  /// the last, as it may take over its parent's; ties by ascending block.
  std::vector<size_t> children;
  std::vector<size_t> plans;  ///< indices into the distinct plans that end here
  /// Activations alive at once below here, this node's own included.
  int64_t activations = 1;
};

struct DepthTrie {
  std::vector<TrieNode> nodes;                 ///< nodes[0] is the root
  std::vector<std::vector<int64_t>> distinct;  ///< kept blocks of each distinct plan
  std::vector<size_t> distinct_of;             ///< for each plan as asked: which distinct one it is

  /// The first plan as asked that is this distinct one: what a message names.
  size_t asked(size_t plan) const;
  int64_t block_evaluations() const { return static_cast<int64_t>(nodes.size()) - 1; }
  /// Activations [B, T, D] that a walk holds at most: 2 for all n of `simple`, whatever L.
  int64_t peak_activations() const { return nodes.front().activations; }
};

/// Error{kUsage} where a plan is not valid or plans disagree about the number of blocks.
DepthTrie make_trie(std::span<const PruningPlan> plans);

/// Block evaluations when every plan as asked runs alone; plans with n = 0 count once together.
int64_t block_evaluations_alone(std::span<const PruningPlan> plans);

}  // namespace plumb::pruning
