#include "pruning/sweep/written_sweep.h"

#include <algorithm>

#include "base/error.h"
#include "models/greedy.h"
#include "pruning/sweep/trie.h"

namespace plumb::pruning {
namespace {

using metrics::Request;

constexpr double kNoToken = -1;  ///< behind an answer's last token, in the numbers of a step

void require_usable(const models::Decoder& decoder, std::span<const Request> requests,
                    std::span<const PruningPlan> plans, const WrittenSweepOptions& options) {
  if (plans.empty()) throw Error(ErrorKind::kUsage, "a sweep of no plans; at least 1 is needed");
  if (requests.empty()) throw Error(ErrorKind::kUsage, "no questions; at least 1 is needed");
  if (options.max_tokens < 1 || options.requests_per_step < 1)
    throw Error(ErrorKind::kUsage,
                text("answers have at most ", options.max_tokens, " tokens and steps ",
                     options.requests_per_step, " questions; at least 1 of each is needed"));
  if (plans.front().block_count != decoder.block_count())
    throw Error(ErrorKind::kUsage, text("the plans are for ", plans.front().block_count,
                                        " blocks, but the model has ", decoder.block_count()));
  for (const Request& request : requests)
    if (request.reading != metrics::Reading::kGeneration || request.sequences.size() != 1)
      throw Error(ErrorKind::kUsage,
                  "a question has choices; needed are questions that are answered in writing");
}

/// The steps of one sweep, and what comes out of them.
class Writing {
 public:
  Writing(const models::Decoder& decoder, std::span<const Request> requests,
          std::span<const PruningPlan> plans, const WrittenSweepOptions& options)
      : decoder_(decoder),
        requests_(requests),
        plans_(plans),
        options_(options),
        trie_(make_trie(plans)),
        per_step_(static_cast<size_t>(options.requests_per_step)),
        width_(static_cast<size_t>(options.max_tokens)),
        numbers_(options.log, trie_.distinct.size(), widths()) {}

  void run() {
    const auto all = static_cast<int64_t>(trie_.distinct.size() * requests_.size());
    int64_t done = all;
    for (const size_t step : numbers_.missing())
      done -= static_cast<int64_t>(trie_.distinct.size() * of_step(step).size());
    for (const size_t step : numbers_.missing())
      for (size_t plan = 0; plan < trie_.distinct.size(); ++plan) {
        write(plan, step);
        done += static_cast<int64_t>(of_step(step).size());
        if (options_.log.meanwhile) options_.log.meanwhile();
        if (options_.progress) options_.progress(done, all);
      }
    numbers_.complete();
  }

  WrittenTexts texts() const {
    WrittenTexts out;
    out.plans_distinct = static_cast<int64_t>(trie_.distinct.size());
    for (const size_t distinct : trie_.distinct_of) {
      std::vector<std::vector<int32_t>> answers;
      for (size_t i = 0; i < requests_.size(); ++i) answers.push_back(tokens(distinct, i));
      out.tokens.push_back(std::move(answers));
    }
    return out;
  }

 private:
  std::span<const Request> of_step(size_t step) const {
    const size_t first = step * per_step_;
    return requests_.subspan(first, std::min(per_step_, requests_.size() - first));
  }

  std::vector<size_t> widths() const {
    std::vector<size_t> out;
    for (size_t step = 0; step * per_step_ < requests_.size(); ++step)
      out.push_back(width_ * of_step(step).size());
    return out;
  }

  void write(size_t plan, size_t step) try {
    std::vector<std::vector<int32_t>> prompts;
    for (const Request& request : of_step(step)) prompts.push_back(request.sequences.front().ids);
    const auto written = models::write_greedily(decoder_.with_blocks(trie_.distinct[plan]), prompts,
                                                {options_.max_tokens, options_.end, options_.stop});
    const std::span<double> out = numbers_.of(plan, step);
    std::fill(out.begin(), out.end(), kNoToken);
    for (size_t i = 0; i < written.size(); ++i)
      std::copy(written[i].begin(), written[i].end(), out.subspan(i * width_).begin());
    numbers_.measured(step);
  } catch (const Error& error) {
    const PruningPlan& named = plans_[trie_.asked(plan)];
    throw error.within(text("plan '", named.strategy, "', n = ", named.removed_count(),
                            ", questions from ", step * per_step_));
  }

  std::vector<int32_t> tokens(size_t distinct, size_t request) const {
    std::vector<int32_t> out;
    const std::span<const double> numbers = numbers_.of(distinct, request / per_step_);
    for (const double number : numbers.subspan(request % per_step_ * width_, width_)) {
      if (number == kNoToken) break;
      out.push_back(static_cast<int32_t>(number));
    }
    return out;
  }

  const models::Decoder& decoder_;
  std::span<const Request> requests_;
  std::span<const PruningPlan> plans_;
  const WrittenSweepOptions& options_;
  DepthTrie trie_;
  size_t per_step_, width_;
  StepNumbers numbers_;
};

}  // namespace

WrittenTexts sweep_written(const models::Decoder& decoder, std::span<const Request> requests,
                           std::span<const PruningPlan> plans, const WrittenSweepOptions& options) {
  require_usable(decoder, requests, plans, options);
  Writing writing(decoder, requests, plans, options);
  writing.run();
  return writing.texts();
}

}  // namespace plumb::pruning
