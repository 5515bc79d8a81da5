#include "pruning/sweep/question_sweep.h"

#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "pruning/sweep/trie.h"
#include "pruning/sweep/walk.h"

namespace plumb::pruning {
namespace {

using metrics::Reading;
using metrics::Request;
using models::Decoder;

at::Tensor index_tensor(std::span<const int64_t> values) {
  at::Tensor out = at::empty({static_cast<int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), out.mutable_data_ptr<int64_t>());
  return out;
}

/// Packs of questions on their way through the trie, and what they give.
class Scores : public WalkedSteps {
 public:
  Scores(const Decoder& decoder, std::span<const Request> requests,
         std::span<const PruningPlan> plans, const DepthTrie& trie, int64_t rows_per_pack)
      : decoder_(decoder),
        plans_(plans),
        trie_(trie),
        packs_(pack_questions(requests, rows_per_pack)) {
    std::vector<std::vector<double>> empty;
    for (const Request& request : requests)
      empty.emplace_back(std::max(request.letters.size(), request.sequences.size()));
    values_.assign(trie.distinct.size(), empty);
  }

  size_t count() const override { return packs_.size(); }
  at::Tensor embed(size_t step) const override {
    return decoder_.embed(index_tensor(packs_[step].packing.tokens).unsqueeze(0))[0];
  }
  at::Tensor run(int64_t block, size_t step, const at::Tensor& x) const override {
    return decoder_.run_packed(block, packs_[step].packing, x);
  }
  at::Tensor run_over(int64_t block, size_t step, at::Tensor x) const override {
    return run(block, step, x);
  }
  at::Tensor run_last(int64_t block, size_t step, at::Tensor x, bool) const override {
    return decoder_.run_packed(block, packs_[step].packing, x, packs_[step].read);
  }
  at::Tensor read(size_t step, const at::Tensor& x) const override {
    return x.index_select(0, index_tensor(packs_[step].read).to(x.device()));
  }

  void measure(size_t plan, size_t step, const at::Tensor& read) override {
    if (packs_[step].reading == Reading::kLetters)
      read_letters(plan, packs_[step], read);
    else
      read_continuations(plan, packs_[step], read);
  }

  QuestionScores scores(std::span<const Request> requests) const {
    QuestionScores out;
    out.block_evaluations = trie_.block_evaluations();
    out.block_evaluations_alone = block_evaluations_alone(plans_);
    out.plans_distinct = static_cast<int64_t>(trie_.distinct.size());
    for (const QuestionPack& pack : packs_) out.tokens_run += pack.packing.rows();
    for (const Request& request : requests) out.tokens_alone += request.token_count();
    for (const size_t distinct : trie_.distinct_of) out.values.push_back(values_[distinct]);
    return out;
  }

 private:
  void read_letters(size_t plan, const QuestionPack& pack, const at::Tensor& read) {
    std::vector<int64_t> letters;
    for (const PackedValue& value : pack.values) letters.push_back(value.tokens.front());
    std::sort(letters.begin(), letters.end());
    letters.erase(std::unique(letters.begin(), letters.end()), letters.end());
    const at::Tensor logits = decoder_.logits(read, letters).to(at::kCPU).contiguous();
    const auto* row = logits.const_data_ptr<float>();
    for (const PackedValue& value : pack.values) {
      const auto column =
          std::lower_bound(letters.begin(), letters.end(), value.tokens.front()) - letters.begin();
      put(plan, value, row[value.states.front() * static_cast<int64_t>(letters.size()) + column]);
    }
  }

  void read_continuations(size_t plan, const QuestionPack& pack, const at::Tensor& read) {
    std::vector<int64_t> states, targets;
    for (const PackedValue& value : pack.values) {
      states.insert(states.end(), value.states.begin(), value.states.end());
      targets.insert(targets.end(), value.tokens.begin(), value.tokens.end());
    }
    const at::Tensor losses =
        decoder_
            .cross_entropy(read.index_select(0, index_tensor(states).to(read.device())),
                           index_tensor(targets))
            .contiguous();
    const auto* loss = losses.const_data_ptr<float>();
    for (const PackedValue& value : pack.values) {
      double sum = 0;
      for (size_t i = 0; i < value.tokens.size(); ++i) sum -= static_cast<double>(*loss++);
      put(plan, value, sum);
    }
  }

  void put(size_t distinct, const PackedValue& value, double number) {
    if (!std::isfinite(number)) {
      const auto asked = std::find(trie_.distinct_of.begin(), trie_.distinct_of.end(), distinct);
      const PruningPlan& plan = plans_[static_cast<size_t>(asked - trie_.distinct_of.begin())];
      throw Error(ErrorKind::kInput,
                  text("plan '", plan.strategy, "', n = ", plan.removed_count(), ", gives choice ",
                       value.choice, " of question ", value.request, " the value ", number,
                       "; look for NaN or infinity in the model's weights"));
    }
    values_[distinct][static_cast<size_t>(value.request)][static_cast<size_t>(value.choice)] =
        number;
  }

  const Decoder& decoder_;
  std::span<const PruningPlan> plans_;
  const DepthTrie& trie_;
  std::vector<QuestionPack> packs_;
  std::vector<std::vector<std::vector<double>>> values_;  ///< [distinct plan][request][choice]
};

}  // namespace

QuestionScores sweep_questions(const Decoder& decoder, std::span<const Request> requests,
                               std::span<const PruningPlan> plans,
                               const QuestionSweepOptions& options) {
  if (plans.empty()) throw Error(ErrorKind::kUsage, "a sweep of no plans; at least 1 is needed");
  if (requests.empty()) throw Error(ErrorKind::kUsage, "no questions; at least 1 is needed");
  if (options.rows_per_pack < 1)
    throw Error(ErrorKind::kUsage,
                text("rows per pack are ", options.rows_per_pack, "; at least 1 is needed"));
  if (plans.front().block_count != decoder.block_count())
    throw Error(ErrorKind::kUsage, text("the plans are for ", plans.front().block_count,
                                        " blocks, but the model has ", decoder.block_count()));
  const c10::InferenceMode no_autograd;
  const DepthTrie trie = make_trie(plans);
  Scores scores(decoder, requests, plans, trie, options.rows_per_pack);
  TrieWalk walk(decoder, trie, options.room, options.progress);
  walk.run(scores);
  return scores.scores(requests);
}

}  // namespace plumb::pruning
