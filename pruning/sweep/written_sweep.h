#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "metrics/tasks/request.h"
#include "models/decoder.h"
#include "pruning/plan.h"
#include "pruning/sweep/step_log.h"

namespace plumb::pruning {

struct WrittenSweepOptions {
  int64_t max_tokens = 0;           ///< of every answer
  std::optional<int64_t> end = {};  ///< the token that ends a text
  /// Whether these tokens are a whole answer; may be empty.
  std::function<bool(std::span<const int32_t> written)> stop = {};
  int64_t requests_per_step = 16;  ///< they share what their prompts begin with
  StepLog log = {};                ///< of steps of requests
  /// Called after each plan's answers to a step: answers done and to be done.
  std::function<void(int64_t done, int64_t all)> progress = {};
};

/// What every plan writes.
struct WrittenTexts {
  std::vector<std::vector<std::vector<int32_t>>> tokens;  ///< [plan as asked][request]
  int64_t plans_distinct = 0;
};

/// Greedy answers of every distinct plan. Plans part after the first token, so a trie saves nothing here: each runs alone, with a
/// cache of keys and values. A step's answers are a function of its requests alone.
///
/// Error{kInput} naming plan and request for a logit that is not finite; Error{kUsage} for no plans or plans that do not
/// fit the decoder, for no requests, requests that ask for something else, or options out of range.
WrittenTexts sweep_written(const models::Decoder& decoder,
                           std::span<const metrics::Request> requests,
                           std::span<const PruningPlan> plans, const WrittenSweepOptions& options);

}  // namespace plumb::pruning
