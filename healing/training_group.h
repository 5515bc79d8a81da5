#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace plumb::healing {

/// Processes that train one adapter together, called ranks: each holds the whole of it, computes the gradients of some of a
/// step's batches, and takes the same step. All call these functions in the same order, with tensors of the same sizes on the
/// device that they train on (`gather` of losses: fp64 on the CPU).
class TrainingGroup {
 public:
  virtual ~TrainingGroup() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t count() const = 0;
  /// What moves the gradients: "MPI".
  virtual std::string library() const = 0;
  /// values [count, n] fp32: row r goes to rank r. What comes back are the rows that the ranks sent here, in their order.
  virtual at::Tensor exchange(const at::Tensor& values) const = 0;
  /// values [n] of each rank -> [count, n], in their order.
  virtual at::Tensor gather(const at::Tensor& values) const = 0;
};

}  // namespace plumb::healing
