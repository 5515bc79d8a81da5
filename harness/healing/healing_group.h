#pragma once

#include <cstdint>

#include "harness/healing/healing_options.h"
#include "harness/processes/processes.h"
#include "healing/training_group.h"

namespace plumb::harness {

/// Ranks that train together, by MPI: tensors of a device go through the host.
class HealingGroup : public healing::TrainingGroup {
 public:
  explicit HealingGroup(const Processes& processes) : processes_(processes) {}
  int64_t rank() const override { return processes_.rank(); }
  int64_t count() const override { return processes_.count(); }
  std::string library() const override { return "MPI"; }
  at::Tensor exchange(const at::Tensor& values) const override;
  at::Tensor gather(const at::Tensor& values) const override;

 private:
  const Processes& processes_;
};

/// A rank computes whole products. Where the products of a step (--accumulation) are no multiple of the ranks, they are made
/// smaller: the most sequences, at most `batch`, that give every rank as many products. The step's sequences stay the same, and
/// the numbers are those of one process with this batch and accumulation. True where that was done.
///
/// Against one process with the larger products, gradients are sums of the same n = sequences * T terms in another order. In fp32
/// each element of such a sum is off by at most 2 n 2^-24 of its terms' absolute sum s_i; AdamW makes that a step's difference of
/// at most 2 r 2 n 2^-24 s_i / |g_i| for the learning rate r, and to first order the loss after k steps differs by at most
///
///     |g_i| times that, over all elements and steps:   4 k r n 2^-24 sum_i s_i
///
/// In bf16 states are rounded between products: one of about 2^16 / sqrt(n) then falls to its other neighbour, 2^-8 of it away.
///
/// Error{kUsage} where the step's sequences are no multiple of the ranks.
bool share_batches(int64_t ranks, HealingOptions& options);

}  // namespace plumb::harness
