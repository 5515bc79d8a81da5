#include "healing/layers_gradient.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_softmax_backward_data.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "healing/device_kernels.h"
#include "healing/fused_rows.h"
#include "healing/row_pieces.h"

namespace plumb::healing {
namespace {

using models::Activation;
using models::AtenPositions;
using models::ModelConfig;
using models::kernels::TrainingRows;

at::Tensor wide(const at::Tensor& x) { return x.to(wide_type(x.scalar_type())); }

/// (x - mean) / deviation, or x / root mean square, and the factor.
struct Normed {
  at::Tensor value, factor;
};
Normed normed(const at::Tensor& x, const NormWeights& weights) {
  at::Tensor value = wide(x);
  if (weights.norm == models::Norm::kLayer) value = value - value.mean(-1, true);
  const at::Tensor factor = at::rsqrt(value.square().mean(-1, true) + weights.epsilon);
  return {value * factor, factor};
}

/// x [.., T, head width]: the first features are rotated; by the opposite angle with sign -1.
at::Tensor rotated(const at::Tensor& x, const AtenPositions& place, double sign) {
  const int64_t half = place.cosine.size(1), rest = x.size(-1) - 2 * half;
  const at::Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  const at::Tensor sine = place.sine * sign;
  return at::cat(
      {a * place.cosine - b * sine, b * place.cosine + a * sine, x.narrow(-1, 2 * half, rest)}, -1);
}

/// Queries, keys or values: what lies between a product's columns and heads [heads, T, head width].
class Part {
 public:
  Part(const at::Tensor& all, int64_t first, int64_t count, const at::Tensor& gain,
       const ModelConfig& config, const AtenPositions* place)
      : columns_(all.narrow(-1, first * config.head_width, count * config.head_width)),
        norm_{models::Norm::kRms, gain, {}, config.norm_epsilon},
        whole_(gain.defined() && config.options.query_key_norm == models::QueryKeyNorm::kWhole),
        width_(config.head_width),
        place_(place) {
    flat_ = whole_ ? norm(columns_, norm_) : columns_;
    if (place_ != nullptr) turned_ = rotated_on_device(flat_, on_device());
    if (!gain.defined() && all.is_contiguous())
      fused_ = fused_rows(all, all.scalar_type(), all.scalar_type());
    if (fused_ != nullptr && place_ != nullptr) {
      cosine_ = place_->cosine.contiguous();  // the table's rows are frequencies
      sine_ = place_->sine.contiguous();
    }
  }

  /// Heads [first, first + count) of sequence b, wide.
  at::Tensor heads(int64_t b, int64_t first, int64_t count) const {
    if (turned_)
      return (*turned_)[b]
          .narrow(-1, first * width_, count * width_)
          .reshape({flat_.size(1), count, width_})
          .transpose(0, 1);
    if (fused_ != nullptr) {
      const at::Tensor columns = columns_[b].narrow(-1, first * width_, count * width_);
      const int64_t T = columns.size(0);
      const at::Tensor out = at::empty({count, T, width_}, columns.options().dtype(at::kFloat));
      fused_->rotate(rotation(), columns.const_data_ptr(), columns.stride(0), T, count, width_, 1,
                     out.mutable_data_ptr<float>());
      return out;
    }
    at::Tensor split = rows_of(b, first, count);
    if (normed_by_head()) split = norm(split, norm_);
    split = split.transpose(0, 1);
    return place_ == nullptr ? split : rotated(split, *place_, 1);
  }

  /// Their gradient [count, T, head width] -> d loss / d flat columns [T, count * head width]; of heads that were turned all at once
  /// their own, [T, count * head width].
  at::Tensor gradient(int64_t b, int64_t first, int64_t count, at::Tensor heads) const {
    if (turned_) return heads.transpose(0, 1).reshape({flat_.size(1), count * width_});
    if (place_ != nullptr) heads = rotated(heads, *place_, -1);
    at::Tensor split = heads.transpose(0, 1);
    if (normed_by_head()) split = norm_gradient(rows_of(b, first, count), norm_, split);
    return split.reshape({flat_.size(1), count * width_});
  }

  /// The same into `out` [T, count * head width], whose columns lie in a row of several parts.
  void gradient_into(int64_t b, int64_t first, int64_t count, const at::Tensor& heads,
                     const at::Tensor& out) const {
    const auto* fused =
        fused_ == nullptr ? nullptr : fused_rows(out, out.scalar_type(), out.scalar_type());
    if (fused == nullptr || !heads.is_contiguous()) {
      out.copy_(gradient(b, first, count, heads));
    } else {
      fused->rotate_back(rotation(), heads.const_data_ptr<float>(), out.stride(0), out.size(0),
                         count, width_, 1, out.mutable_data_ptr());
    }
  }

  /// What `gradient` gave of all heads [B, T, ..] -> d loss / d columns
  at::Tensor whole_gradient(const at::Tensor& flat) const {
    const at::Tensor back =
        turned_ ? rotated_gradient_on_device(flat_, on_device(), flat).value() : flat;
    return whole_ ? norm_gradient(columns_, norm_, back) : back;
  }
  bool is_whole() const { return whole_ || turned_; }

 private:
  HeadsOnDevice on_device() const {
    static const at::Tensor none;
    return {whole_ ? none : norm_.gain, norm_.epsilon, *place_, width_};
  }
  bool normed_by_head() const { return norm_.gain.defined() && !whole_; }
  models::kernels::RotationOfRows rotation() const {
    if (place_ == nullptr) return {nullptr, nullptr, 0};
    return {cosine_.const_data_ptr<float>(), sine_.const_data_ptr<float>(), cosine_.size(1)};
  }
  at::Tensor rows_of(int64_t b, int64_t first, int64_t count) const {
    return wide(flat_[b].narrow(-1, first * width_, count * width_))
        .reshape({flat_.size(1), count, width_});
  }

  at::Tensor columns_;
  NormWeights norm_;
  bool whole_;
  int64_t width_;
  const AtenPositions* place_;
  at::Tensor flat_;
  std::optional<at::Tensor> turned_;  ///< all heads, where a device's kernel makes them at once
  const TrainingRows* fused_ = nullptr;
  at::Tensor cosine_, sine_;  ///< [T, half], for it
};

struct Parts {
  Part query, key, value;
  Parts(const at::Tensor& all, const AttentionWeights& w, const ModelConfig& c,
        const AtenPositions& place)
      : query(all, 0, c.head_count, w.query_norm, c, &place),
        key(all, c.head_count, c.kv_head_count, w.key_norm, c, &place),
        value(all, c.head_count + c.kv_head_count, c.kv_head_count, {}, c, nullptr) {}
};

/// The heads of one key-value head, and its queries in pieces: most of a causal square need not be computed.
struct Group {
  at::Tensor query, key, value;  ///< [group, T, width], [T, width] twice
  const AtenPositions& place;
  double scale;

  Group(const Parts& parts, const ModelConfig& c, const AtenPositions& positions, int64_t b,
        int64_t g)
      : query(parts.query.heads(b, g * (c.head_count / c.kv_head_count),
                                c.head_count / c.kv_head_count)),
        key(parts.key.heads(b, g, 1)[0]),
        value(parts.value.heads(b, g, 1)[0]),
        place(positions),
        scale(1 / std::sqrt(static_cast<double>(c.head_width))) {}

  int64_t tokens() const { return key.size(0); }
  /// Keys that the queries before `end` may see.
  int64_t keys_before(int64_t end) const {
    return place.causal || place.mask.defined() ? end : tokens();
  }
  /// Scaled, [group * count, width]
  at::Tensor queries(int64_t first, int64_t count) const {
    return query.narrow(1, first, count).reshape({-1, query.size(2)}) * scale;
  }
  /// Softmax of what each of them sees: [group * count, keys]
  at::Tensor weights(const at::Tensor& queries, int64_t first, int64_t count) const {
    const int64_t keys = keys_before(first + count);
    const at::Tensor scores = at::matmul(queries, key.narrow(0, 0, keys).t());
    const at::Tensor by_head = scores.view({query.size(0), count, keys});
    if (has_fused_softmax(scores)) {
      models::kernels::training_kernels().softmax(scores.mutable_data_ptr<float>(), query.size(0),
                                                  count, keys, first);
      return scores;
    }
    const double never = -std::numeric_limits<double>::infinity();
    if (place.mask.defined()) {
      const at::Tensor seen = place.mask.narrow(0, first, count).narrow(1, 0, keys);
      by_head.masked_fill_(seen.logical_not(), never);
    } else if (place.causal) {  // what comes before the piece is seen by all of it
      const at::Tensor later = at::ones({count, count}, scores.options().dtype(at::kBool)).triu(1);
      by_head.narrow(2, first, count).masked_fill_(later, never);
    }
    return at::softmax(scores, -1);
  }
  /// d loss / d scores from d loss / d weights, [group * count, keys] as the weights.
  at::Tensor weights_gradient(const at::Tensor& gradient, const at::Tensor& weights, int64_t first,
                              int64_t count) const {
    if (!has_fused_softmax(weights))
      return at::_softmax_backward_data(gradient, weights, -1, weights.scalar_type());
    models::kernels::training_kernels().softmax_gradient(
        gradient.mutable_data_ptr<float>(), weights.const_data_ptr<float>(), query.size(0), count,
        weights.size(1), first);
    return gradient;
  }
  bool has_fused_softmax(const at::Tensor& scores) const {
    return place.causal && !place.mask.defined() && scores.scalar_type() == at::kFloat &&
           may_cut(scores);
  }
  /// run(first, count) over the queries.
  template <typename Run>
  void in_pieces(const Run& run) const {
    constexpr int64_t kQueries = 128;
    for (int64_t first = 0; first < tokens(); first += kQueries)
      run(first, std::min(kQueries, tokens() - first));
  }
};

/// [group * count, width] -> [count, group * width]
at::Tensor side_by_side(const at::Tensor& heads, int64_t group) {
  return heads.view({group, -1, heads.size(1)})
      .transpose(0, 1)
      .reshape({-1, group * heads.size(1)});
}

/// act(x) and its derivative times `gradient`, x wide.
at::Tensor activated(const at::Tensor& x, Activation kind) {
  if (kind == Activation::kSilu) return at::silu(x);
  return at::gelu(x, kind == Activation::kGeluTanh ? "tanh" : "none");
}
at::Tensor activated_gradient(const at::Tensor& x, Activation kind, const at::Tensor& gradient) {
  if (kind != Activation::kSilu)
    return at::gelu_backward(gradient, x, kind == Activation::kGeluTanh ? "tanh" : "none");
  return at::silu_backward(gradient, x);
}

/// Where the activation is silu; the others are ATen's.
const TrainingRows* fused_silu(const at::Tensor& inner, const ModelConfig& config,
                               at::ScalarType products) {
  if (config.options.activation != Activation::kSilu || !inner.is_contiguous()) return nullptr;
  return fused_rows(inner, inner.scalar_type(), products);
}

}  // namespace

at::ScalarType wide_type(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

at::Tensor norm(const at::Tensor& x, const NormWeights& weights) {
  const int64_t D = x.size(-1);
  const at::Tensor rows = x.reshape({-1, D});
  if (const auto done = norm_on_device(rows, weights)) return done->view(x.sizes());
  return by_rows(x, D, wide_type(x.scalar_type()), [&](int64_t first, int64_t count) {
    const at::Tensor value = normed(rows.narrow(0, first, count), weights).value * weights.gain;
    return weights.bias.defined() ? value + weights.bias : value;
  });
}

at::Tensor norm_for(at::ScalarType products, const at::Tensor& x, const NormWeights& weights) {
  const TrainingRows* fused = fused_rows(x, x.scalar_type(), products);
  if (fused == nullptr || !x.is_contiguous()) return norm(x, weights);
  const int64_t D = x.size(-1);
  const at::Tensor out = at::empty(x.sizes(), x.options().dtype(products));
  over_rows(x.numel() / D, [&](int64_t first, int64_t count) {
    fused->norm(norm_of_rows(weights), row_of(x, first), count, D, row_of_mutable(out, first));
  });
  return out;
}

at::Tensor plus_norm_gradient(const at::Tensor& plus, const at::Tensor& x,
                              const NormWeights& weights, const at::Tensor& gradient) {
  const TrainingRows* fused = fused_rows(x, x.scalar_type(), gradient.scalar_type());
  if (fused == nullptr || !x.is_contiguous() || !gradient.is_contiguous() ||
      (plus.defined() && !plus.is_contiguous())) {
    const at::Tensor back = norm_gradient(x, weights, gradient);
    return plus.defined() ? plus + back : back;
  }
  const int64_t D = x.size(-1);
  const at::Tensor out = at::empty(x.sizes(), x.options().dtype(at::kFloat));
  over_rows(x.numel() / D, [&](int64_t first, int64_t count) {
    fused->norm_gradient(norm_of_rows(weights), row_of(x, first), row_of(gradient, first),
                         plus.defined() ? plus.const_data_ptr<float>() + first * D : nullptr, count,
                         D, out.mutable_data_ptr<float>() + first * D);
  });
  return out;
}

at::Tensor norm_gradient(const at::Tensor& x, const NormWeights& weights,
                         const at::Tensor& gradient) {
  const int64_t D = x.size(-1);
  const at::Tensor rows = x.reshape({-1, D}), gradients = gradient.reshape({-1, D});
  if (const auto done = norm_gradient_on_device(rows, weights, gradients))
    return done->view(x.sizes());
  return by_rows(x, D, wide_type(x.scalar_type()), [&](int64_t first, int64_t count) {
    const Normed n = normed(rows.narrow(0, first, count), weights);
    const at::Tensor g = gradients.narrow(0, first, count) * weights.gain;
    at::Tensor out = g - n.value * (g * n.value).mean(-1, true);
    if (weights.norm == models::Norm::kLayer) out = out - g.mean(-1, true);
    return out * n.factor;
  });
}

at::Tensor attention(const at::Tensor& heads, const AttentionWeights& weights,
                     const ModelConfig& config, const AtenPositions& positions) {
  const Parts parts(heads, weights, config, positions);
  const int64_t B = heads.size(0), T = heads.size(1), G = config.kv_head_count;
  const int64_t group = config.head_count / G, columns = group * config.head_width;
  const bool is_fused = fused_rows(heads, heads.scalar_type(), heads.scalar_type()) != nullptr;
  const at::Tensor out = at::empty(
      {B, T, G * columns},
      heads.options().dtype(is_fused ? heads.scalar_type() : wide_type(heads.scalar_type())));
  for_each(B * G, heads, [&](int64_t i) {
    const int64_t b = i / G, g = i % G;
    const Group one(parts, config, positions, b, g);
    one.in_pieces([&](int64_t first, int64_t count) {
      const at::Tensor value = one.value.narrow(0, 0, one.keys_before(first + count));
      out[b]
          .narrow(0, first, count)
          .narrow(1, g * columns, columns)
          .copy_(side_by_side(
              at::matmul(one.weights(one.queries(first, count), first, count), value), group));
    });
  });
  return out;
}

at::Tensor attention_gradient(const at::Tensor& heads, const AttentionWeights& weights,
                              const ModelConfig& config, const AtenPositions& positions,
                              const at::Tensor& gradient, at::ScalarType products) {
  const Parts parts(heads, weights, config, positions);
  const int64_t B = heads.size(0), T = heads.size(1), G = config.kv_head_count;
  const int64_t W = config.head_width, H = config.head_count, group = H / G;
  const at::ScalarType type = wide_type(heads.scalar_type());
  // Rounded once: a norm of all heads is still to come.
  const bool is_last = !parts.query.is_whole() && !parts.key.is_whole() &&
                       fused_rows(heads, heads.scalar_type(), products) != nullptr;
  const at::Tensor out = at::empty(heads.sizes(), heads.options().dtype(is_last ? products : type));
  for_each(B * G, heads, [&](int64_t i) {
    const int64_t b = i / G, g = i % G;
    const Group one(parts, config, positions, b, g);
    const at::Tensor of_mixed = gradient[b].narrow(1, g * group * W, group * W);
    const at::Tensor dq = at::empty(one.query.sizes(), one.query.options());
    const at::Tensor dk = at::zeros({T, W}, dq.options()), dv = at::zeros({T, W}, dq.options());
    one.in_pieces([&](int64_t first, int64_t count) {
      const int64_t keys = one.keys_before(first + count);
      const at::Tensor queries = one.queries(first, count);
      const at::Tensor p = one.weights(queries, first, count);
      const at::Tensor go = of_mixed.narrow(0, first, count)
                                .to(type)
                                .reshape({count, group, W})
                                .transpose(0, 1)
                                .reshape({-1, W});
      dv.narrow(0, 0, keys).addmm_(p.t(), go);
      const at::Tensor dp = at::matmul(go, one.value.narrow(0, 0, keys).t());
      const at::Tensor ds = one.weights_gradient(dp, p, first, count);
      dq.narrow(1, first, count)
          .copy_(at::matmul(ds, one.key.narrow(0, 0, keys)).view({group, count, W}) * one.scale);
      dk.narrow(0, 0, keys).addmm_(ds.t(), queries);
    });
    const at::Tensor rows = out[b];
    parts.query.gradient_into(b, g * group, group, dq, rows.narrow(1, g * group * W, group * W));
    parts.key.gradient_into(b, g, 1, dk.unsqueeze(0), rows.narrow(1, (H + g) * W, W));
    parts.value.gradient_into(b, g, 1, dv.unsqueeze(0), rows.narrow(1, (H + G + g) * W, W));
  });
  const at::Tensor q = out.narrow(2, 0, H * W), k = out.narrow(2, H * W, G * W);
  if (parts.query.is_whole()) q.copy_(parts.query.whole_gradient(q));
  if (parts.key.is_whole()) k.copy_(parts.key.whole_gradient(k));
  return out;
}

at::Tensor activation(const at::Tensor& inner, const ModelConfig& config, at::ScalarType products) {
  const int64_t F = config.feed_forward_width;
  const Activation kind = config.options.activation;
  if (const TrainingRows* fused = fused_silu(inner, config, products)) {
    std::vector<int64_t> sizes = inner.sizes().vec();
    sizes.back() = F;
    const at::Tensor out = at::empty(sizes, inner.options().dtype(products));
    over_rows(out.numel() / F, [&](int64_t first, int64_t count) {
      fused->silu(config.options.gated, row_of(inner, first), count, F, row_of_mutable(out, first));
    });
    return out;
  }
  const at::Tensor rows = inner.reshape({-1, inner.size(-1)});
  return by_rows(inner, F, wide_type(inner.scalar_type()), [&](int64_t first, int64_t count) {
    const at::Tensor x = wide(rows.narrow(0, first, count));
    return config.options.gated ? activated(x.narrow(1, 0, F), kind) * x.narrow(1, F, F)
                                : activated(x, kind);
  });
}

at::Tensor activation_gradient(const at::Tensor& inner, const ModelConfig& config,
                               const at::Tensor& gradient, at::ScalarType products) {
  const int64_t F = config.feed_forward_width, I = inner.size(-1);
  const Activation kind = config.options.activation;
  if (const TrainingRows* fused = fused_silu(inner, config, products);
      fused != nullptr && gradient.scalar_type() == products && gradient.is_contiguous()) {
    const at::Tensor out = at::empty(inner.sizes(), inner.options().dtype(products));
    over_rows(inner.numel() / I, [&](int64_t first, int64_t count) {
      fused->silu_gradient(config.options.gated, row_of(inner, first), row_of(gradient, first),
                           count, F, row_of_mutable(out, first));
    });
    return out;
  }
  const at::Tensor rows = inner.reshape({-1, I}), gradients = gradient.reshape({-1, F});
  return by_rows(inner, I, wide_type(inner.scalar_type()), [&](int64_t first, int64_t count) {
    const at::Tensor x = wide(rows.narrow(0, first, count));
    const at::Tensor g = gradients.narrow(0, first, count);
    if (!config.options.gated) return activated_gradient(x, kind, g);
    const at::Tensor gate = x.narrow(1, 0, F), up = x.narrow(1, F, F);
    return at::cat({activated_gradient(gate, kind, g * up), g * activated(gate, kind)}, 1);
  });
}

}  // namespace plumb::healing
