#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "models/activation_store.h"
#include "models/decoder.h"
#include "pruning/sweep/trie.h"

namespace plumb::pruning {

/// What a walk of the trie carries through the blocks: steps of documents, or packs of questions.
class WalkedSteps {
 public:
  virtual ~WalkedSteps() = default;
  virtual size_t count() const = 0;
  virtual at::Tensor embed(size_t step) const = 0;
  virtual at::Tensor run(int64_t block, size_t step, const at::Tensor& x) const = 0;
  /// The same, of an activation that nobody needs any more.
  virtual at::Tensor run_over(int64_t block, size_t step, at::Tensor x) const = 0;
  /// A block after which only what is read counts: its states at the positions that `measure` takes. May write over an
  /// `x` that nobody needs any more.
  virtual at::Tensor run_last(int64_t block, size_t step, at::Tensor x, bool is_last_use) const = 0;
  /// Those states of a whole activation.
  virtual at::Tensor read(size_t step, const at::Tensor& x) const = 0;
  /// A distinct plan of the trie ends here.
  virtual void measure(size_t plan, size_t step, const at::Tensor& read) = 0;
};

/// Evaluates every node of a trie once for every step. A node's activation is made from its parent's by the node's block;
/// the root's is the embedding. What each step's plans get does not depend on the others, nor on whether the decoder keeps
/// its blocks: a decoder that does is walked depth first, step by step; else the outer loop is over blocks, and
/// activations wait in the room.
class TrieWalk {
 public:
  /// `progress`: block evaluations done and to be done.
  TrieWalk(const models::Decoder& decoder, const DepthTrie& trie, models::ActivationRoom room,
           std::function<void(int64_t done, int64_t all)> progress);
  void run(WalkedSteps& steps);

  /// Activations of a step that waited or were worked on at once.
  int64_t peak_activations() const;
  uint64_t spilled_bytes() const { return store_.written_bytes(); }

 private:
  struct Waiting {
    int64_t block;
    size_t node;
    auto operator<=>(const Waiting&) const = default;
  };
  static constexpr int64_t kWorkedOn = 2;  // a block's input and its output

  void finish(size_t index, size_t step, at::Tensor x);
  void advance(size_t parent, size_t child, size_t step);
  void descend(size_t child, size_t step, at::Tensor x, bool is_last_use);
  int64_t key(size_t node, size_t step) const;
  int64_t time(int64_t block, size_t step) const;

  const models::Decoder& decoder_;
  const DepthTrie& trie_;
  std::function<void(int64_t, int64_t)> progress_;
  std::vector<std::vector<Waiting>> waiting_;  ///< [node]: children whose blocks come and go
  std::map<int64_t, std::vector<std::pair<size_t, size_t>>> by_block_;  ///< such: parent, child
  models::ActivationStore store_;
  WalkedSteps* steps_ = nullptr;
  int64_t done_ = 0;
};

/// int64 [values], of its own memory: rows to select, tokens to embed.
at::Tensor index_tensor(std::span<const int64_t> values);

}  // namespace plumb::pruning
