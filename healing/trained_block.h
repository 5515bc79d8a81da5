#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "healing/adapter.h"
#include "models/aten_block.h"
#include "models/block.h"
#include "models/config.h"

namespace plumb::healing {

/// What a block's backward pass needs of its forward pass; the rest is cheap and made again. In the dtype of the input.
struct BlockStates {
  at::Tensor input;  ///< x [B, T, D]
  at::Tensor heads;  ///< queries, keys and values before their norms and rotation, [B, T, H + 2 G]
  at::Tensor mixed;  ///< what attention gives, [B, T, H]
  at::Tensor attended;  ///< after attention_out, [B, T, D]; with BlockForm::kPostNorm alone
  at::Tensor middle;    ///< what the feed-forward adds to, [B, T, D]; but for kParallel
  at::Tensor inner;     ///< gate and up before the activation, [B, T, 2 F] or [B, T, F]
  at::Tensor fed;       ///< after down, [B, T, D]; with kPostNorm alone
};

/// Which of an adapter's inputs are dropped in one pass: a function of these numbers, so that the backward pass drops the
/// same ones without their being kept.
struct Dropout {
  double rate = 0;
  uint64_t seed = 0;
  uint64_t stream = 0;  ///< of this block
  uint64_t first_row =
      0;  ///< number of the input's first position among all that are trained on, whatever they are batched in
};

/// One frozen block with its adapter, forward and backward. Gradients are written by hand: nothing is kept for the frozen
/// weights, and autograd takes no part. Norms, rotation, attention, activation, the adapter's products and the gradient of x are
/// fp32 (fp64 where the input is), whatever the dtypes. A product of a frozen matrix takes operands in its dtype; what is
/// kept between the passes, and what comes out, is rounded to the input's.
///
/// All forms and options of models::ModelConfig. Weights on any device; the adapter is on the same one, in fp32 (or fp64).
class TrainedBlock {
 public:
  TrainedBlock(const models::Block& block, const models::ModelConfig& config,
               const models::AtenPositions& positions, const BlockAdapter& adapter, double scale,
               Dropout dropout = {})
      : block_(block),
        config_(config),
        positions_(positions),
        adapter_(adapter),
        scale_(scale),
        dropout_(dropout) {}

  /// x [B, T, D] of whole sequences from position 0 -> what the block makes of it. `states` may be null.
  at::Tensor forward(const at::Tensor& x, BlockStates* states) const;

  /// d loss / d output [B, T, D], wide -> d loss / d x, wide. Adds d loss / d A and B to `gradients`. Where nobody asks for
  /// the gradient of x (the first block), what leads to it alone is left out, and an undefined tensor comes back.
  at::Tensor backward(const BlockStates& states, const at::Tensor& gradient,
                      BlockAdapter& gradients, bool of_input = true) const;

 private:
  const models::Block& block_;
  const models::ModelConfig& config_;
  const models::AtenPositions& positions_;
  const BlockAdapter& adapter_;
  double scale_;
  Dropout dropout_;
};

}  // namespace plumb::healing
