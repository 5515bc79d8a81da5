#include "metrics/cost/arithmetic.h"

#include "base/error.h"
#include "models/architecture.h"

namespace plumb::metrics {
namespace {

int64_t product_weights(const models::ModelConfig& c) {
  const int64_t query = c.head_count * c.head_width, key_value = 2 * c.kv_head_count * c.head_width;
  const int64_t feed_forward = c.options.gated ? 3 : 2;
  return c.width * (query + key_value) + query * c.width +
         feed_forward * c.width * c.feed_forward_width;
}

/// Norms and biases of a block.
int64_t vector_weights(const models::ModelConfig& c) {
  int64_t sum = 0;
  for (int i = static_cast<int>(models::Role::kAttentionNorm);
       i <= static_cast<int>(models::Role::kDownBias); ++i) {
    const auto role = static_cast<models::Role>(i);
    // The fused one is the three others together.
    if (role == models::Role::kQueryKeyValueBias || !models::has_role(role, c)) continue;
    if (const auto shape = models::shape_of(role, c); shape.size() == 1) sum += shape.front();
  }
  return sum;
}

}  // namespace

double predicted_fraction(int64_t n, int64_t block_count) {
  if (block_count < 1 || n < 0 || n > block_count)
    throw Error(ErrorKind::kInvariant, text("the fraction that stays when ", n, " of ", block_count,
                                            " blocks go; n must be in 0..L and L at least 1"));
  return static_cast<double>(block_count - n) / static_cast<double>(block_count);
}

int64_t block_parameters(const models::ModelConfig& c) {
  return product_weights(c) + vector_weights(c);
}

int64_t model_parameters(const models::ModelConfig& c) {
  const int64_t embedding = c.vocabulary_size * c.width;
  int64_t vectors = c.width;
  if (models::has_role(models::Role::kFinalNormBias, c)) vectors += c.width;
  if (models::has_role(models::Role::kUnembeddingBias, c)) vectors += c.vocabulary_size;
  return c.block_count * block_parameters(c) + vectors + embedding * (c.tied_embeddings ? 1 : 2);
}

int64_t block_flops_per_token(const models::ModelConfig& c, int64_t context) {
  return 2 * product_weights(c) + 4 * c.head_count * c.head_width * context;
}

int64_t head_flops_per_token(const models::ModelConfig& c) {
  return 2 * c.vocabulary_size * c.width;
}

}  // namespace plumb::metrics
