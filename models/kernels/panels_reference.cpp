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

Vector normed(const Vector& x, const float* gain, double epsilon) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  const double scale = 1.0 / std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] * scale * wide(gain[i]);
  return y;
}

void rotate(Vector& head, int64_t position, const Rotation& rotation) {
  const size_t half = head.size() / 2;
  for (size_t i = 0; i < half; ++i) {
    const auto at = static_cast<int64_t>(i) * rotation.stride + position;
    const double c = wide(rotation.cos[at]), s = wide(rotation.sin[at]);
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

/// softmax(q K / sqrt(width)) V over the keys so far.
Vector attend(const Vector& query, const std::vector<Vector>& keys,
              const std::vector<Vector>& values) {
  Vector score;
  for (const Vector& key : keys)
    score.push_back(dot(query, key) / std::sqrt(static_cast<double>(query.size())));
  const double largest = *std::max_element(score.begin(), score.end());
  double sum = 0;
  Vector mixed(query.size());
  for (size_t k = 0; k < score.size(); ++k) {
    const double weight = std::exp(score[k] - largest);
    sum += weight;
    for (size_t i = 0; i < mixed.size(); ++i) mixed[i] += weight * values[k][i];
  }
  for (double& v : mixed) v /= sum;
  return mixed;
}

template <typename Element>
Vector row(const void* x, int64_t index, int64_t width) {
  Vector y;
  for (int64_t d = 0; d < width; ++d)
    y.push_back(wide(static_cast<const Element*>(x)[index * width + d]));
  return y;
}

template <typename Element>
Vector feed_forward(const BlockShape& s, const BlockWeights& w, const Vector& x) {
  const Vector y = normed(x, w.feed_forward_norm, wide(s.epsilon));
  const auto* gate_up = static_cast<const Element*>(w.gate_up);
  Vector gate = product(gate_up, 0, s.feed_forward_width, y);
  const Vector up = product(gate_up, s.feed_forward_width, s.feed_forward_width, y);
  for (size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1.0 + std::exp(-gate[i]));
  return product(static_cast<const Element*>(w.down), 0, s.width, gate);
}

}  // namespace

template <typename Element>
void block_reference(const BlockShape& s, const BlockWeights& w, const Rotation& rotation,
                     const void* in, void* out) {
  const auto* qkv = static_cast<const Element*>(w.query_key_value);
  for (int64_t b = 0; b < s.sequences; ++b) {
    std::vector<std::vector<Vector>> keys(static_cast<size_t>(s.kv_heads)), values = keys;
    for (int64_t t = 0; t < s.tokens; ++t) {
      Vector x = row<Element>(in, b * s.tokens + t, s.width);
      const Vector y = normed(x, w.attention_norm, wide(s.epsilon));
      for (int64_t h = 0; h < s.kv_heads; ++h) {
        Vector key = product(qkv, (s.heads + h) * s.head_width, s.head_width, y);
        rotate(key, t, rotation);
        keys[static_cast<size_t>(h)].push_back(key);
        values[static_cast<size_t>(h)].push_back(
            product(qkv, (s.heads + s.kv_heads + h) * s.head_width, s.head_width, y));
      }
      Vector mixed;
      for (int64_t h = 0; h < s.heads; ++h) {
        Vector query = product(qkv, h * s.head_width, s.head_width, y);
        rotate(query, t, rotation);
        const auto side = static_cast<size_t>(h / (s.heads / s.kv_heads));
        const Vector head = attend(query, keys[side], values[side]);
        mixed.insert(mixed.end(), head.begin(), head.end());
      }
      const Vector added = product(static_cast<const Element*>(w.attention_out), 0, s.width, mixed);
      for (size_t d = 0; d < x.size(); ++d) x[d] += added[d];
      const Vector more = feed_forward<Element>(s, w, x);
      for (size_t d = 0; d < x.size(); ++d)
        narrow(x[d] + more[d],
               static_cast<Element*>(out)[(b * s.tokens + t) * s.width + static_cast<int64_t>(d)]);
    }
  }
}

template <typename Element>
void logits_reference(const HeadShape& s, const float* gain, const void* unembedding, const void* x,
                      float* out) {
  for (int64_t r = 0; r < s.rows; ++r) {
    const Vector y = normed(row<Element>(x, r, s.width), gain, wide(s.epsilon));
    const Vector z = product(static_cast<const Element*>(unembedding), 0, s.vocabulary, y);
    for (size_t v = 0; v < z.size(); ++v)
      out[r * s.vocabulary + static_cast<int64_t>(v)] = static_cast<float>(z[v]);
  }
}

template <typename Element>
void cross_entropy_reference(const HeadShape& s, const float* gain, const void* unembedding,
                             const void* x, const int64_t* targets, float* loss) {
  for (int64_t r = 0; r < s.rows; ++r) {
    const Vector y = normed(row<Element>(x, r, s.width), gain, wide(s.epsilon));
    const Vector z = product(static_cast<const Element*>(unembedding), 0, s.vocabulary, y);
    const double largest = *std::max_element(z.begin(), z.end());
    double sum = 0;
    for (const double v : z) sum += std::exp(v - largest);
    loss[r] = static_cast<float>(std::log(sum) + largest - z[static_cast<size_t>(targets[r])]);
  }
}

#define PLUMB_INSTANTIATE(Element)                                                                \
  template void block_reference<Element>(const BlockShape&, const BlockWeights&, const Rotation&, \
                                         const void*, void*);                                     \
  template void logits_reference<Element>(const HeadShape&, const float*, const void*,            \
                                          const void*, float*);                                   \
  template void cross_entropy_reference<Element>(const HeadShape&, const float*, const void*,     \
                                                 const void*, const int64_t*, float*);
PLUMB_INSTANTIATE(float)
PLUMB_INSTANTIATE(uint16_t)
#undef PLUMB_INSTANTIATE

}  // namespace plumb::models::kernels
