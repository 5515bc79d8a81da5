#include "pruning/sweep/question_sweep.h"

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

/// Packs of questions on their way through the trie, and what they give.
class Scores : public WalkedSteps {
 public:
  Scores(const Decoder& decoder, std::span<const Request> requests,
         std::span<const PruningPlan> plans, const DepthTrie& trie,
         const QuestionSweepOptions& options)
      : decoder_(decoder),
        requests_(requests),
        plans_(plans),
        trie_(trie),
        packs_(pack_questions(requests, options.rows_per_pack)),
        numbers_(options.log, trie.distinct.size(), widths(packs_)) {}

  size_t count() const override { return numbers_.missing().size(); }
  at::Tensor embed(size_t walked) const override {
    return decoder_.embed(index_tensor(pack(walked).packing.tokens).unsqueeze(0))[0];
  }
  at::Tensor run(int64_t block, size_t walked, const at::Tensor& x) const override {
    return decoder_.run_packed(block, pack(walked).packing, x);
  }
  at::Tensor run_over(int64_t block, size_t walked, at::Tensor x) const override {
    return run(block, walked, x);
  }
  at::Tensor run_last(int64_t block, size_t walked, at::Tensor x, bool) const override {
    return decoder_.run_packed(block, pack(walked).packing, x, pack(walked).read);
  }
  at::Tensor read(size_t walked, const at::Tensor& x) const override {
    return x.index_select(0, index_tensor(pack(walked).read).to(x.device()));
  }

  void measure(size_t plan, size_t walked, const at::Tensor& read) override {
    const std::span<double> numbers = numbers_.of(plan, numbers_.missing()[walked]);
    if (pack(walked).reading == Reading::kLetters)
      read_letters(pack(walked), read, numbers);
    else
      read_continuations(pack(walked), read, numbers);
    require_finite(plan, pack(walked), numbers);
    numbers_.measured(numbers_.missing()[walked]);
  }

  void complete() { numbers_.complete(); }

  QuestionScores scores() const {
    QuestionScores out;
    out.block_evaluations = trie_.block_evaluations();
    out.block_evaluations_alone = block_evaluations_alone(plans_);
    out.plans_distinct = static_cast<int64_t>(trie_.distinct.size());
    for (const QuestionPack& pack : packs_) out.tokens_run += pack.packing.rows();
    for (const Request& request : requests_) out.tokens_alone += request.token_count();
    for (const size_t distinct : trie_.distinct_of) out.values.push_back(values(distinct));
    return out;
  }

 private:
  static std::vector<size_t> widths(const std::vector<QuestionPack>& packs) {
    std::vector<size_t> out;
    for (const QuestionPack& pack : packs) out.push_back(pack.values.size());
    return out;
  }
  const QuestionPack& pack(size_t walked) const { return packs_[numbers_.missing()[walked]]; }

  /// [request][choice]
  std::vector<std::vector<double>> values(size_t distinct) const {
    std::vector<std::vector<double>> out;
    for (const Request& request : requests_)
      out.emplace_back(std::max(request.letters.size(), request.sequences.size()));
    for (size_t step = 0; step < packs_.size(); ++step) {
      const std::span<const double> numbers = numbers_.of(distinct, step);
      for (size_t i = 0; i < numbers.size(); ++i) {
        const PackedValue& value = packs_[step].values[i];
        out[static_cast<size_t>(value.request)][static_cast<size_t>(value.choice)] = numbers[i];
      }
    }
    return out;
  }

  void read_letters(const QuestionPack& pack, const at::Tensor& read,
                    std::span<double> numbers) const {
    std::vector<int64_t> letters;
    for (const PackedValue& value : pack.values) letters.push_back(value.tokens.front());
    std::sort(letters.begin(), letters.end());
    letters.erase(std::unique(letters.begin(), letters.end()), letters.end());
    const at::Tensor logits = decoder_.logits(read, letters).to(at::kCPU).contiguous();
    const auto* row = logits.const_data_ptr<float>();
    for (size_t i = 0; i < numbers.size(); ++i) {
      const PackedValue& value = pack.values[i];
      const auto column =
          std::lower_bound(letters.begin(), letters.end(), value.tokens.front()) - letters.begin();
      numbers[i] = row[value.states.front() * static_cast<int64_t>(letters.size()) + column];
    }
  }

  void read_continuations(const QuestionPack& pack, const at::Tensor& read,
                          std::span<double> numbers) const {
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
    for (size_t i = 0; i < numbers.size(); ++i) {
      double sum = 0;
      for (size_t t = 0; t < pack.values[i].tokens.size(); ++t) sum -= static_cast<double>(*loss++);
      numbers[i] = sum;
    }
  }

  void require_finite(size_t distinct, const QuestionPack& pack,
                      std::span<const double> numbers) const {
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (std::isfinite(numbers[i])) continue;
      const PruningPlan& plan = plans_[trie_.asked(distinct)];
      throw Error(ErrorKind::kInput, text("plan '", plan.strategy, "', n = ", plan.removed_count(),
                                          ", gives choice ", pack.values[i].choice, " of question ",
                                          pack.values[i].request, " the value ", numbers[i],
                                          "; look for NaN or infinity in the model's weights"));
    }
  }

  const Decoder& decoder_;
  std::span<const Request> requests_;
  std::span<const PruningPlan> plans_;
  const DepthTrie& trie_;
  std::vector<QuestionPack> packs_;
  StepNumbers numbers_;  ///< of a plan and a pack: a number for each of the pack's values
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
  Scores scores(decoder, requests, plans, trie, options);
  TrieWalk walk(decoder, trie, options.room, with_meanwhile(options.log, options.progress));
  walk.run(scores);
  scores.complete();
  return scores.scores();
}

}  // namespace plumb::pruning
