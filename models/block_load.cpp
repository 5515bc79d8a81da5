#include "models/block_load.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <initializer_list>
#include <utility>

namespace plumb::models {

namespace {

/// `old`, where it has this shape and its memory is nobody else's; new memory otherwise.
at::Tensor room_for(at::Tensor& old, at::IntArrayRef shape, at::ScalarType type) {
  at::Tensor kept = std::move(old);
  old.reset();
  const bool fits = kept.defined() && kept.sizes() == shape && kept.scalar_type() == type &&
                    kept.use_count() == 1 && kept.storage().use_count() == 1;
  if (fits) return kept;
  kept.reset();  // before the new one is made
  return at::empty(shape, type);
}

at::Tensor load_matrix(const Checkpoint& checkpoint, Role role, int64_t block, at::ScalarType type,
                       at::Tensor& old) {
  at::Tensor out = room_for(old, shape_of(role, checkpoint.config()), type);
  checkpoint.load_into(role, block, out);
  return out;
}

/// Row-wise concatenation [sum of rows, columns], each part read to its place.
at::Tensor load_stacked(const Checkpoint& checkpoint, std::initializer_list<Role> roles,
                        int64_t block, std::initializer_list<int64_t> rows, int64_t columns,
                        at::ScalarType type, at::Tensor& old) {
  int64_t all = 0;
  for (const int64_t count : rows) all += count;
  at::Tensor joined = room_for(old, {all, columns}, type);
  int64_t row = 0;
  auto count = rows.begin();
  for (const Role role : roles) {
    checkpoint.load_into(role, block, joined.narrow(0, row, *count));
    row += *count++;
  }
  return joined;
}

/// Rows by head ([H, 3, head width]) become rows by kind ([3, H, head width]).
at::Tensor by_kind(const at::Tensor& fused, const ModelConfig& c) {
  return fused.view({c.head_count, 3, c.head_width, -1}).transpose(0, 1);
}

void load_query_key_value(const Checkpoint& checkpoint, int64_t index, at::ScalarType type,
                          Block& block, at::Tensor& old) {
  const ModelConfig& c = checkpoint.config();
  const bool bias = c.options.query_key_value_bias;
  if (checkpoint.architecture().fused == FusedOrder::kByHead) {
    const at::Tensor fused = checkpoint.load(Role::kQueryKeyValue, index, type);
    block.query_key_value = room_for(old, fused.sizes(), type);
    block.query_key_value.view({3, c.head_count, c.head_width, -1}).copy_(by_kind(fused, c));
    if (bias)
      block.query_key_value_bias =
          by_kind(checkpoint.load(Role::kQueryKeyValueBias, index, at::kFloat), c).reshape({-1});
    return;
  }
  const int64_t query = c.head_count * c.head_width, key = c.kv_head_count * c.head_width;
  block.query_key_value = load_stacked(checkpoint, {Role::kQuery, Role::kKey, Role::kValue}, index,
                                       {query, key, key}, c.width, type, old);
  if (bias)
    block.query_key_value_bias = at::cat({checkpoint.load(Role::kQueryBias, index, at::kFloat),
                                          checkpoint.load(Role::kKeyBias, index, at::kFloat),
                                          checkpoint.load(Role::kValueBias, index, at::kFloat)});
}

}  // namespace

at::Tensor load_gain(const Checkpoint& checkpoint, Role role, int64_t block) {
  at::Tensor gain = checkpoint.load(role, block, at::kFloat);
  const bool less_one = checkpoint.config().options.gain_minus_one && !checkpoint.is_gguf();
  return less_one ? gain.add_(1) : gain;
}

at::Tensor load_vector(const Checkpoint& checkpoint, Role role, int64_t block) {
  return has_role(role, checkpoint.config()) ? checkpoint.load(role, block, at::kFloat)
                                             : at::Tensor();
}

Block load_block(const Checkpoint& checkpoint, int64_t index, at::ScalarType type, Block reused) {
  const ModelConfig& c = checkpoint.config();
  const int64_t F = c.feed_forward_width;
  Block block;
  block.original_index = index;
  block.attention_norm = load_gain(checkpoint, Role::kAttentionNorm, index);
  block.attention_norm_bias = load_vector(checkpoint, Role::kAttentionNormBias, index);
  load_query_key_value(checkpoint, index, type, block, reused.query_key_value);
  block.query_norm = load_vector(checkpoint, Role::kQueryNorm, index);
  block.key_norm = load_vector(checkpoint, Role::kKeyNorm, index);
  block.attention_out =
      load_matrix(checkpoint, Role::kAttentionOut, index, type, reused.attention_out);
  block.attention_out_bias = load_vector(checkpoint, Role::kAttentionOutBias, index);
  if (has_role(Role::kFeedForwardNorm, c))
    block.feed_forward_norm = load_gain(checkpoint, Role::kFeedForwardNorm, index);
  block.feed_forward_norm_bias = load_vector(checkpoint, Role::kFeedForwardNormBias, index);
  block.gate_up = c.options.gated ? load_stacked(checkpoint, {Role::kGate, Role::kUp}, index,
                                                 {F, F}, c.width, type, reused.gate_up)
                                  : load_matrix(checkpoint, Role::kUp, index, type, reused.gate_up);
  block.gate_up_bias = load_vector(checkpoint, Role::kUpBias, index);
  if (has_role(Role::kGateBias, c))
    block.gate_up_bias =
        at::cat({checkpoint.load(Role::kGateBias, index, at::kFloat), block.gate_up_bias});
  block.down = load_matrix(checkpoint, Role::kDown, index, type, reused.down);
  block.down_bias = load_vector(checkpoint, Role::kDownBias, index);
  return block;
}

}  // namespace plumb::models
