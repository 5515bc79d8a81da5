#include "pruning/sweep/sweep.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <compare>
#include <cstring>
#include <map>
#include <utility>

#include "base/error.h"
#include "pruning/sweep/positions.h"
#include "pruning/sweep/trie.h"

namespace plumb::pruning {
namespace {

using models::Decoder;
using models::TokenBatch;

/// Documents [first, first + count) of the batch as tensors, the same for every plan.
struct Step {
  int64_t first = 0;
  int64_t count = 0;      ///< B
  at::Tensor tokens;      ///< [B, T]
  at::Tensor state_rows;  ///< [B * P], rows of x as [B * T, D] that predict
  at::Tensor targets;     ///< [B * P]
};

void require_usable(const Decoder& decoder, const TokenBatch& documents,
                    std::span<const PruningPlan> plans, const SweepOptions& options) {
  if (plans.empty()) throw Error(ErrorKind::kUsage, "a sweep of no plans; at least 1 is needed");
  if (documents.size() < 1) throw Error(ErrorKind::kInput, "a sweep over no documents");
  if (documents.token_count < 2)
    throw Error(ErrorKind::kUsage, text("a loss needs documents of at least 2 tokens, these have ",
                                        documents.token_count));
  if (options.documents_per_step < 1 || options.positions < 0)
    throw Error(ErrorKind::kUsage,
                text("documents per step are ", options.documents_per_step, " and positions ",
                     options.positions, "; at least 1 and 0 (all) are needed"));
  if (options.positions == 1 && documents.token_count > 2)
    throw Error(ErrorKind::kUsage,
                "one position a document leaves the variance of its loss "
                "unknown; ask for at least 2, or for 0 = all");
  if (plans.front().block_count != decoder.block_count())
    throw Error(ErrorKind::kUsage, text("the plans are for ", plans.front().block_count,
                                        " blocks, but the model has ", decoder.block_count()));
}

at::Tensor index_tensor(const std::vector<int64_t>& values) {
  at::Tensor out = at::empty({static_cast<int64_t>(values.size())}, at::kLong);
  std::memcpy(out.mutable_data_ptr<int64_t>(), values.data(), values.size() * sizeof(int64_t));
  return out;
}

Step make_step(const TokenBatch& documents, int64_t first, const SweepOptions& options) {
  const int64_t T = documents.token_count;
  Step step;
  step.first = first;
  step.count = std::min(options.documents_per_step, documents.size() - first);
  std::vector<int64_t> rows, targets;
  for (int64_t b = 0; b < step.count; ++b) {
    const int64_t line = documents.documents[static_cast<size_t>(first + b)];
    for (const int64_t p : sampled_positions(T, options.positions, options.seed, line)) {
      rows.push_back(b * T + p - 1);
      targets.push_back(documents.tokens[static_cast<size_t>((first + b) * T + p)]);
    }
  }
  const auto begin = documents.tokens.begin() + first * T;
  step.tokens = index_tensor({begin, begin + step.count * T}).view({step.count, T});
  step.state_rows = index_tensor(rows);
  step.targets = index_tensor(targets);
  return step;
}

/// One sweep. A node's activation is made from its parent's by the node's block; the root's is the embedding.
class Walk {
 public:
  Walk(const Decoder& decoder, const TokenBatch& documents, std::span<const PruningPlan> plans,
       const SweepOptions& options)
      : decoder_(decoder),
        documents_(documents),
        plans_(plans),
        options_(options),
        trie_(make_trie(plans)),
        waiting_(trie_.nodes.size()),
        store_(options.room) {
    const std::vector<PositionMean> row(static_cast<size_t>(documents.size()));
    means_.assign(trie_.distinct.size(), row);
    for (int64_t first = 0; first < documents.size(); first += options.documents_per_step)
      steps_.push_back(make_step(documents, first, options));
    for (size_t parent = 0; parent < trie_.nodes.size(); ++parent)
      for (const size_t child : trie_.nodes[parent].children)
        if (const int64_t block = trie_.nodes[child].block; !decoder.keeps(block)) {
          waiting_[parent].push_back({block, child});
          by_block_[block].push_back({parent, child});
        }
    for (auto& children : waiting_) std::sort(children.begin(), children.end());
  }

  SweepLosses run() {
    std::vector<int64_t> order;
    for (const auto& [block, nodes] : by_block_) order.push_back(block);
    decoder_.expect(order);
    for (size_t step = 0; step < steps_.size(); ++step)
      finish(0, step, decoder_.embed(steps_[step].tokens));
    for (const auto& [block, nodes] : by_block_)
      for (size_t step = 0; step < steps_.size(); ++step)
        for (const auto& [parent, child] : nodes) advance(parent, child, step);
    return losses();
  }

 private:
  /// Everything that can be done with a node's activation now; the rest of its children wait for their blocks. Owns
  /// `x`, so the last child may write over it.
  void finish(size_t index, size_t step, at::Tensor x) {
    const TrieNode& node = trie_.nodes[index];
    const auto& waiting = waiting_[index];
    for (const size_t plan : node.plans) measure(plan, steps_[step], x);
    for (const size_t child : node.children) {
      if (!decoder_.keeps(trie_.nodes[child].block)) continue;
      const bool last = child == node.children.back() && waiting.empty();
      finish(child, step, last ? run_over(child, std::move(x)) : run(child, x));
    }
    if (!waiting.empty() && index != 0)
      store_.put(key(index, step), std::move(x), time(waiting.front().block, step));
  }

  /// A child whose block is here now. The root's activation is gathered again, which costs less than to keep it.
  void advance(size_t parent, size_t child, size_t step) {
    const auto& waiting = waiting_[parent];
    const bool last = waiting.back().node == child;
    if (parent == 0) {
      finish(child, step, run_over(child, decoder_.embed(steps_[step].tokens)));
    } else if (last) {
      finish(child, step, run_over(child, store_.take(key(parent, step))));
    } else {
      const auto next = std::find_if(waiting.begin(), waiting.end(),
                                     [&](const Waiting& one) { return one.node == child; }) +
                        1;
      finish(child, step, run(child, store_.get(key(parent, step), time(next->block, step))));
    }
  }

  at::Tensor run(size_t child, const at::Tensor& x) {
    at::Tensor out = decoder_.run_block(trie_.nodes[child].block, x);
    count_block();
    return out;
  }

  at::Tensor run_over(size_t child, at::Tensor x) {
    decoder_.run_block_in_place(trie_.nodes[child].block, x);
    count_block();
    return x;
  }

  int64_t key(size_t node, size_t step) const {
    return static_cast<int64_t>(node * steps_.size() + step);
  }
  int64_t time(int64_t block, size_t step) const {
    return block * static_cast<int64_t>(steps_.size()) + static_cast<int64_t>(step);
  }

  void measure(size_t plan, const Step& step, const at::Tensor& x) {
    const at::Tensor rows =
        x.view({-1, x.size(-1)}).index_select(0, step.state_rows.to(x.device()));
    const at::Tensor losses = decoder_.cross_entropy(rows, step.targets).contiguous();
    const auto P = static_cast<size_t>(losses.size(0) / step.count);
    for (int64_t b = 0; b < step.count; ++b) {
      const std::span<const float> row(losses.const_data_ptr<float>() + static_cast<size_t>(b) * P,
                                       P);
      const PositionMean mean = position_mean(row, documents_.token_count - 1);
      if (!std::isfinite(mean.mean)) fail_at(plan, step.first + b, mean.mean);
      means_[plan][static_cast<size_t>(step.first + b)] = mean;
    }
  }

  [[noreturn]] void fail_at(size_t distinct, int64_t document, double loss) const {
    const auto asked = std::find(trie_.distinct_of.begin(), trie_.distinct_of.end(), distinct);
    const PruningPlan& plan = plans_[static_cast<size_t>(asked - trie_.distinct_of.begin())];
    throw Error(
        ErrorKind::kInput,
        text("the loss of plan '", plan.strategy, "', n = ", plan.removed_count(),
             plan.removed.empty() ? "" : ", removed " + plan.removed_text(), ", on document ",
             documents_.documents[static_cast<size_t>(document)], " of '", documents_.file, "' is ",
             loss, "; a finite loss is needed: look for NaN or infinity in the model's weights"));
  }

  void count_block() {
    ++done_;
    if (options_.progress)
      options_.progress(done_, static_cast<int64_t>(steps_.size()) * trie_.block_evaluations());
  }

  SweepLosses losses() const {
    SweepLosses out;
    out.block_evaluations = trie_.block_evaluations();
    out.block_evaluations_alone = block_evaluations_alone(plans_);
    out.plans_distinct = static_cast<int64_t>(trie_.distinct.size());
    out.positions_per_document = steps_.back().targets.size(0) / steps_.back().count;
    out.peak_activations =
        by_block_.empty() ? trie_.peak_activations() : store_.peak_size() + kWorkedOn;
    out.spilled_bytes = store_.written_bytes();
    const bool sampled = out.positions_per_document < documents_.token_count - 1;
    for (const size_t distinct : trie_.distinct_of) {
      std::vector<double> means, variances;
      for (const PositionMean& document : means_[distinct]) {
        means.push_back(document.mean);
        variances.push_back(document.variance);
      }
      out.loss_nats.push_back(std::move(means));
      if (sampled) out.position_variance.push_back(std::move(variances));
    }
    return out;
  }

  const Decoder& decoder_;
  const TokenBatch& documents_;
  std::span<const PruningPlan> plans_;
  const SweepOptions& options_;
  DepthTrie trie_;
  struct Waiting {
    int64_t block;
    size_t node;
    auto operator<=>(const Waiting&) const = default;
  };
  static constexpr int64_t kWorkedOn = 2;  // a block's input and its output

  std::vector<std::vector<Waiting>> waiting_;  ///< [node]: children whose blocks come and go
  std::map<int64_t, std::vector<std::pair<size_t, size_t>>> by_block_;  ///< such: parent, child
  std::vector<Step> steps_;
  models::ActivationStore store_;
  std::vector<std::vector<PositionMean>> means_;  ///< [distinct plan][document]
  int64_t done_ = 0;
};

}  // namespace

SweepLosses sweep(const Decoder& decoder, const TokenBatch& documents,
                  std::span<const PruningPlan> plans, const SweepOptions& options) {
  require_usable(decoder, documents, plans, options);
  const c10::InferenceMode no_autograd;
  return Walk(decoder, documents, plans, options).run();
}

}  // namespace plumb::pruning
