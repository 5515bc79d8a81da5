#include "harness/pipeline/generation_memory.h"

#include <c10/core/ScalarType.h>

#include "harness/pipeline/memory_plan.h"
#include "models/block.h"

namespace plumb::harness {

GenerationBytes generation_bytes(const models::ModelConfig& c, models::Dtype dtype, int64_t batch,
                                 int64_t context, int64_t tokens, int64_t threads) {
  const auto type = models::scalar_type(dtype);
  const uint64_t element = c10::elementSize(type);
  const auto bytes = [](int64_t count, uint64_t each) {
    return static_cast<uint64_t>(count) * each;
  };
  GenerationBytes out;
  const uint64_t matrix = bytes(c.vocabulary_size * c.width, element);
  out.weights = static_cast<uint64_t>(c.block_count) * block_bytes_of(c, type) +
                matrix * (c.tied_embeddings ? 1 : 2) +
                bytes(c.width * (c.options.norm == models::Norm::kLayer ? 2 : 1), sizeof(float)) +
                (c.options.unembedding_bias ? bytes(c.vocabulary_size, sizeof(float)) : 0);
  out.cache = bytes(2 * c.block_count * batch * c.kv_head_count * c.head_width * (context + tokens),
                    element);
  // The embedded prompts, their ids, and one row of logits a prompt, by the prefill and by a step.
  out.activations = kernel_bytes(c, batch, context, element, threads) +
                    bytes(batch * context, c.width * element + sizeof(int64_t)) +
                    bytes(2 * batch * c.vocabulary_size, sizeof(float));
  return out;
}

}  // namespace plumb::harness
