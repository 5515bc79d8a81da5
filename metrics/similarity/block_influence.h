#pragma once

#include <cstdint>

namespace plumb::metrics {

/// Dot product and squares of two rows, in double.
struct RowProducts {
  double dot = 0;  ///< <x, y>
  double xx = 0;   ///< |x|^2
  double yy = 0;   ///< |y|^2

  /// <x, y> / (|x| |y|), not clamped; NaN where a row is zero or not finite.
  double cosine() const;
};

/// Of x, y [width], fp32 or bf16 (any type that converts to float). Sums run in eight lanes, in an
/// order that does not depend on the machine, so the result is the same wherever the rows are.
template <typename Scalar>
RowProducts row_products(const Scalar* x, const Scalar* y, int64_t width) {
  constexpr int64_t kLanes = 8;
  double dot[kLanes] = {}, xx[kLanes] = {}, yy[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const auto a = static_cast<double>(static_cast<float>(x[i + lane]));
      const auto b = static_cast<double>(static_cast<float>(y[i + lane]));
      dot[lane] += a * b;
      xx[lane] += a * a;
      yy[lane] += b * b;
    }
  for (; i < width; ++i) {
    const auto a = static_cast<double>(static_cast<float>(x[i]));
    const auto b = static_cast<double>(static_cast<float>(y[i]));
    dot[0] += a * b;
    xx[0] += a * a;
    yy[0] += b * b;
  }
  RowProducts sums;
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    sums.dot += dot[lane];
    sums.xx += xx[lane];
    sums.yy += yy[lane];
  }
  return sums;
}

}  // namespace plumb::metrics
