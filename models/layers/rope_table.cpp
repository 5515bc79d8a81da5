#include "models/layers/rope_table.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

namespace plumb::models {

namespace {

RopeTable::View make_table(int64_t positions, int64_t head_width, double theta) {
  const int64_t half = head_width / 2;
  RopeTable::View table{at::empty({half, positions}, at::kFloat),
                        at::empty({half, positions}, at::kFloat)};
  auto* cosine = table.cos.mutable_data_ptr<float>();
  auto* sine = table.sin.mutable_data_ptr<float>();
  for (int64_t i = 0; i < half; ++i) {
    const auto exponent = static_cast<float>(2 * i) / static_cast<float>(head_width);
    const float frequency =
        1.0f / static_cast<float>(std::pow(theta, static_cast<double>(exponent)));
    for (int64_t p = 0; p < positions; ++p) {
      const double angle = static_cast<double>(static_cast<float>(p) * frequency);
      cosine[i * positions + p] = static_cast<float>(std::cos(angle));
      sine[i * positions + p] = static_cast<float>(std::sin(angle));
    }
  }
  return table;
}

}  // namespace

RopeTable::View RopeTable::first(int64_t positions) {
  const std::lock_guard lock(mutex_);
  const int64_t have = table_.cos.defined() ? table_.cos.size(1) : 0;
  if (have < positions)
    table_ = make_table(std::max({(positions + 63) / 64 * 64, 2 * have, int64_t{256}}), head_width_,
                        theta_);
  return table_;
}

}  // namespace plumb::models
