#include "models/kernels/panels_reference.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

namespace plumb::models::kernels {

namespace {

using Vector = std::vector<double>;

double wide(float v) { return static_cast<double>(v); }
double wide(uint16_t v) {
  return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(v) << 16));
}
void narrow(double v, float& to) { to = static_cast<float>(v); }
void narrow(double v, uint16_t& to) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(v));
  to = static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

/// rows of W [.., columns] from `first` on, times x.
template <typename Element>
Vector product(const Element* w, int64_t first, int64_t rows, const Vector& x) {
  Vector y;
  const auto columns = static_cast<int64_t>(x.size());
  for (int64_t r = first; r < first + rows; ++r) {
    double sum = 0;
    for (int64_t k = 0; k < columns; ++k)
      sum += wide(w[r * columns + k]) * x[static_cast<size_t>(k)];
    y.push_back(sum);
  }
  return y;
}

Vector normed(const Vector& x, Norm norm, const float* gain, const float* bias, double epsilon) {
  const auto count = static_cast<double>(x.size());
  double centre = 0, squares = 0;
  for (const double v : x) centre += norm == Norm::kLayer ? v / count : 0;
  for (const double v : x) squares += (v - centre) * (v - centre);
  const double scale = 1.0 / std::sqrt(squares / count + epsilon);
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    y[i] = (x[i] - centre) * scale * wide(gain[i]) + (bias == nullptr ? 0 : wide(bias[i]));
  return y;
}

void add(Vector& to, const Vector& more) {
  for (size_t i = 0; i < to.size(); ++i) to[i] += more[i];
}

void add(Vector& to, const float* bias) {
  for (size_t i = 0; i < to.size() && bias != nullptr; ++i) to[i] += wide(bias[i]);
}

void rotate(double* head, int64_t width, int64_t position, const Rotation& rotation) {
  const int64_t half = width / 2;
  for (int64_t i = 0; i < half; ++i) {
    const double c = wide(rotation.cos[i * rotation.stride + position]),
                 s = wide(rotation.sin[i * rotation.stride + position]);
    const double a = head[i], b = head[i + half];
    head[i] = a * c - b * s;
    head[i + half] = b * c + a * s;
  }
}

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// softmax(q K / sqrt(width)) V over the keys so far, or the last `window` of them.
Vector attend(const Vector& query, const std::vector<Vector>& keys,
              const std::vector<Vector>& values, int64_t window) {
  const size_t first = window > 0 && keys.size() > static_cast<size_t>(window)
                           ? keys.size() - static_cast<size_t>(window)
                           : 0;
  Vector score;
  for (size_t k = first; k < keys.size(); ++k)
    score.push_back(dot(query, keys[k]) / std::sqrt(static_cast<double>(query.size())));
  const double largest = *std::max_element(score.begin(), score.end());
  double sum = 0;
  Vector mixed(query.size());
  for (size_t k = 0; k < score.size(); ++k) {
    const double weight = std::exp(score[k] - largest);
    sum += weight;
    for (size_t i = 0; i < mixed.size(); ++i) mixed[i] += weight * values[first + k][i];
  }
  for (double& v : mixed) v /= sum;
  return mixed;
}

double activated(double x, Activation activation) {
  constexpr double kSqrtTwoOverPi = 0.79788456080286535588, kSqrtHalf = 0.70710678118654752440;
  if (activation == Activation::kSilu) return x / (1.0 + std::exp(-x));
  if (activation == Activation::kGelu) return 0.5 * x * (1.0 + std::erf(x * kSqrtHalf));
  return 0.5 * x * (1.0 + std::tanh(kSqrtTwoOverPi * (x + 0.044715 * x * x * x)));
}

template <typename Element>
Vector row(const void* x, int64_t index, int64_t width) {
  Vector y;
  for (int64_t d = 0; d < width; ++d)
    y.push_back(wide(static_cast<const Element*>(x)[index * width + d]));
  return y;
}

/// One block, token by token.
template <typename Element>
struct Reference {
  const BlockShape& s;
  const BlockWeights& w;
  const Rotation& rotation;

  Vector attention_norm(const Vector& x) const {
    return normed(x, s.options.norm, w.attention_norm, w.attention_norm_bias, wide(s.epsilon));
  }
  Vector feed_forward_norm(const Vector& x) const {
    return s.options.shared_norm ? attention_norm(x)
                                 : normed(x, s.options.norm, w.feed_forward_norm,
                                          w.feed_forward_norm_bias, wide(s.epsilon));
  }

  Vector feed_forward(const Vector& x) const {
    const auto* weight = static_cast<const Element*>(w.gate_up);
    const int64_t F = s.feed_forward_width;
    Vector inner = product(weight, 0, s.options.gated ? 2 * F : F, x);
    add(inner, w.gate_up_bias);
    Vector hidden;
    for (size_t i = 0; i < static_cast<size_t>(F); ++i)
      hidden.push_back(activated(inner[i], s.options.activation) *
                       (s.options.gated ? inner[static_cast<size_t>(F) + i] : 1.0));
    Vector out = product(static_cast<const Element*>(w.down), 0, s.width, hidden);
    add(out, w.down_bias);
    return out;
  }

  /// `count` heads from `first` on, normed and rotated where `gain` or `rotated` say so.
  std::vector<Vector> heads(const Vector& all, int64_t first, int64_t count, const float* gain,
                            bool rotated, int64_t position) const {
    const auto flat = all.begin() + first * s.head_width;
    Vector whole(flat, flat + count * s.head_width);
    if (gain != nullptr && s.options.query_key_norm == QueryKeyNorm::kWhole)
      whole = normed(whole, Norm::kRms, gain, nullptr, wide(s.epsilon));
    std::vector<Vector> out;
    for (int64_t h = 0; h < count; ++h) {
      Vector head(whole.begin() + h * s.head_width, whole.begin() + (h + 1) * s.head_width);
      if (gain != nullptr && s.options.query_key_norm == QueryKeyNorm::kHead)
        head = normed(head, Norm::kRms, gain, nullptr, wide(s.epsilon));
      if (rotated) rotate(head.data(), s.rotary_width, position, rotation);
      out.push_back(std::move(head));
    }
    return out;
  }

  void sequence(int64_t b, const void* in, void* out) const {
    std::vector<std::vector<Vector>> keys(static_cast<size_t>(s.kv_heads)), values = keys;
    const bool after = s.options.form == BlockForm::kPostNorm;
    for (int64_t t = 0; t < s.tokens; ++t) {
      Vector x = row<Element>(in, b * s.tokens + t, s.width);
      const Vector fed_early =
          s.options.form == BlockForm::kParallel ? feed_forward(feed_forward_norm(x)) : Vector();
      Vector attended = attention(after ? x : attention_norm(x), t, keys, values);
      add(x, after ? attention_norm(attended) : attended);
      if (!fed_early.empty())
        add(x, fed_early);
      else
        add(x, after ? feed_forward_norm(feed_forward(x)) : feed_forward(feed_forward_norm(x)));
      for (size_t d = 0; d < x.size(); ++d)
        narrow(x[d],
               static_cast<Element*>(out)[(b * s.tokens + t) * s.width + static_cast<int64_t>(d)]);
    }
  }

  Vector attention(const Vector& x, int64_t t, std::vector<std::vector<Vector>>& keys,
                   std::vector<std::vector<Vector>>& values) const {
    Vector all = product(static_cast<const Element*>(w.query_key_value), 0,
                         (s.heads + 2 * s.kv_heads) * s.head_width, x);
    add(all, w.query_key_value_bias);
    const auto new_keys = heads(all, s.heads, s.kv_heads, w.key_norm, true, t),
               new_values = heads(all, s.heads + s.kv_heads, s.kv_heads, nullptr, false, t),
               queries = heads(all, 0, s.heads, w.query_norm, true, t);
    for (size_t h = 0; h < keys.size(); ++h) {
      keys[h].push_back(new_keys[h]);
      values[h].push_back(new_values[h]);
    }
    Vector mixed;
    for (size_t h = 0; h < queries.size(); ++h) {
      const size_t side = h / (queries.size() / keys.size());
      const Vector head = attend(queries[h], keys[side], values[side], s.window);
      mixed.insert(mixed.end(), head.begin(), head.end());
    }
    Vector out = product(static_cast<const Element*>(w.attention_out), 0, s.width, mixed);
    add(out, w.attention_out_bias);
    return out;
  }
};

template <typename Element>
Vector reference_logits(const HeadShape& s, const HeadWeights& w, const void* x, int64_t r) {
  const Vector y =
      normed(row<Element>(x, r, s.width), s.norm, w.norm, w.norm_bias, wide(s.epsilon));
  Vector z = product(static_cast<const Element*>(w.unembedding), 0, s.vocabulary, y);
  add(z, w.unembedding_bias);
  return z;
}

}  // namespace

template <typename Element>
void block_reference(const BlockShape& s, const BlockWeights& w, const Rotation& rotation,
                     const void* in, void* out) {
  for (int64_t b = 0; b < s.sequences; ++b) Reference<Element>{s, w, rotation}.sequence(b, in, out);
}

template <typename Element>
void logits_reference(const HeadShape& s, const HeadWeights& weights, const void* x, float* out) {
  for (int64_t r = 0; r < s.rows; ++r) {
    const Vector z = reference_logits<Element>(s, weights, x, r);
    for (size_t v = 0; v < z.size(); ++v)
      out[r * s.vocabulary + static_cast<int64_t>(v)] = static_cast<float>(z[v]);
  }
}

template <typename Element>
void cross_entropy_reference(const HeadShape& s, const HeadWeights& weights, const void* x,
                             const int64_t* targets, float* loss) {
  for (int64_t r = 0; r < s.rows; ++r) {
    const Vector z = reference_logits<Element>(s, weights, x, r);
    const double largest = *std::max_element(z.begin(), z.end());
    double sum = 0;
    for (const double v : z) sum += std::exp(v - largest);
    loss[r] = static_cast<float>(std::log(sum) + largest - z[static_cast<size_t>(targets[r])]);
  }
}

template <typename Element>
void distributions_reference(const HeadShape& s, const HeadWeights& weights,
                             std::span<const HeadReading> models, const int64_t* targets) {
  const auto normaliser = [](const Vector& z) {
    const double largest = *std::max_element(z.begin(), z.end());
    double sum = 0;
    for (const double v : z) sum += std::exp(v - largest);
    return std::log(sum) + largest;
  };
  for (int64_t r = 0; r < s.rows; ++r) {
    const Vector whole = reference_logits<Element>(s, weights, models.front().x, r);
    const double all = normaliser(whole);
    for (const HeadReading& model : models) {
      const Vector z = reference_logits<Element>(s, weights, model.x, r);
      const double sum = normaliser(z);
      double divergence = 0;
      for (size_t v = 0; v < z.size(); ++v)
        divergence += std::exp(whole[v] - all) * ((whole[v] - all) - (z[v] - sum));
      model.loss[r] = static_cast<float>(sum - z[static_cast<size_t>(targets[r])]);
      model.divergence[r] = static_cast<float>(divergence);
      model.top[r] = std::max_element(z.begin(), z.end()) - z.begin();
    }
  }
}

#define PLUMB_INSTANTIATE(Element)                                                                \
  template void block_reference<Element>(const BlockShape&, const BlockWeights&, const Rotation&, \
                                         const void*, void*);                                     \
  template void logits_reference<Element>(const HeadShape&, const HeadWeights&, const void*,      \
                                          float*);                                                \
  template void cross_entropy_reference<Element>(const HeadShape&, const HeadWeights&,            \
                                                 const void*, const int64_t*, float*);            \
  template void distributions_reference<Element>(const HeadShape&, const HeadWeights&,            \
                                                 std::span<const HeadReading>, const int64_t*);
PLUMB_INSTANTIATE(float)
PLUMB_INSTANTIATE(uint16_t)
#undef PLUMB_INSTANTIATE

}  // namespace plumb::models::kernels
