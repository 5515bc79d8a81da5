// The arithmetic of Decoder: blocks, head and loss.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>

#include <algorithm>

#include "base/error.h"
#include "models/decoder.h"
#include "models/layers/rope_table.h"

namespace plumb::models {

namespace {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double epsilon) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale = at::rsqrt(wide.square().mean(-1, true) + epsilon);
  return (wide * scale * gain).to(x.scalar_type());
}

/// x [B, heads, T, head_width] at positions first .. first + T - 1.
at::Tensor rotate(const at::Tensor& x, const RopeTable::View& table, int64_t first) {
  const at::Tensor wide = x.to(at::kFloat);
  const int64_t half = x.size(-1) / 2, tokens = x.size(2);
  const at::Tensor a = wide.narrow(-1, 0, half), b = wide.narrow(-1, half, half);
  const at::Tensor cosine = table.cos.narrow(0, first, tokens),
                   sine = table.sin.narrow(0, first, tokens);
  return at::cat({a * cosine - b * sine, b * cosine + a * sine}, -1).to(x.scalar_type());
}

struct Heads {
  at::Tensor query, key, value;  ///< [B, heads, T, head_width]
};

Heads split_heads(const at::Tensor& product, const ModelConfig& c, const RopeTable::View& table,
                  int64_t first) {
  const int64_t B = product.size(0), T = product.size(1);
  const at::Tensor heads =
      product.view({B, T, c.head_count + 2 * c.kv_head_count, c.head_width}).transpose(1, 2);
  return {rotate(heads.narrow(1, 0, c.head_count), table, first),
          rotate(heads.narrow(1, c.head_count, c.kv_head_count), table, first),
          heads.narrow(1, c.head_count + c.kv_head_count, c.kv_head_count)};
}

at::Tensor feed_forward(const Block& block, const at::Tensor& x, const ModelConfig& c) {
  const at::Tensor product =
      at::linear(rms_norm(x, block.feed_forward_norm, c.norm_epsilon), block.gate_up);
  const int64_t F = c.feed_forward_width;
  const at::Tensor gate = product.narrow(-1, 0, F).to(at::kFloat),
                   up = product.narrow(-1, F, F).to(at::kFloat);
  return at::linear((at::silu(gate) * up).to(x.scalar_type()), block.down);
}

void require_states(const at::Tensor& x, const ModelConfig& c, Dtype dtype) {
  if (x.dim() < 1 || x.size(-1) != c.width || x.scalar_type() != scalar_type(dtype))
    throw Error(ErrorKind::kInvariant, text("states are ", x.sizes(), " ", x.scalar_type(),
                                            ", need [.., ", c.width, "] of ", dtype_name(dtype)));
}

}  // namespace

at::Tensor Decoder::run_block(int64_t index, const at::Tensor& x) const {
  at::Tensor out = x.clone();
  run_block_in_place(index, out);
  return out;
}

void Decoder::run_block_in_place(int64_t index, at::Tensor& x) const {
  require_states(x, config_, dtype_);
  const Block& b = block(index);
  const int64_t B = x.size(0), T = x.size(1);
  const at::Tensor product =
      at::linear(rms_norm(x, b.attention_norm, config_.norm_epsilon), b.query_key_value);
  const Heads heads = split_heads(product, config_, rope_->first(T), 0);
  const at::Tensor mixed = at::scaled_dot_product_attention(heads.query, heads.key, heads.value, {},
                                                            0.0, true, std::nullopt, true);
  x.add_(at::linear(mixed.transpose(1, 2).reshape({B, T, -1}), b.attention_out));
  x.add_(feed_forward(b, x, config_));
}

at::Tensor Decoder::final_norm(const at::Tensor& x) const {
  require_states(x, config_, dtype_);
  return rms_norm(x, final_norm_, config_.norm_epsilon);
}

at::Tensor Decoder::logits(const at::Tensor& x) const {
  return at::linear(final_norm(x), unembedding_).to(at::kFloat);
}

at::Tensor Decoder::cross_entropy(const at::Tensor& x, const at::Tensor& targets) const {
  constexpr int64_t kRows = 256;
  at::Tensor losses = at::empty({x.size(0)}, at::kFloat);
  for (int64_t row = 0; row < x.size(0); row += kRows) {
    const int64_t count = std::min(kRows, x.size(0) - row);
    const at::Tensor z = logits(x.narrow(0, row, count));
    const at::Tensor target = targets.narrow(0, row, count).unsqueeze(-1);
    losses.narrow(0, row, count).copy_(at::logsumexp(z, -1) - z.gather(-1, target).squeeze(-1));
  }
  return losses;
}

KvCache Decoder::make_cache(int64_t batch, int64_t capacity) const {
  KvCache cache;
  cache.capacity = capacity;
  for (int64_t i = 0; i < block_count(); ++i)
    for (auto* side : {&cache.keys, &cache.values})
      side->push_back(at::empty({batch, config_.kv_head_count, capacity, config_.head_width},
                                scalar_type(dtype_)));
  return cache;
}

at::Tensor Decoder::forward_cached(const at::Tensor& tokens, KvCache& cache) const {
  const int64_t first = cache.length, T = tokens.size(1), B = tokens.size(0);
  if (first + T > cache.capacity || static_cast<int64_t>(cache.keys.size()) != block_count())
    throw Error(ErrorKind::kInvariant,
                text(T, " tokens after position ", first, " and ", block_count(),
                     " blocks, but the cache holds ", cache.capacity, " positions and ",
                     cache.keys.size(), " blocks"));
  at::Tensor x = embed(tokens);
  const RopeTable::View table = rope_->first(first + T);
  at::Tensor mask;
  if (T > 1) mask = at::ones({T, first + T}, at::kBool).tril(first);
  for (int64_t i = 0; i < block_count(); ++i) {
    const Block& b = block(i);
    const at::Tensor product =
        at::linear(rms_norm(x, b.attention_norm, config_.norm_epsilon), b.query_key_value);
    const Heads heads = split_heads(product, config_, table, first);
    at::Tensor& keys = cache.keys[static_cast<size_t>(i)];
    at::Tensor& values = cache.values[static_cast<size_t>(i)];
    keys.narrow(2, first, T).copy_(heads.key);
    values.narrow(2, first, T).copy_(heads.value);
    const at::Tensor mixed = at::scaled_dot_product_attention(
        heads.query, keys.narrow(2, 0, first + T), values.narrow(2, 0, first + T),
        T > 1 ? std::optional<at::Tensor>(mask) : std::nullopt, 0.0, false, std::nullopt, true);
    x.add_(at::linear(mixed.transpose(1, 2).reshape({B, T, -1}), b.attention_out));
    x.add_(feed_forward(b, x, config_));
  }
  cache.length = first + T;
  return x;
}

}  // namespace plumb::models
