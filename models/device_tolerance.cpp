#include "models/device_tolerance.h"

#include <algorithm>
#include <cmath>

namespace plumb::models {

double device_loss_tolerance(Dtype dtype, int64_t block_count, double loss_nats) {
  constexpr double kLossPerState = 8;
  const double unit = dtype == Dtype::kFp32 ? 0x1p-18 : 0x1p-9;
  return kLossPerState * unit * std::sqrt(2 * static_cast<double>(block_count) + 2) *
         std::max(1.0, loss_nats / 4);
}

}  // namespace plumb::models
