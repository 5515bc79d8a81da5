#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "models/activation_store.h"
#include "models/decoder.h"
#include "models/documents.h"
#include "pruning/plan.h"
#include "pruning/sweep/step_log.h"

namespace plumb::pruning {

struct SweepOptions {
  /// B of every product. The last step has the documents that are left, so its products may be
  /// smaller; they are so for every plan and whether plans run together or alone.
  int64_t documents_per_step = 8;
  int64_t positions = 0;  ///< predicted positions per document; 0 = all T - 1; never 1 of several
  uint64_t seed = 0;      ///< of the positions
  models::ActivationRoom room = {};  ///< where the decoder's blocks come and go: for what waits
  /// Called after each block: block evaluations done and to be done, each counted once per step.
  std::function<void(int64_t done, int64_t all)> progress;
  /// Steps of documents that are known already, and who is told of the others.
  StepLog log = {};
};

/// A measure of every plan on every document.
struct PerDocument {
  std::vector<std::vector<double>> mean;  ///< [plan as asked][document], over the positions
  /// Where positions were subsampled: variance of that mean (with the finite population correction); empty otherwise.
  std::vector<std::vector<double>> variance;
};

/// Loss of every plan on every document.
struct SweepLosses {
  /// [plan as asked][document]: mean of -ln p over the positions.
  std::vector<std::vector<double>> loss_nats;
  /// Where positions were subsampled: variance of the mean over positions of each document (with
  /// the finite population correction), [plan][document]; empty otherwise.
  std::vector<std::vector<double>> position_variance;
  /// Against the whole model at the same positions: KL(whole || pruned) over the vocabulary in nats, and the share of
  /// positions whose likeliest token is the whole model's. None where no plan keeps all blocks (n = 0).
  std::optional<PerDocument> divergence_nats, same_top;
  int64_t block_evaluations = 0;        ///< distinct prefixes of kept blocks, each once
  int64_t block_evaluations_alone = 0;  ///< as `pruning::block_evaluations_alone`
  int64_t plans_distinct = 0;
  int64_t positions_per_document = 0;
  int64_t peak_activations = 0;  ///< activations [B, T, D] that waited or were worked on at once
  uint64_t spilled_bytes = 0;    ///< activations written to the room's file, in all
};

/// Evaluates every plan in one walk of their trie. Bit-equal to `sweep` of each plan alone with the same options and
/// documents, whatever the decoder keeps in memory and whatever the room.
///
/// A decoder that keeps its blocks is walked depth first, once per step of documents: one activation [B, T, D] is held per
/// open branch, `DepthTrie::peak_activations()` of them, beside what one block or the loss needs. Where blocks come and
/// go the outer loop is over them: each is got once, for all steps and all branches, and the activations that wait for
/// a later one are in the room. Branches into blocks that stay are finished at once in both.
///
/// Error{kInput} naming plan and document when a loss is not finite, and for no documents;
/// Error{kUsage} for no plans, plans that do not fit the decoder, documents of fewer than 2 tokens,
/// or options out of range.
///
/// Where the whole model is among the plans, what a step's plans are read from ([B * positions, D] each) waits until all of
/// them are there, so that each logit is made once: in memory up to `kWaitingReadBytes` or the room, in the room's file
/// beyond that.
inline constexpr uint64_t kWaitingReadBytes = uint64_t{256} << 20;
SweepLosses sweep(const models::Decoder& decoder, const models::TokenBatch& documents,
                  std::span<const PruningPlan> plans, const SweepOptions& options);

/// The predicted positions of the document with number `ordinal` (its line in the file, so that
/// they do not depend on what else is evaluated): `count` of 1..T-1 drawn without replacement by
/// the seed, ascending; all of them for count 0 or count >= T - 1. Error{kUsage} for a negative
/// count or T < 2.
std::vector<int64_t> sampled_positions(int64_t token_count, int64_t count, uint64_t seed,
                                       int64_t ordinal);

}  // namespace plumb::pruning
