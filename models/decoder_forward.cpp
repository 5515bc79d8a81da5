// The arithmetic of Decoder: blocks, head and loss.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
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
  const at::Tensor cosine = table.cos.narrow(1, first, tokens).t(),
                   sine = table.sin.narrow(1, first, tokens).t();
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

kernels::HeadShape head_shape(int64_t rows, const ModelConfig& c) {
  return {rows, c.width, c.vocabulary_size, static_cast<float>(c.norm_epsilon)};
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
                                  static_cast<float>(config_.norm_epsilon)};
  const kernels::BlockWeights weights{b.attention_norm.const_data_ptr<float>(),
                                      b.query_key_value.const_data_ptr(),
                                      b.attention_out.const_data_ptr(),
                                      b.feed_forward_norm.const_data_ptr<float>(),
                                      b.gate_up.const_data_ptr(),
                                      b.down.const_data_ptr()};
  const RopeTable::View table = rope_->first(shape.tokens);
  const kernels::Rotation rotation{table.cos.const_data_ptr<float>(),
                                   table.sin.const_data_ptr<float>(), table.cos.size(1)};
  const kernels::PanelKernels& set = kernels::panel_kernels();
  (dtype_ == Dtype::kFp32 ? set.block_fp32 : set.block_bf16)(
      shape, weights, rotation, x.const_data_ptr(), out.mutable_data_ptr());
}

at::Tensor Decoder::final_norm(const at::Tensor& x) const {
  require_states(x, config_, dtype_);
  return rms_norm(x, final_norm_, config_.norm_epsilon);
}

at::Tensor Decoder::logits(const at::Tensor& x) const {
  require_states(x, config_, dtype_);
  const at::Tensor states = x.contiguous();
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = config_.vocabulary_size;
  at::Tensor out = at::empty(sizes, at::kFloat);
  const kernels::PanelKernels& set = kernels::panel_kernels();
  (dtype_ == Dtype::kFp32 ? set.logits_fp32 : set.logits_bf16)(
      head_shape(x.numel() / config_.width, config_), final_norm_.const_data_ptr<float>(),
      unembedding_.const_data_ptr(), states.const_data_ptr(), out.mutable_data_ptr<float>());
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
      shape, final_norm_.const_data_ptr<float>(), unembedding_.const_data_ptr(),
      states.const_data_ptr(), target, losses.mutable_data_ptr<float>());
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
