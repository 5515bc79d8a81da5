#include "models/kernels/nf4_product.h"

namespace plumb::models {

// The definition that the other versions are held to: no cleverness in this file.
void nf4_product_reference(const Nf4Matrix& w, const float* x, int64_t batch, double* y) {
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t row = 0; row < w.rows; ++row) {
      double sum = 0;
      for (int64_t column = 0; column < w.columns; ++column) {
        const int64_t i = row * w.columns + column;
        const unsigned byte = w.codes[i / 2];
        const float level = kNf4Levels[i % 2 == 0 ? nf4_even(byte) : nf4_odd(byte)];
        sum += double{level} * nf4_scale(w, i / kNf4Block) * x[b * w.columns + column];
      }
      y[b * w.rows + row] = sum;
    }
}

}  // namespace plumb::models
