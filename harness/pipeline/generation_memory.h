#pragma once

#include <cstdint>

#include "models/config.h"
#include "models/decoder.h"

namespace plumb::harness {

/// What greedy writing with a cache holds on the CPU beside what the process has without a model.
struct GenerationBytes {
  uint64_t weights = 0;      ///< exactly those of Decoder::weight_bytes()
  uint64_t cache = 0;        ///< keys and values of all positions
  uint64_t activations = 0;  ///< states, the kernels' scratch, logits
  uint64_t total() const { return weights + cache + activations; }
};

/// For `batch` prompts of `context` tokens and `tokens` more, from the config alone. `config.block_count` is that of the
/// decoder.
GenerationBytes generation_bytes(const models::ModelConfig& config, models::Dtype dtype,
                                 int64_t batch, int64_t context, int64_t tokens, int64_t threads);

}  // namespace plumb::harness
