// Decoder::load: a checkpoint's tensors, joined into the matrices of Block.

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <numeric>

#include "models/decoder.h"

namespace plumb::models {

namespace {

/// Row-wise concatenation [sum of rows, columns]. Each part is decoded, copied and freed before the
/// next is read, so that loading needs one part beside the result.
at::Tensor load_stacked(const Checkpoint& checkpoint, std::initializer_list<Role> roles,
                        int64_t block, std::initializer_list<int64_t> rows, int64_t columns,
                        at::ScalarType type) {
  int64_t all = 0;
  for (const int64_t count : rows) all += count;
  at::Tensor joined = at::empty({all, columns}, type);
  int64_t row = 0;
  auto count = rows.begin();
  for (const Role role : roles) {
    joined.narrow(0, row, *count).copy_(checkpoint.load(role, block, type));
    row += *count++;
  }
  return joined;
}

/// A norm's gain; some families store what is added to 1, which GGUF's writer has added.
at::Tensor load_gain(const Checkpoint& checkpoint, Role role, int64_t block) {
  at::Tensor gain = checkpoint.load(role, block, at::kFloat);
  const bool less_one = checkpoint.config().options.gain_minus_one && !checkpoint.is_gguf();
  return less_one ? gain.add_(1) : gain;
}

/// A vector, or none where a decoder of this config has none.
at::Tensor load_vector(const Checkpoint& checkpoint, Role role, int64_t block = -1) {
  return has_role(role, checkpoint.config()) ? checkpoint.load(role, block, at::kFloat)
                                             : at::Tensor();
}

/// Rows by head ([H, 3, head width]) become rows by kind ([3, H, head width]).
at::Tensor by_kind(const at::Tensor& fused, const ModelConfig& c) {
  at::Tensor heads = fused.view({c.head_count, 3, c.head_width, -1});
  return heads.transpose(0, 1).contiguous().view(fused.sizes());
}

void load_query_key_value(const Checkpoint& checkpoint, int64_t index, at::ScalarType type,
                          Block& block) {
  const ModelConfig& c = checkpoint.config();
  const bool bias = c.options.query_key_value_bias;
  if (checkpoint.architecture().fused == FusedOrder::kByHead) {
    block.query_key_value = by_kind(checkpoint.load(Role::kQueryKeyValue, index, type), c);
    if (bias)
      block.query_key_value_bias =
          by_kind(checkpoint.load(Role::kQueryKeyValueBias, index, at::kFloat), c);
    return;
  }
  const int64_t query = c.head_count * c.head_width, key = c.kv_head_count * c.head_width;
  block.query_key_value = load_stacked(checkpoint, {Role::kQuery, Role::kKey, Role::kValue}, index,
                                       {query, key, key}, c.width, type);
  if (bias)
    block.query_key_value_bias = at::cat({checkpoint.load(Role::kQueryBias, index, at::kFloat),
                                          checkpoint.load(Role::kKeyBias, index, at::kFloat),
                                          checkpoint.load(Role::kValueBias, index, at::kFloat)});
}

Block load_block(const Checkpoint& checkpoint, int64_t index, at::ScalarType type) {
  const ModelConfig& c = checkpoint.config();
  const int64_t F = c.feed_forward_width;
  Block block;
  block.original_index = index;
  block.attention_norm = load_gain(checkpoint, Role::kAttentionNorm, index);
  block.attention_norm_bias = load_vector(checkpoint, Role::kAttentionNormBias, index);
  load_query_key_value(checkpoint, index, type, block);
  block.query_norm = load_vector(checkpoint, Role::kQueryNorm, index);
  block.key_norm = load_vector(checkpoint, Role::kKeyNorm, index);
  block.attention_out = checkpoint.load(Role::kAttentionOut, index, type);
  block.attention_out_bias = load_vector(checkpoint, Role::kAttentionOutBias, index);
  if (has_role(Role::kFeedForwardNorm, c))
    block.feed_forward_norm = load_gain(checkpoint, Role::kFeedForwardNorm, index);
  block.feed_forward_norm_bias = load_vector(checkpoint, Role::kFeedForwardNormBias, index);
  block.gate_up = c.options.gated ? load_stacked(checkpoint, {Role::kGate, Role::kUp}, index,
                                                 {F, F}, c.width, type)
                                  : checkpoint.load(Role::kUp, index, type);
  block.gate_up_bias = load_vector(checkpoint, Role::kUpBias, index);
  if (has_role(Role::kGateBias, c))
    block.gate_up_bias =
        at::cat({checkpoint.load(Role::kGateBias, index, at::kFloat), block.gate_up_bias});
  block.down = checkpoint.load(Role::kDown, index, type);
  block.down_bias = load_vector(checkpoint, Role::kDownBias, index);
  return block;
}

}  // namespace

Decoder Decoder::load(const Checkpoint& checkpoint, Dtype dtype) {
  std::vector<int64_t> all(static_cast<size_t>(checkpoint.config().block_count));
  std::iota(all.begin(), all.end(), int64_t{0});
  return load(checkpoint, dtype, all);
}

Decoder Decoder::load(const Checkpoint& checkpoint, Dtype dtype, std::span<const int64_t> kept) {
  const ModelConfig& config = checkpoint.config();
  const auto type = scalar_type(dtype);
  at::Tensor embedding = checkpoint.load(Role::kEmbedding, -1, type);
  std::vector<Block> blocks;
  for (const int64_t i : kept) blocks.push_back(load_block(checkpoint, i, type));
  Head head;
  head.norm = load_gain(checkpoint, Role::kFinalNorm, -1);
  head.norm_bias = load_vector(checkpoint, Role::kFinalNormBias);
  const bool tied = config.tied_embeddings || !checkpoint.find(Role::kUnembedding);
  head.unembedding = tied ? embedding : checkpoint.load(Role::kUnembedding, -1, type);
  head.unembedding_bias = load_vector(checkpoint, Role::kUnembeddingBias);
  return Decoder(config, dtype, std::move(embedding), std::move(blocks), std::move(head));
}

}  // namespace plumb::models
