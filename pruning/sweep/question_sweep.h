#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "metrics/tasks/request.h"
#include "models/activation_store.h"
#include "models/decoder.h"
#include "pruning/plan.h"
#include "pruning/sweep/question_packs.h"
#include "pruning/sweep/step_log.h"

namespace plumb::pruning {

struct QuestionSweepOptions {
  int64_t rows_per_pack = 16384;  ///< about; a pack holds a request at least
  models::ActivationRoom room = {};
  /// Called after each block: block evaluations done and to be done, each counted once per pack.
  std::function<void(int64_t done, int64_t all)> progress = {};
  /// Packs that are known already, and who is told of the others.
  StepLog log = {};
};

/// What every plan says to every question.
struct QuestionScores {
  /// [plan as asked][request][choice]: logits of letters, or sums of ln p in nats.
  std::vector<std::vector<std::vector<double>>> values;
  int64_t block_evaluations = 0;        ///< distinct prefixes of kept blocks, each once
  int64_t block_evaluations_alone = 0;  ///< as pruning::block_evaluations_alone
  int64_t plans_distinct = 0;
  int64_t tokens_run = 0;    ///< rows of all packs
  int64_t tokens_alone = 0;  ///< of every sequence alone, as a harness without sharing runs them
};

/// Evaluates every plan on every question in one walk of their trie for each pack. On the CPU the values are the bits of
/// each plan and each sequence alone: neither packs nor threads change them.
///
/// Error{kInput} naming plan and request when a value is not finite; Error{kUsage} for no plans or plans that do not fit
/// the decoder, for no requests, rows_per_pack below 1; Error{kInvariant} as pack_questions.
QuestionScores sweep_questions(const models::Decoder& decoder,
                               std::span<const metrics::Request> requests,
                               std::span<const PruningPlan> plans,
                               const QuestionSweepOptions& options);

}  // namespace plumb::pruning
