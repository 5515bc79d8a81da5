#include "models/aten_block.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>

#include <algorithm>

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

/// x [B, heads, T, head_width]; the first features of each head are rotated, as many as there are pairs.
at::Tensor rotate(const at::Tensor& x, const AtenPositions& place) {
  const at::Tensor wide = x.to(at::kFloat);
  const int64_t half = place.cosine.size(1), rest = x.size(-1) - 2 * half;
  const at::Tensor a = wide.narrow(-1, 0, half), b = wide.narrow(-1, half, half);
  return at::cat({a * place.cosine - b * place.sine, b * place.cosine + a * place.sine,
                  wide.narrow(-1, 2 * half, rest)},
                 -1)
      .to(x.scalar_type());
}

struct Heads {
  at::Tensor query, key, value;  ///< [B, heads, T, head_width]
};

Heads split_heads(const Block& b, const at::Tensor& all, const ModelConfig& c,
                  const AtenPositions& place) {
  const int64_t B = all.size(0), T = all.size(1), H = c.head_count, G = c.kv_head_count;
  const auto heads = [&](int64_t from, int64_t count, const at::Tensor& gain) {
    at::Tensor flat = all.narrow(-1, from * c.head_width, count * c.head_width);
    const bool whole = c.options.query_key_norm == QueryKeyNorm::kWhole;
    if (gain.defined() && whole) flat = normed(flat, Norm::kRms, gain, {}, c.norm_epsilon);
    at::Tensor split = flat.reshape({B, T, count, c.head_width});
    if (gain.defined() && !whole) split = normed(split, Norm::kRms, gain, {}, c.norm_epsilon);
    return split.transpose(1, 2);
  };
  return {rotate(heads(0, H, b.query_norm), place), rotate(heads(H, G, b.key_norm), place),
          heads(H + G, G, {})};
}

/// One key-value head for each query head: only the CPU's attention and one of CUDA's (bf16, no mask) know groups; what
/// the others fall back on holds all [B, H, T, T] weights at once.
at::Tensor for_each_query(const at::Tensor& x, int64_t query_heads) {
  if (x.device().is_cpu() || x.size(1) == query_heads) return x;
  const int64_t group = query_heads / x.size(1);
  return x.unsqueeze(2)
      .expand({x.size(0), x.size(1), group, x.size(2), x.size(3)})
      .reshape({x.size(0), query_heads, x.size(2), x.size(3)});
}

at::Tensor attention(const Block& b, const ModelConfig& c, const AtenPositions& place,
                     const at::Tensor& y, const AtenCache* cache) {
  const int64_t B = y.size(0), T = y.size(1);
  Heads heads = split_heads(b, product(y, b.query_key_value, b.query_key_value_bias), c, place);
  if (cache != nullptr) {
    cache->keys.narrow(2, place.first, T).copy_(heads.key);
    cache->values.narrow(2, place.first, T).copy_(heads.value);
    heads.key = cache->keys.narrow(2, 0, place.first + T);
    heads.value = cache->values.narrow(2, 0, place.first + T);
  }
  const at::Tensor key = for_each_query(heads.key, c.head_count),
                   value = for_each_query(heads.value, c.head_count);
  const at::Tensor mixed = at::scaled_dot_product_attention(
      heads.query, key, value, place.mask.defined() ? std::optional(place.mask) : std::nullopt, 0.0,
      place.causal, std::nullopt, /*enable_gqa=*/key.size(1) != c.head_count);
  return product(mixed.transpose(1, 2).reshape({B, T, -1}), b.attention_out, b.attention_out_bias);
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

/// x W^T in fp32, x [N, D] and W [V, D]. Where the device has no product of bf16 with a wide result, the operands are
/// widened, rows of W in parts of at most 64 MiB; products of bf16 are exact in fp32 either way.
at::Tensor wide_product(const at::Tensor& x, const at::Tensor& weight) {
  if (x.scalar_type() == at::kFloat) return at::linear(x, weight);
  static const auto wide = c10::Dispatcher::singleton().findSchema({"aten::mm", "dtype"});
  const auto key = c10::computeDispatchKey(x.scalar_type(), at::kStrided, x.device());
  if (wide && wide->hasKernelForDispatchKey(key))
    return wide->typed<at::Tensor(const at::Tensor&, const at::Tensor&, at::ScalarType)>().call(
        x, weight.t(), at::kFloat);
  const int64_t V = weight.size(0), D = weight.size(1);
  const int64_t rows = std::max<int64_t>(1, (int64_t{64} << 20) / (4 * D));
  at::Tensor out = at::empty({x.size(0), V}, x.options().dtype(at::kFloat));
  const at::Tensor states = x.to(at::kFloat);
  for (int64_t v = 0; v < V; v += rows) {
    const int64_t count = std::min(rows, V - v);
    out.narrow(1, v, count).copy_(at::linear(states, weight.narrow(0, v, count).to(at::kFloat)));
  }
  return out;
}

/// Logits of x [N, D], [N, V].
at::Tensor row_logits(const Head& head, const ModelConfig& c, const at::Tensor& x) {
  const at::Tensor wide = wide_product(aten_final_norm(head, c, x), head.unembedding);
  return head.unembedding_bias.defined() ? wide + head.unembedding_bias : wide;
}

}  // namespace

AtenPositions aten_positions(RopeTable& rope, const ModelConfig& config, int64_t first,
                             int64_t tokens, at::Device device) {
  const RopeTable::View table = rope.first(first + tokens, device);
  AtenPositions place{first,
                      table.cos.narrow(1, first, tokens).t(),
                      table.sin.narrow(1, first, tokens).t(),
                      false,
                      {}};
  const int64_t keys = first + tokens;
  const bool windowed = config.window > 0 && config.window < keys;
  if (tokens == 1 && !windowed) return place;  // it sees them all
  place.causal = first == 0 && !windowed;
  if (place.causal) return place;
  place.mask = at::ones({tokens, keys}, at::TensorOptions(device).dtype(at::kBool)).tril(first);
  if (windowed) place.mask = place.mask.triu(first - config.window + 1);
  return place;
}

void aten_block(const Block& b, const ModelConfig& c, const AtenPositions& positions, at::Tensor& x,
                const AtenCache* cache) {
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
  const at::Tensor attended = attention(b, c, positions, after ? x : norm_a(x), cache);
  if (o.form == BlockForm::kParallel) {
    const at::Tensor fed = feed_forward(b, norm_f(x), c);
    x.add_(attended).add_(fed);
    return;
  }
  x.add_(after ? norm_a(attended) : attended);
  x.add_(after ? norm_f(feed_forward(b, x, c)) : feed_forward(b, norm_f(x), c));
}

at::Tensor aten_final_norm(const Head& head, const ModelConfig& config, const at::Tensor& x) {
  return normed(x, config.options.norm, head.norm, head.norm_bias, config.norm_epsilon);
}

at::Tensor aten_logits(const Head& head, const ModelConfig& config, const at::Tensor& x) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = config.vocabulary_size;
  return row_logits(head, config, x.reshape({-1, config.width})).view(sizes);
}

at::Tensor aten_cross_entropy(const Head& head, const ModelConfig& config, const at::Tensor& x,
                              const at::Tensor& targets, int64_t chunk_bytes) {
  const int64_t N = x.size(0);
  const int64_t rows = std::max<int64_t>(1, chunk_bytes / (4 * config.vocabulary_size));
  at::Tensor losses = at::empty({N}, x.options().dtype(at::kFloat));
  for (int64_t first = 0; first < N; first += rows) {
    const int64_t count = std::min(rows, N - first);
    const at::Tensor logits = row_logits(head, config, x.narrow(0, first, count));
    const at::Tensor picked = logits.gather(1, targets.narrow(0, first, count).unsqueeze(1));
    losses.narrow(0, first, count).copy_(at::logsumexp(logits, 1) - picked.squeeze(1));
  }
  return losses;
}

Distributions aten_distributions(const Head& head, const ModelConfig& config,
                                 std::span<const at::Tensor> x, const at::Tensor& targets,
                                 int64_t chunk_bytes) {
  const int64_t N = targets.size(0), models = std::ssize(x);
  const int64_t rows = std::max<int64_t>(1, chunk_bytes / (4 * config.vocabulary_size));
  const auto options = targets.options();
  Distributions out{at::empty({models, N}, options.dtype(at::kFloat)),
                    at::empty({models, N}, options.dtype(at::kFloat)),
                    at::empty({models, N}, options)};
  for (int64_t first = 0; first < N; first += rows) {
    const int64_t count = std::min(rows, N - first);
    const at::Tensor target = targets.narrow(0, first, count).unsqueeze(1);
    at::Tensor log_p, p;
    for (int64_t m = 0; m < models; ++m) {
      const at::Tensor logits =
          row_logits(head, config, x[static_cast<size_t>(m)].narrow(0, first, count));
      const at::Tensor normaliser = at::logsumexp(logits, 1);
      const auto to = [&](at::Tensor& all) { return all[m].narrow(0, first, count); };
      to(out.loss).copy_(normaliser - logits.gather(1, target).squeeze(1));
      to(out.top).copy_(at::argmax(logits, 1));
      const at::Tensor log_q = logits - normaliser.unsqueeze(1);
      if (m == 0) {
        log_p = log_q;
        p = at::exp(log_p);
      }
      to(out.divergence).copy_((log_p - log_q).mul_(p).sum(1));
    }
  }
  return out;
}

uint64_t aten_working_bytes(const ModelConfig& config, int64_t tokens) {
  const int64_t heads = (config.head_count + 2 * config.kv_head_count) * config.head_width;
  // Values of 4 bytes: x, its copy, its wide form, what a norm makes of it and a sum's terms; heads before and after
  // their rotation, with the parts that it is joined from, and one key for each query; both halves of the inner
  // activation, their wide form, and what becomes of it.
  const int64_t a_token = 6 * config.width + 5 * heads + 8 * config.feed_forward_width;
  const int64_t rows = std::max<int64_t>(1, kLossChunkBytes / (4 * config.vocabulary_size));
  const int64_t logits = std::min(rows, tokens) * config.vocabulary_size;
  return static_cast<uint64_t>(4 * (tokens * a_token + 6 * logits));
}

}  // namespace plumb::models
