// The arithmetic of Decoder: blocks, head and loss.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>

#include <algorithm>

#include "base/error.h"
#include "models/decoder.h"
#include "models/kernels/panels.h"
#include "models/layers/rope_table.h"

namespace plumb::models {

namespace {

at::Tensor normed(const at::Tensor& x, Norm norm, const at::Tensor& gain, const at::Tensor& bias,
                  double epsilon) {
  at::Tensor wide = x.to(at::kFloat);
  if (norm == Norm::kLayer) wide = wide - wide.mean(-1, true);
  const at::Tensor scale = at::rsqrt(wide.square().mean(-1, true) + epsilon);
  at::Tensor value = wide * scale * gain;
  if (bias.defined()) value = value + bias;
  return value.to(x.scalar_type());
}

/// W x + bias, the bias added in fp32.
at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor y = at::linear(x, weight);
  return bias.defined() ? (y.to(at::kFloat) + bias).to(x.scalar_type()) : y;
}

/// x [B, heads, T, head_width] at positions first .. first + T - 1; the first features of each head
/// are rotated, as many as the table has pairs.
at::Tensor rotate(const at::Tensor& x, const RopeTable::View& table, int64_t first) {
  const at::Tensor wide = x.to(at::kFloat);
  const int64_t half = table.cos.size(0), tokens = x.size(2), rest = x.size(-1) - 2 * half;
  const at::Tensor a = wide.narrow(-1, 0, half), b = wide.narrow(-1, half, half);
  const at::Tensor cosine = table.cos.narrow(1, first, tokens).t(),
                   sine = table.sin.narrow(1, first, tokens).t();
  return at::cat({a * cosine - b * sine, b * cosine + a * sine, wide.narrow(-1, 2 * half, rest)},
                 -1)
      .to(x.scalar_type());
}

struct Heads {
  at::Tensor query, key, value;  ///< [B, heads, T, head_width]
};

Heads split_heads(const Block& b, const at::Tensor& all, const ModelConfig& c,
                  const RopeTable::View& table, int64_t first) {
  const int64_t B = all.size(0), T = all.size(1), H = c.head_count, G = c.kv_head_count;
  const auto heads = [&](int64_t from, int64_t count, const at::Tensor& gain) {
    at::Tensor flat = all.narrow(-1, from * c.head_width, count * c.head_width);
    const bool whole = c.options.query_key_norm == QueryKeyNorm::kWhole;
    if (gain.defined() && whole) flat = normed(flat, Norm::kRms, gain, {}, c.norm_epsilon);
    at::Tensor split = flat.reshape({B, T, count, c.head_width});
    if (gain.defined() && !whole) split = normed(split, Norm::kRms, gain, {}, c.norm_epsilon);
    return split.transpose(1, 2);
  };
  return {rotate(heads(0, H, b.query_norm), table, first),
          rotate(heads(H, G, b.key_norm), table, first), heads(H + G, G, {})};
}

at::Tensor activated(const at::Tensor& x, Activation activation) {
  if (activation == Activation::kSilu) return at::silu(x);
  return at::gelu(x, activation == Activation::kGeluTanh ? "tanh" : "none");
}

at::Tensor feed_forward(const Block& block, const at::Tensor& x, const ModelConfig& c) {
  const at::Tensor inner = product(x, block.gate_up, block.gate_up_bias).to(at::kFloat);
  const int64_t F = c.feed_forward_width;
  const at::Tensor hidden =
      c.options.gated
          ? activated(inner.narrow(-1, 0, F), c.options.activation) * inner.narrow(-1, F, F)
          : activated(inner, c.options.activation);
  return product(hidden.to(x.scalar_type()), block.down, block.down_bias);
}

/// One block of forward_cached. `attend` gives the mixed heads of what it is given.
template <typename Attend>
void add_block(const Block& b, const ModelConfig& c, at::Tensor& x, const Attend& attend) {
  const DecoderOptions& o = c.options;
  const auto norm_a = [&](const at::Tensor& y) {
    return normed(y, o.norm, b.attention_norm, b.attention_norm_bias, c.norm_epsilon);
  };
  const auto norm_f = [&](const at::Tensor& y) {
    return o.shared_norm
               ? norm_a(y)
               : normed(y, o.norm, b.feed_forward_norm, b.feed_forward_norm_bias, c.norm_epsilon);
  };
  const bool after = o.form == BlockForm::kPostNorm;
  const at::Tensor attended =
      product(attend(after ? x : norm_a(x)), b.attention_out, b.attention_out_bias);
  if (o.form == BlockForm::kParallel) {
    const at::Tensor fed = feed_forward(b, norm_f(x), c);
    x.add_(attended).add_(fed);
    return;
  }
  x.add_(after ? norm_a(attended) : attended);
  x.add_(after ? norm_f(feed_forward(b, x, c)) : feed_forward(b, norm_f(x), c));
}

/// Which keys each of the last T queries sees, [T, first + T].
at::Tensor causal_mask(int64_t first, int64_t tokens, int64_t window) {
  at::Tensor mask = at::ones({tokens, first + tokens}, at::kBool).tril(first);
  return window > 0 ? mask.triu(first - window + 1) : mask;
}

const float* values(const at::Tensor& vector) {
  return vector.defined() ? vector.const_data_ptr<float>() : nullptr;
}

kernels::HeadWeights head_weights(const Head& head) {
  return {values(head.norm), head.unembedding.const_data_ptr(), values(head.norm_bias),
          values(head.unembedding_bias)};
}

kernels::HeadShape head_shape(int64_t rows, const ModelConfig& c) {
  return {rows, c.width, c.vocabulary_size, static_cast<float>(c.norm_epsilon), c.options.norm};
}

void require_in_vocabulary(std::span<const int64_t> targets, int64_t vocabulary) {
  for (size_t i = 0; i < targets.size(); ++i)
    if (targets[i] < 0 || targets[i] >= vocabulary)
      throw Error(ErrorKind::kInput, text("target ", targets[i], " of row ", i,
                                          " is outside the vocabulary of ", vocabulary));
}

void require_states(const at::Tensor& x, const ModelConfig& c, Dtype dtype) {
  if (x.dim() < 1 || x.size(-1) != c.width || x.scalar_type() != scalar_type(dtype))
    throw Error(ErrorKind::kInvariant, text("states are ", x.sizes(), " ", x.scalar_type(),
                                            ", need [.., ", c.width, "] of ", dtype_name(dtype)));
}

}  // namespace

at::Tensor Decoder::run_block(int64_t index, const at::Tensor& x) const {
  at::Tensor out = at::empty_like(x, at::MemoryFormat::Contiguous);
  apply_block(index, x, out);
  return out;
}

void Decoder::run_block_in_place(int64_t index, at::Tensor& x) const {
  if (!x.is_contiguous())
    throw Error(ErrorKind::kInvariant, "states to write over are not contiguous");
  apply_block(index, x, x);
}

void Decoder::apply_block(int64_t index, const at::Tensor& in, at::Tensor& out) const {
  require_states(in, config_, dtype_);
  if (in.dim() != 3)
    throw Error(ErrorKind::kInvariant, text("states are ", in.sizes(), ", need [B, T, D]"));
  const Block& b = block(index);
  const at::Tensor x = in.contiguous();
  const kernels::BlockShape shape{x.size(0),
                                  x.size(1),
                                  config_.width,
                                  config_.head_count,
                                  config_.kv_head_count,
                                  config_.head_width,
                                  config_.feed_forward_width,
                                  static_cast<float>(config_.norm_epsilon),
                                  config_.rotary_width,
                                  config_.window,
                                  config_.options};
  const kernels::BlockWeights weights{values(b.attention_norm),
                                      b.query_key_value.const_data_ptr(),
                                      b.attention_out.const_data_ptr(),
                                      values(b.feed_forward_norm),
                                      b.gate_up.const_data_ptr(),
                                      b.down.const_data_ptr(),
                                      values(b.attention_norm_bias),
                                      values(b.query_key_value_bias),
                                      values(b.query_norm),
                                      values(b.key_norm),
                                      values(b.attention_out_bias),
                                      values(b.feed_forward_norm_bias),
                                      values(b.gate_up_bias),
                                      values(b.down_bias)};
  const RopeTable::View table = rope_->first(shape.tokens);
  const kernels::Rotation rotation{table.cos.const_data_ptr<float>(),
                                   table.sin.const_data_ptr<float>(), table.cos.size(1)};
  const kernels::PanelKernels& set = kernels::panel_kernels();
  (dtype_ == Dtype::kFp32 ? set.block_fp32 : set.block_bf16)(
      shape, weights, rotation, x.const_data_ptr(), out.mutable_data_ptr());
}

at::Tensor Decoder::final_norm(const at::Tensor& x) const {
  require_states(x, config_, dtype_);
  return normed(x, config_.options.norm, head_.norm, head_.norm_bias, config_.norm_epsilon);
}

at::Tensor Decoder::logits(const at::Tensor& x) const {
  require_states(x, config_, dtype_);
  const at::Tensor states = x.contiguous();
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = config_.vocabulary_size;
  at::Tensor out = at::empty(sizes, at::kFloat);
  const kernels::PanelKernels& set = kernels::panel_kernels();
  (dtype_ == Dtype::kFp32 ? set.logits_fp32 : set.logits_bf16)(
      head_shape(x.numel() / config_.width, config_), head_weights(head_), states.const_data_ptr(),
      out.mutable_data_ptr<float>());
  return out;
}

at::Tensor Decoder::cross_entropy(const at::Tensor& x, const at::Tensor& targets) const {
  require_states(x, config_, dtype_);
  if (x.dim() != 2 || targets.dim() != 1 || targets.size(0) != x.size(0) ||
      targets.scalar_type() != at::kLong)
    throw Error(ErrorKind::kInvariant,
                text("states ", x.sizes(), " and targets ", targets.sizes(), " ",
                     targets.scalar_type(), ", need [N, D] and [N] of int64"));
  const at::Tensor states = x.contiguous(), wanted = targets.contiguous();
  const auto* target = wanted.const_data_ptr<int64_t>();
  require_in_vocabulary({target, static_cast<size_t>(wanted.numel())}, config_.vocabulary_size);
  at::Tensor losses = at::empty({x.size(0)}, at::kFloat);
  const kernels::HeadShape shape = head_shape(x.size(0), config_);
  const kernels::PanelKernels& set = kernels::panel_kernels();
  (dtype_ == Dtype::kFp32 ? set.cross_entropy_fp32 : set.cross_entropy_bf16)(
      shape, head_weights(head_), states.const_data_ptr(), target,
      losses.mutable_data_ptr<float>());
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
  if (T > 1 || config_.window > 0) mask = causal_mask(first, T, config_.window);
  for (int64_t i = 0; i < block_count(); ++i) {
    const Block& b = block(i);
    at::Tensor& keys = cache.keys[static_cast<size_t>(i)];
    at::Tensor& values = cache.values[static_cast<size_t>(i)];
    add_block(b, config_, x, [&](const at::Tensor& y) {
      const Heads heads = split_heads(b, product(y, b.query_key_value, b.query_key_value_bias),
                                      config_, table, first);
      keys.narrow(2, first, T).copy_(heads.key);
      values.narrow(2, first, T).copy_(heads.value);
      const at::Tensor mixed = at::scaled_dot_product_attention(
          heads.query, keys.narrow(2, 0, first + T), values.narrow(2, 0, first + T),
          mask.defined() ? std::optional<at::Tensor>(mask) : std::nullopt, 0.0, false, std::nullopt,
          true);
      return mixed.transpose(1, 2).reshape({B, T, -1});
    });
  }
  cache.length = first + T;
  return x;
}

}  // namespace plumb::models
