#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "healing/adamw.h"
#include "healing/adapter.h"
#include "healing/schedule.h"
#include "healing/trained_block.h"
#include "healing/training_group.h"
#include "models/decoder.h"
#include "models/layers/rope_table.h"

namespace plumb::healing {

struct TrainerOptions {
  LoraOptions lora;
  AdamWOptions adamw;
  Schedule schedule;
  double largest_norm = 1;   ///< of the gradients; above it they are scaled down
  int64_t accumulation = 1;  ///< batches of a step
  uint64_t seed = 0;         ///< of the adapters and of dropout
  /// What states are rounded to between the parts of a block, and kept as; the decoder's dtype or narrower.
  models::Dtype states = models::Dtype::kFp32;
  const TrainingGroup* group =
      nullptr;  ///< that shares each step's batches; null: this process alone
};

/// What a step showed.
struct TrainedStep {
  double loss = 0;           ///< mean of -ln p in nats, before the step
  double gradient_norm = 0;  ///< before clipping
  double learning_rate = 0;
};

/// Fine-tunes the adapters of a frozen decoder. Of a block's forward pass the results of its products are kept, so that none is
/// computed twice, and nothing for its weights; a block is asked for twice a batch, once on the way there and once on the
/// way back.
///
/// Runs where the decoder is, with the kernels of its plug-in that there are (healing/device_kernels.h); adapters, their gradients and
/// moments are there too.
///
/// Same decoder, options and batches give the same bits, also where it was restored in between, and on any number of processes:
/// each computes whole batches, and gradients and losses are added in the batches' order (healing/gradient_sum.h).
class Trainer {
 public:
  Trainer(const models::Decoder& decoder, const TrainerOptions& options);

  /// One step over `accumulation` batches of tokens [B, T] int64 on the CPU, all of them also where others compute some. Error{kInput} where the loss or a gradient is not finite: the
  /// adapters are then as before the step.
  TrainedStep step(const std::vector<at::Tensor>& batches);

  /// Mean of -ln p over the predicted tokens of each sequence of `tokens` [B, T], with the adapters as they are, without dropout.
  std::vector<double> losses(const at::Tensor& tokens) const;

  int64_t steps_done() const { return adamw_.steps(); }
  const std::vector<BlockAdapter>& adapters() const { return adapters_; }
  const AdamW& optimizer() const { return adamw_; }
  /// Goes on from there; `parameters` in the order of matrices(). Error{kInvariant} for other shapes.
  void restore(const std::vector<at::Tensor>& parameters, int64_t steps,
               const std::vector<at::Tensor>& first, const std::vector<at::Tensor>& second);

 private:
  TrainedBlock trained(const models::Block& block, const models::AtenPositions& positions,
                       size_t index, uint64_t first_row) const;
  double gradients_of(const at::Tensor& tokens, int64_t batch,
                      std::vector<BlockAdapter>& out) const;
  std::vector<double> of_all(const std::vector<double>& losses) const;
  models::AtenPositions positions(int64_t tokens) const;

  const models::Decoder& decoder_;
  TrainerOptions options_;
  mutable models::RopeTable rope_;
  std::vector<BlockAdapter> adapters_;
  AdamW adamw_;
};

/// Copies on a device; those that are there already are shared.
std::vector<BlockAdapter> adapters_on(at::Device device, const std::vector<BlockAdapter>& adapters);

/// Every matrix of the adapters in a fixed order: blocks, targets, A before B.
std::vector<at::Tensor> matrices(const std::vector<BlockAdapter>& adapters);

}  // namespace plumb::healing
