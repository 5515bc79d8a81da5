#include "models/kernels/lora_product.h"

namespace plumb::models {

// The definition that the other versions are held to: no cleverness in this file.
void lora_product_reference(const LoraProduct& s, const float* x, double* low, double* y) {
  for (int64_t row = 0; row < s.rows; ++row, x += s.in, low += s.rank, y += s.out) {
    for (int64_t r = 0; r < s.rank; ++r) {
      low[r] = 0;
      for (int64_t i = 0; i < s.in; ++i) low[r] += double{s.a[r * s.in + i]} * x[i];
    }
    for (int64_t o = 0; o < s.out; ++o)
      for (int64_t r = 0; r < s.rank; ++r) y[o] += s.scale * low[r] * s.b[o * s.rank + r];
  }
}

}  // namespace plumb::models
