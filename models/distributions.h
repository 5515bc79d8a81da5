#pragma once

#include <ATen/core/Tensor.h>

namespace plumb::models {

/// How each of M models predicts the same N positions, and how far its distribution over the vocabulary is from the first
/// model's; [M, N] each.
struct Distributions {
  at::Tensor loss;        ///< fp32, -ln p of the target, nats
  at::Tensor divergence;  ///< fp32, KL(first || model), nats
  at::Tensor top;         ///< int64, the likeliest token; of equal ones the first

  Distributions on_host() const {
    return {loss.to(at::kCPU), divergence.to(at::kCPU), top.to(at::kCPU)};
  }
};

}  // namespace plumb::models
