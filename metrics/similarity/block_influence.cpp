#include "metrics/similarity/block_influence.h"

#include <cmath>

namespace plumb::metrics {

double RowProducts::cosine() const {
  // Two roots, as the product of two squares may leave the range of double.
  return dot / (std::sqrt(xx) * std::sqrt(yy));
}

}  // namespace plumb::metrics
