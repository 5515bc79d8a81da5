#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace plumb::healing {

/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) as torch.optim has it, on any device.
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

class AdamW {
 public:
  /// Of these parameters, which it changes in place: fp32 or fp64.
  AdamW(std::vector<at::Tensor> parameters, const AdamWOptions& options);

  /// One step along the gradients, in the order and the shapes of the parameters. Error{kInvariant} for others.
  void step(const std::vector<at::Tensor>& gradients, double learning_rate);

  /// What it must be given back to go on: steps taken, and the moments in the parameters' order.
  int64_t steps() const { return steps_; }
  const std::vector<at::Tensor>& first_moments() const { return first_; }
  const std::vector<at::Tensor>& second_moments() const { return second_; }
  void restore(int64_t steps, const std::vector<at::Tensor>& first,
               const std::vector<at::Tensor>& second);

 private:
  std::vector<at::Tensor> parameters_, first_, second_;
  AdamWOptions options_;
  int64_t steps_ = 0;
};

/// The gradients' common Euclidean norm. Where it is above `largest`, scales them to it in place, as torch's clip_grad_norm_
/// does.
double clip_norm(std::vector<at::Tensor>& gradients, double largest);

}  // namespace plumb::healing
