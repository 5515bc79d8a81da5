#pragma once

#include <cstdint>

#include "models/config.h"

namespace plumb::metrics {

/// What removing n of L blocks predicts for everything that is linear in the blocks (their bytes,
/// their FLOPs, their time): the fraction 1 - n / L stays. The embedding and the head stay whole.
/// Source: Gromov et al., arXiv:2403.17887. Error{kInvariant} unless 0 <= n <= L and L >= 1.
double predicted_fraction(int64_t n, int64_t block_count);

/// Weights of one block: query, key, value, attention out, gate, up, down and two norm gains.
int64_t block_parameters(const models::ModelConfig& config);

/// Weights of the whole model; a tied head counts once.
int64_t model_parameters(const models::ModelConfig& config);

/// Floating-point operations of one token in one block, where attention sees `context` positions
/// (itself included): 2 per weight of a product, 4 per context position and head component
/// (query x key and weight x value). Norms, rotations, softmax and SwiGLU's elementwise part are
/// left out.
int64_t block_flops_per_token(const models::ModelConfig& config, int64_t context);

/// Of the unembedding of one position: 2 V D.
int64_t head_flops_per_token(const models::ModelConfig& config);

}  // namespace plumb::metrics
