#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "healing/training_group.h"

namespace plumb::healing {

/// The sum of a step's gradients, each of one batch, added in the batches' order,
///
///     ((g_0 + g_1) + g_2) + ...
///
/// whoever computed them: the same bits in one process as in any number of them. Of several, rank r has the batches r,
/// r + count, r + 2 count, ...; each adds up a part of the elements, to which all send theirs after every batch, and in the
/// end every rank gets all parts. So a rank sends each gradient once, and holds one part of the sum beside its own gradient.
class GradientSum {
 public:
  /// `group` may be null: one process.
  explicit GradientSum(const TrainingGroup* group) : group_(group) {}

  /// The gradients of this process' next batch. All, equally often.
  void add(const std::vector<at::Tensor>& gradients);
  /// The sum, in the shapes of what was added. All, once; Error{kInvariant} where nothing was added.
  std::vector<at::Tensor> total();

 private:
  bool alone() const { return group_ == nullptr || group_->count() == 1; }

  const TrainingGroup* group_;
  std::vector<at::Tensor> sums_;  ///< in one process; else of their shapes alone
  at::Tensor part_;               ///< [n], this rank's part of all elements
};

}  // namespace plumb::healing
