#include "pruning/sweep/sweep.h"

#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "pruning/sweep/positions.h"
#include "pruning/sweep/trie.h"
#include "pruning/sweep/walk.h"

namespace plumb::pruning {
namespace {

using models::Decoder;
using models::TokenBatch;

/// What is compared with the whole model at a time, beside its own states: enough plans that making its logits again costs
/// little.
constexpr size_t kLeastTogether = 15;
constexpr size_t kTogetherBytes = size_t{64} << 20;

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

/// The steps of one sweep, and what comes out of them.
class Losses : public WalkedSteps {
 public:
  Losses(const Decoder& decoder, const TokenBatch& documents, std::span<const PruningPlan> plans,
         const SweepOptions& options, const DepthTrie& trie)
      : decoder_(decoder),
        documents_(documents),
        plans_(plans),
        trie_(trie),
        steps_(make_steps(documents, options)),
        whole_(whole_of(trie, decoder.block_count())),
        numbers_(options.log, trie.distinct.size(), widths(steps_, whole_.has_value())),
        waiting_({std::min(options.room.memory_bytes, kWaitingReadBytes), options.room.folder}),
        arrived_(steps_.size(), 0) {}

  size_t count() const override { return numbers_.missing().size(); }
  at::Tensor embed(size_t walked) const override { return decoder_.embed(step(walked).tokens); }
  at::Tensor run(int64_t block, size_t, const at::Tensor& x) const override {
    return decoder_.run_block(block, x);
  }
  at::Tensor run_over(int64_t block, size_t, at::Tensor x) const override {
    decoder_.run_block_in_place(block, x);
    return x;
  }
  at::Tensor run_last(int64_t block, size_t walked, at::Tensor x, bool is_last_use) const override {
    return read(walked,
                is_last_use ? run_over(block, walked, std::move(x)) : run(block, walked, x));
  }
  at::Tensor read(size_t walked, const at::Tensor& x) const override {
    return x.view({-1, x.size(-1)}).index_select(0, step(walked).state_rows.to(x.device()));
  }

  void measure(size_t plan, size_t walked, const at::Tensor& read) override {
    if (!whole_) {
      const at::Tensor losses = decoder_.cross_entropy(read, step(walked).targets);
      record(plan, walked, kLoss, losses);
      numbers_.measured(numbers_.missing()[walked]);
      return;
    }
    waiting_.put(key(plan, walked), read.contiguous(), static_cast<int64_t>(walked));
    if (++arrived_[walked] == trie_.distinct.size()) compare_with_whole(walked);
  }

  void complete() { numbers_.complete(); }

  SweepLosses losses(const TrieWalk& walk) const {
    SweepLosses out;
    out.block_evaluations = trie_.block_evaluations();
    out.block_evaluations_alone = block_evaluations_alone(plans_);
    out.plans_distinct = static_cast<int64_t>(trie_.distinct.size());
    out.positions_per_document = steps_.back().targets.size(0) / steps_.back().count;
    out.peak_activations = walk.peak_activations();
    out.spilled_bytes = walk.spilled_bytes() + waiting_.written_bytes();
    PerDocument loss = per_document(kLoss);
    out.loss_nats = std::move(loss.mean);
    out.position_variance = std::move(loss.variance);
    if (whole_) {
      out.divergence_nats = per_document(kDivergence);
      out.same_top = per_document(kSameTop);
    }
    return out;
  }

 private:
  /// A measure of a document has two numbers: mean and variance.
  enum Measure : size_t { kLoss = 0, kDivergence = 2, kSameTop = 4 };
  static size_t width(bool with_whole) { return with_whole ? 6 : 2; }

  static std::optional<size_t> whole_of(const DepthTrie& trie, int64_t block_count) {
    for (size_t plan = 0; plan < trie.distinct.size(); ++plan)
      if (std::ssize(trie.distinct[plan]) == block_count) return plan;
    return std::nullopt;
  }

  int64_t key(size_t plan, size_t walked) const {
    return static_cast<int64_t>(walked * trie_.distinct.size() + plan);
  }

  /// Everything of a step whose plans all have arrived, some plans at a time; the whole model's logits are made again
  /// for each of these groups.
  void compare_with_whole(size_t walked) {
    std::vector<size_t> others;
    for (size_t plan = 0; plan < trie_.distinct.size(); ++plan)
      if (plan != *whole_) others.push_back(plan);
    std::vector<at::Tensor> states{waiting_.take(key(*whole_, walked))};
    const size_t together = std::max<size_t>(kLeastTogether, kTogetherBytes / states[0].nbytes());
    size_t next = 0;
    do {
      const size_t count = std::min(together, others.size() - next);
      for (size_t k = 0; k < count; ++k)
        states.push_back(waiting_.take(key(others[next + k], walked)));
      const models::Distributions found = decoder_.distributions(states, step(walked).targets);
      if (next == 0) record_all(*whole_, walked, found, 0);
      for (size_t k = 0; k < count; ++k) record_all(others[next + k], walked, found, k + 1);
      next += count;
      states.resize(1);
    } while (next < others.size());
  }

  void record_all(size_t plan, size_t walked, const models::Distributions& found, size_t model) {
    const auto m = static_cast<int64_t>(model);
    record(plan, walked, kLoss, found.loss[m]);
    record(plan, walked, kDivergence, found.divergence[m]);
    record(plan, walked, kSameTop, found.top[m].eq(found.top[0]).to(at::kFloat));
    numbers_.measured(numbers_.missing()[walked]);
  }

  /// Mean and variance over the positions of each document; values [B * P] fp32.
  void record(size_t plan, size_t walked, Measure measure, const at::Tensor& values) {
    const Step& one = step(walked);
    const at::Tensor all = values.contiguous();
    const auto P = static_cast<size_t>(all.size(0) / one.count);
    const std::span<double> numbers = numbers_.of(plan, numbers_.missing()[walked]);
    for (size_t b = 0; b < static_cast<size_t>(one.count); ++b) {
      const std::span<const float> row(all.const_data_ptr<float>() + b * P, P);
      const PositionMean mean = position_mean(row, documents_.token_count - 1);
      if (!std::isfinite(mean.mean))
        fail_at(plan, one.first + static_cast<int64_t>(b), measure, mean.mean);
      numbers[b * width(whole_.has_value()) + measure] = mean.mean;
      numbers[b * width(whole_.has_value()) + measure + 1] = mean.variance;
    }
  }

  PerDocument per_document(Measure measure) const {
    PerDocument out;
    const bool sampled =
        steps_.back().targets.size(0) / steps_.back().count < documents_.token_count - 1;
    for (const size_t distinct : trie_.distinct_of) {
      std::vector<double> means, variances;
      for (size_t step = 0; step < steps_.size(); ++step) {
        const std::span<const double> numbers = numbers_.of(distinct, step);
        for (size_t i = measure; i < numbers.size(); i += width(whole_.has_value())) {
          means.push_back(numbers[i]);
          variances.push_back(numbers[i + 1]);
        }
      }
      out.mean.push_back(std::move(means));
      if (sampled) out.variance.push_back(std::move(variances));
    }
    return out;
  }

  static std::vector<Step> make_steps(const TokenBatch& documents, const SweepOptions& options) {
    std::vector<Step> steps;
    for (int64_t first = 0; first < documents.size(); first += options.documents_per_step)
      steps.push_back(make_step(documents, first, options));
    return steps;
  }
  static std::vector<size_t> widths(const std::vector<Step>& steps, bool with_whole) {
    std::vector<size_t> out;
    for (const Step& step : steps)
      out.push_back(static_cast<size_t>(step.count) * width(with_whole));
    return out;
  }
  const Step& step(size_t walked) const { return steps_[numbers_.missing()[walked]]; }

  [[noreturn]] void fail_at(size_t distinct, int64_t document, Measure measure,
                            double value) const {
    const PruningPlan& plan = plans_[trie_.asked(distinct)];
    throw Error(
        ErrorKind::kInput,
        text("the ", measure == kLoss ? "loss" : "divergence from the whole model", " of plan '",
             plan.strategy, "', n = ", plan.removed_count(),
             plan.removed.empty() ? "" : ", removed " + plan.removed_text(), ", on document ",
             documents_.documents[static_cast<size_t>(document)], " of '", documents_.file, "' is ",
             value, "; a finite one is needed: look for NaN or infinity in the model's weights"));
  }

  const Decoder& decoder_;
  const TokenBatch& documents_;
  std::span<const PruningPlan> plans_;
  const DepthTrie& trie_;
  std::vector<Step> steps_;
  std::optional<size_t> whole_;      ///< the distinct plan that keeps all blocks
  StepNumbers numbers_;              ///< of a plan and a step: the measures of each document
  models::ActivationStore waiting_;  ///< what a step's plans are read from
  std::vector<size_t> arrived_;      ///< [walked step]: plans that wait
};

}  // namespace

SweepLosses sweep(const Decoder& decoder, const TokenBatch& documents,
                  std::span<const PruningPlan> plans, const SweepOptions& options) {
  require_usable(decoder, documents, plans, options);
  const c10::InferenceMode no_autograd;
  const DepthTrie trie = make_trie(plans);
  Losses losses(decoder, documents, plans, options, trie);
  TrieWalk walk(decoder, trie, options.room, with_meanwhile(options.log, options.progress));
  walk.run(losses);
  losses.complete();
  return losses.losses(walk);
}

}  // namespace plumb::pruning
