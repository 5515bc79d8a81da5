#include <algorithm>
#include <cmath>
#include <limits>

#include "models/kernels/cross_entropy_gradient.h"

namespace plumb::models {

// The definition that the other versions are held to: no cleverness in this file.
void cross_entropy_reference(const float* logits, const int64_t* targets, double scale,
                             int64_t rows, int64_t vocabulary, double* losses, double* gradient) {
  for (int64_t row = 0; row < rows; ++row, logits += vocabulary, gradient += vocabulary) {
    const int64_t target = targets[row];
    const bool known = target >= 0 && target < vocabulary;
    const double top = *std::max_element(logits, logits + vocabulary);
    double sum = 0;
    for (int64_t i = 0; i < vocabulary; ++i) sum += std::exp(logits[i] - top);
    losses[row] =
        known ? std::log(sum) + top - logits[target] : std::numeric_limits<double>::quiet_NaN();
    for (int64_t i = 0; i < vocabulary; ++i)
      gradient[i] = known ? scale * (std::exp(logits[i] - top) / sum - (i == target ? 1 : 0)) : 0.0;
  }
}

}  // namespace plumb::models
