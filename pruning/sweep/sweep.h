#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/decoder.h"
#include "models/documents.h"
#include "pruning/plan.h"

namespace plumb::pruning {

struct SweepOptions {
  int64_t documents_per_step = 8;   ///< B of every product
  int64_t positions = 0;            ///< predicted positions per document; 0 = all T - 1
  uint64_t seed = 0;                ///< of the positions
  std::function<void(int64_t done, int64_t all)> progress;  ///< block evaluations
};

/// Loss of every plan on every document.
struct SweepLosses {
  std::vector<std::vector<double>> loss_nats;  ///< [plan as asked][document]: mean of -ln p over the positions
  /// Where positions were subsampled: variance of the mean over positions of each document (with the finite population
  /// correction), [plan][document]; empty otherwise.
  std::vector<std::vector<double>> position_variance;
  int64_t block_evaluations = 0;
  int64_t block_evaluations_alone = 0;
  int64_t plans_distinct = 0;
  int64_t positions_per_document = 0;
};

/// Evaluates every plan in one depth-first walk of their trie per step of documents. Bit-equal to `sweep` of each plan
/// alone with the same options. Holds one activation [B, T, D] per open branch.
/// Error{kInput} naming plan and document when a loss is not finite.
SweepLosses sweep(const models::Decoder& decoder, const models::TokenBatch& documents,
                  std::span<const PruningPlan> plans, const SweepOptions& options);

/// The predicted positions of document `ordinal`: `count` of 1..T-1 drawn without replacement by the seed, ascending;
/// all of them for count 0 or count >= T - 1.
std::vector<int64_t> sampled_positions(int64_t token_count, int64_t count, uint64_t seed,
                                       int64_t ordinal);

}  // namespace plumb::pruning
