#include "pruning/sweep/walk.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <compare>
#include <utility>

namespace plumb::pruning {

TrieWalk::TrieWalk(const models::Decoder& decoder, const DepthTrie& trie,
                   models::ActivationRoom room,
                   std::function<void(int64_t done, int64_t all)> progress)
    : decoder_(decoder),
      trie_(trie),
      progress_(std::move(progress)),
      waiting_(trie.nodes.size()),
      store_(std::move(room)) {
  for (size_t parent = 0; parent < trie_.nodes.size(); ++parent)
    for (const size_t child : trie_.nodes[parent].children)
      if (const int64_t block = trie_.nodes[child].block; !decoder.keeps(block)) {
        waiting_[parent].push_back({block, child});
        by_block_[block].push_back({parent, child});
      }
  for (auto& children : waiting_) std::sort(children.begin(), children.end());
}

void TrieWalk::run(WalkedSteps& steps) {
  steps_ = &steps;
  if (steps.count() == 0) return;
  std::vector<int64_t> order;
  for (const auto& [block, nodes] : by_block_) order.push_back(block);
  decoder_.expect(order);
  for (size_t step = 0; step < steps.count(); ++step) finish(0, step, steps.embed(step));
  for (const auto& [block, nodes] : by_block_)
    for (size_t step = 0; step < steps.count(); ++step)
      for (const auto& [parent, child] : nodes) advance(parent, child, step);
}

int64_t TrieWalk::peak_activations() const {
  return by_block_.empty() ? trie_.peak_activations() : store_.peak_size() + kWorkedOn;
}

/// Everything that can be done with a node's activation now; the rest of its children wait for their blocks. Owns
/// `x`, so the last child may write over it.
void TrieWalk::finish(size_t index, size_t step, at::Tensor x) {
  const TrieNode& node = trie_.nodes[index];
  const auto& waiting = waiting_[index];
  if (!node.plans.empty()) {
    const at::Tensor read = steps_->read(step, x);
    for (const size_t plan : node.plans) steps_->measure(plan, step, read);
  }
  for (const size_t child : node.children) {
    if (!decoder_.keeps(trie_.nodes[child].block)) continue;
    const bool is_last_use = child == node.children.back() && waiting.empty();
    descend(child, step, is_last_use ? std::exchange(x, {}) : x, is_last_use);
  }
  if (!waiting.empty() && index != 0)
    store_.put(key(index, step), std::move(x), time(waiting.front().block, step));
}

/// A child whose block is here now. The root's activation is gathered again, which costs less than to keep it.
void TrieWalk::advance(size_t parent, size_t child, size_t step) {
  const auto& waiting = waiting_[parent];
  if (parent == 0) {
    descend(child, step, steps_->embed(step), true);
  } else if (waiting.back().node == child) {
    descend(child, step, store_.take(key(parent, step)), true);
  } else {
    const auto next = std::find_if(waiting.begin(), waiting.end(),
                                   [&](const Waiting& one) { return one.node == child; }) +
                      1;
    descend(child, step, store_.get(key(parent, step), time(next->block, step)), false);
  }
}

/// From a parent's activation to its child, and on.
void TrieWalk::descend(size_t child, size_t step, at::Tensor x, bool is_last_use) {
  const TrieNode& node = trie_.nodes[child];
  at::Tensor next;
  if (node.children.empty())
    next = steps_->run_last(node.block, step, std::move(x), is_last_use);
  else if (is_last_use)
    next = steps_->run_over(node.block, step, std::move(x));
  else
    next = steps_->run(node.block, step, x);
  ++done_;
  if (progress_)
    progress_(done_, static_cast<int64_t>(steps_->count()) * trie_.block_evaluations());
  if (!node.children.empty()) return finish(child, step, std::move(next));
  for (const size_t plan : node.plans) steps_->measure(plan, step, next);
}

int64_t TrieWalk::key(size_t node, size_t step) const {
  return static_cast<int64_t>(node * steps_->count() + step);
}

int64_t TrieWalk::time(int64_t block, size_t step) const {
  return block * static_cast<int64_t>(steps_->count()) + static_cast<int64_t>(step);
}

at::Tensor index_tensor(std::span<const int64_t> values) {
  at::Tensor out = at::empty({static_cast<int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), out.mutable_data_ptr<int64_t>());
  return out;
}

}  // namespace plumb::pruning
