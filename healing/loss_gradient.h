#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "models/config.h"
#include "models/decoder.h"

namespace plumb::healing {

/// -ln p in nats of each target [N], and d (sum of them) / d x [N, D], both wide.
struct LossGradient {
  at::Tensor losses;
  at::Tensor gradient;
};

/// x before the final norm [N, D], targets [N] on x's device. Rows go in chunks whose logits take at most `chunk_bytes` (or are one
/// row); no [N, V] is ever held. Logits, softmax and its gradient are wide; the unembedding's products take
/// operands in its dtype.
LossGradient loss_gradient(const models::Head& head, const models::ModelConfig& config,
                           const at::Tensor& x, const at::Tensor& targets,
                           int64_t chunk_bytes = int64_t{48} << 20);

}  // namespace plumb::healing
