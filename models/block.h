#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "models/config.h"

namespace plumb::models {

/// The tensors of one block, contiguous: matrices in the decoder's dtype, vectors in fp32; undefined where the options
/// of the config have none. Products that share their input are stored as one matrix, so that the input is read once.
/// H and G are query heads and key-value heads times head width.
struct Block {
  int64_t original_index = 0;         ///< in the checkpoint, kept through pruning
  at::Tensor attention_norm;          ///< [D]
  at::Tensor query_key_value;         ///< [H + 2 G, D]
  at::Tensor attention_out;           ///< [D, H]
  at::Tensor feed_forward_norm;       ///< [D]
  at::Tensor gate_up;                 ///< [2 F, D], gate first; [F, D] where ungated
  at::Tensor down;                    ///< [D, F]
  at::Tensor attention_norm_bias;     ///< [D]
  at::Tensor query_key_value_bias;    ///< [H + 2 G]
  at::Tensor query_norm;              ///< [head width] or [H]
  at::Tensor key_norm;                ///< [head width] or [G]
  at::Tensor attention_out_bias;      ///< [D]
  at::Tensor feed_forward_norm_bias;  ///< [D]
  at::Tensor gate_up_bias;            ///< [2 F] or [F]
  at::Tensor down_bias;               ///< [D]

  uint64_t size_bytes() const;
};

/// Error{kInvariant} naming the tensor that is missing, has another shape or dtype than a decoder of `config` needs, or
/// that such a decoder has not. Makes every tensor contiguous.
void require_block(Block& block, const ModelConfig& config, at::ScalarType type);

/// size_bytes() of every block of a decoder of `config`, from the config alone.
uint64_t block_bytes_of(const ModelConfig& config, at::ScalarType type);

/// The same for one tensor: `name` is for the message.
void require_tensor(const char* name, at::Tensor& tensor, at::IntArrayRef shape,
                    at::ScalarType type);
/// A vector [size] of fp32, or none unless `has`.
void require_vector(const char* name, at::Tensor& tensor, bool has, int64_t size);

}  // namespace plumb::models
