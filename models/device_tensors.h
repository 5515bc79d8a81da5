#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "models/decoder.h"

namespace plumb::models {

/// Every tensor of a block, for code that treats them alike.
inline constexpr std::array<at::Tensor Block::*, 14> kBlockTensors = {
    &Block::attention_norm,
    &Block::attention_norm_bias,
    &Block::query_key_value,
    &Block::query_key_value_bias,
    &Block::query_norm,
    &Block::key_norm,
    &Block::attention_out,
    &Block::attention_out_bias,
    &Block::feed_forward_norm,
    &Block::feed_forward_norm_bias,
    &Block::gate_up,
    &Block::gate_up_bias,
    &Block::down,
    &Block::down_bias};

/// Copies on a device; tensors that are there already are shared.
Block block_on(at::Device device, const Block& block);
Head head_on(at::Device device, const Head& head);

}  // namespace plumb::models
