#include <cmath>
#include <vector>

#include "models/kernels/head_rotation.h"

namespace plumb::models {
namespace {

/// 1 / root mean square of a head where there is a gain.
double factor_of(const HeadRotation& s, const float* x) {
  double squares = 0;
  for (int64_t i = 0; i < s.width; ++i) squares += double{x[i]} * x[i];
  return 1 / std::sqrt(squares / static_cast<double>(s.width) + s.epsilon);
}

}  // namespace

// The definitions that the other versions are held to: no cleverness in this file.
void rotate_heads_reference(const HeadRotation& s, const float* x, double* y) {
  std::vector<double> n(static_cast<size_t>(s.width));
  for (int64_t row = 0; row < s.rows; ++row)
    for (int64_t head = 0; head < s.heads; ++head, x += s.width, y += s.width) {
      const double factor = s.gain != nullptr ? factor_of(s, x) : 1;
      for (int64_t i = 0; i < s.width; ++i)
        n[static_cast<size_t>(i)] = s.gain != nullptr ? x[i] * factor * s.gain[i] : x[i];
      for (int64_t i = 0; i < s.width; ++i) y[i] = n[static_cast<size_t>(i)];
      for (int64_t i = 0; i < s.half; ++i) {
        const double a = n[static_cast<size_t>(i)], b = n[static_cast<size_t>(i + s.half)];
        const int64_t angle = row % s.tokens * s.half + i;
        y[i] = a * s.cosine[angle] - b * s.sine[angle];
        y[i + s.half] = b * s.cosine[angle] + a * s.sine[angle];
      }
    }
}

void rotate_heads_gradient_reference(const HeadRotation& s, const float* x, const float* gradient,
                                     double* dx) {
  std::vector<double> g(static_cast<size_t>(s.width));
  for (int64_t row = 0; row < s.rows; ++row)
    for (int64_t head = 0; head < s.heads;
         ++head, x += s.width, gradient += s.width, dx += s.width) {
      for (int64_t i = 0; i < s.width; ++i) g[static_cast<size_t>(i)] = gradient[i];
      for (int64_t i = 0; i < s.half; ++i) {
        const double a = gradient[i], b = gradient[i + s.half];
        const int64_t angle = row % s.tokens * s.half + i;
        g[static_cast<size_t>(i)] = a * s.cosine[angle] + b * s.sine[angle];
        g[static_cast<size_t>(i + s.half)] = b * s.cosine[angle] - a * s.sine[angle];
      }
      if (s.gain == nullptr) {
        for (int64_t i = 0; i < s.width; ++i) dx[i] = g[static_cast<size_t>(i)];
        continue;
      }
      const double factor = factor_of(s, x);
      double products = 0;
      for (int64_t i = 0; i < s.width; ++i)
        products += g[static_cast<size_t>(i)] * s.gain[i] * x[i];
      for (int64_t i = 0; i < s.width; ++i)
        dx[i] = factor * (g[static_cast<size_t>(i)] * s.gain[i] -
                          x[i] * factor * factor * products / static_cast<double>(s.width));
    }
}

}  // namespace plumb::models
