#include <cmath>

#include "models/kernels/rms_norm.h"

namespace plumb::models {

// The definitions that the other versions are held to: no cleverness in this file.
void rms_norm_reference(const float* x, const float* gain, double epsilon, int64_t rows,
                        int64_t width, double* y) {
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    double squares = 0;
    for (int64_t i = 0; i < width; ++i) squares += double{x[i]} * x[i];
    const double factor = 1 / std::sqrt(squares / static_cast<double>(width) + epsilon);
    for (int64_t i = 0; i < width; ++i) y[i] = x[i] * factor * gain[i];
  }
}

void rms_norm_gradient_reference(const float* x, const float* gain, const float* gradient,
                                 double epsilon, int64_t rows, int64_t width, double* dx) {
  const auto count = static_cast<double>(width);
  for (int64_t row = 0; row < rows; ++row, x += width, gradient += width, dx += width) {
    double squares = 0, products = 0;
    for (int64_t i = 0; i < width; ++i) {
      squares += double{x[i]} * x[i];
      products += double{gradient[i]} * gain[i] * x[i];
    }
    const double factor = 1 / std::sqrt(squares / count + epsilon);
    for (int64_t i = 0; i < width; ++i)
      dx[i] = factor * (double{gradient[i]} * gain[i] - x[i] * factor * factor * products / count);
  }
}

}  // namespace plumb::models
