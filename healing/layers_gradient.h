#pragma once

#include <ATen/core/Tensor.h>

#include "models/aten_block.h"
#include "models/config.h"

/// The parts of a block that have no trained weight, forward and backward. What comes in may be rounded (bf16); what is
/// computed is wide: fp32, or fp64 of fp64. So is what comes out, but where `products`, the type of the product that takes
/// it, is given: that is then the type, rounded once, where a fused kernel makes it (healing/fused_rows.h).
///
/// In inference mode and on the CPU, rows go through these in pieces that stay in a core's cache, one piece on one thread; a row's
/// bits do not depend on the others. Where autograd records, all rows are one piece.
namespace plumb::healing {

/// The type that everything but frozen products is computed in.
at::ScalarType wide_type(at::ScalarType type);

struct NormWeights {
  models::Norm norm = models::Norm::kRms;
  at::Tensor gain;
  at::Tensor bias;  ///< may be undefined
  double epsilon = 0;
};
at::Tensor norm(const at::Tensor& x, const NormWeights& weights);
/// What a product of weights of that type takes.
at::Tensor norm_for(at::ScalarType products, const at::Tensor& x, const NormWeights& weights);
/// d loss / d x of norm(x), given d loss / d norm(x).
at::Tensor norm_gradient(const at::Tensor& x, const NormWeights& weights,
                         const at::Tensor& gradient);
/// The same, added to `plus`, wide.
at::Tensor plus_norm_gradient(const at::Tensor& plus, const at::Tensor& x,
                              const NormWeights& weights, const at::Tensor& gradient);

/// What attention gives of queries, keys and values as one product makes them [B, T, H + 2 G]: norms of queries and keys,
/// rotation, softmax of what each token sees. [B, T, H]
struct AttentionWeights {
  at::Tensor query_norm, key_norm;  ///< may be undefined
};
at::Tensor attention(const at::Tensor& heads, const AttentionWeights& weights,
                     const models::ModelConfig& config, const models::AtenPositions& positions);
/// d loss / d heads. A thread holds the weights of 128 queries of one sequence and one key-value head at a time.
at::Tensor attention_gradient(const at::Tensor& heads, const AttentionWeights& weights,
                              const models::ModelConfig& config,
                              const models::AtenPositions& positions, const at::Tensor& gradient,
                              at::ScalarType products);

/// act(gate) * up, or act(up): [.., 2 F] -> [.., F] or [.., F] -> [.., F].
at::Tensor activation(const at::Tensor& inner, const models::ModelConfig& config,
                      at::ScalarType products);
at::Tensor activation_gradient(const at::Tensor& inner, const models::ModelConfig& config,
                               const at::Tensor& gradient, at::ScalarType products);

}  // namespace plumb::healing
