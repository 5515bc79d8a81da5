#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "models/decoder.h"
#include "models/layers/rope_table.h"

namespace plumb::models {

/// The arithmetic of Decoder as ATen operations: for every device and dtype, whole sequences and with a cache, all
/// families. On the CPU the panels of models/kernels/panels.h are faster and the ones that Decoder uses.
///
/// Every tensor of a call is on one device; these functions make theirs there. Norms, rotation, activation, softmax and
/// loss are fp32 whatever the dtype; a product's result is rounded to the dtype of its input.
/// Errors: none of their own, as Decoder checks shapes; what libtorch throws passes through.
/// Thread rule: may run concurrently on different states.

/// Where T tokens of a sequence stand, and which keys they see.
struct AtenPositions {
  int64_t first = 0;  ///< position of the first of them
  at::Tensor cosine;  ///< [T, rotary width / 2] fp32
  at::Tensor sine;
  bool causal =
      false;  ///< a token sees itself and all before it, and there are no others: no mask is needed
  at::Tensor
      mask;  ///< [T, first + T], true where a key is seen; undefined where all are, or with `causal`
};
/// Of T tokens from position `first` on. `rope` is read where the table lies; the result is on `device`.
AtenPositions aten_positions(RopeTable& rope, const ModelConfig& config, int64_t first,
                             int64_t tokens, at::Device device);

/// Keys and values of a block, [B, kv heads, capacity, head width] each, filled up to positions.first.
struct AtenCache {
  at::Tensor keys;
  at::Tensor values;
};

/// Adds what the block computes to x [B, T, D], in place. With a cache, the tokens see what it holds and are appended.
void aten_block(const Block& block, const ModelConfig& config, const AtenPositions& positions,
                at::Tensor& x, const AtenCache* cache = nullptr);

at::Tensor aten_final_norm(const Head& head, const ModelConfig& config, const at::Tensor& x);

/// x before the final norm, [.., D] -> [.., V] in fp32. Products of bf16 are summed and kept in fp32.
at::Tensor aten_logits(const Head& head, const ModelConfig& config, const at::Tensor& x);

/// -ln p in nats of each target, x [N, D] before the final norm and targets [N] -> [N] fp32. Rows go in chunks whose
/// logits take at most `chunk_bytes` (or are one row); three times that is held beside the operands, and no [N, V].
inline constexpr int64_t kLossChunkBytes = int64_t{256} << 20;
at::Tensor aten_cross_entropy(const Head& head, const ModelConfig& config, const at::Tensor& x,
                              const at::Tensor& targets, int64_t chunk_bytes = kLossChunkBytes);

/// The same loss, to the bit, of several models' states, and how each model's distribution differs from the first's. Twice
/// as much is held.
Distributions aten_distributions(const Head& head, const ModelConfig& config,
                                 std::span<const at::Tensor> x, const at::Tensor& targets,
                                 int64_t chunk_bytes = kLossChunkBytes);

/// Device memory that blocks and loss of B x T tokens need at most beside weights: states, what a block makes of them,
/// and the loss' logits. An upper bound for both dtypes where attention is one operation of the device's; one that is
/// made of others holds B H T T weights more.
uint64_t aten_working_bytes(const ModelConfig& config, int64_t tokens);

}  // namespace plumb::models
