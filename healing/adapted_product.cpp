#include "healing/adapted_product.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>

#include "base/rng.h"
#include "healing/device_kernels.h"
#include "healing/layers_gradient.h"

namespace plumb::healing {

AdaptedProduct::AdaptedProduct(const at::Tensor& weight, const at::Tensor& bias,
                               std::initializer_list<Target> targets,
                               const models::ModelConfig& config, const BlockAdapter& adapter,
                               double scale, const Dropout& dropout)
    : weight_(weight), bias_(bias), scale_(scale), dropout_(dropout) {
  for (const Target target : targets) {
    const LoraPair& pair = adapter.of(target);
    if (!pair.a.defined()) continue;
    if (groups_.empty() || dropout.rate > 0) groups_.emplace_back();
    groups_.back().parts.push_back({target, target_rows(config, target), &pair});
  }
  for (Group& group : groups_) {
    std::vector<at::Tensor> all;
    for (const Part& part : group.parts) all.push_back(part.pair->a);
    group.a = all.size() == 1 ? all.front() : at::cat(all);
  }
}

at::Tensor AdaptedProduct::dropped(const at::Tensor& x, const Group& group) const {
  if (dropout_.rate == 0) return x;
  const auto target = static_cast<uint64_t>(group.parts.front().target);
  const int64_t rows = x.size(0), columns = x.size(1);
  at::Tensor factor = at::empty({rows, columns}, at::kFloat);
  const uint64_t key = Rng(dropout_.seed, dropout_.stream * kTargetCount + target).next();
  const auto kept = static_cast<float>(1 / (1 - dropout_.rate));
  auto* values = factor.mutable_data_ptr<float>();
  at::parallel_for(0, rows, 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      Rng rng(key, static_cast<uint64_t>(row));  // of its own, so that threads change nothing
      for (int64_t i = row * columns; i < (row + 1) * columns; ++i)
        values[i] = rng.uniform() < dropout_.rate ? 0.0f : kept;
    }
  });
  return x * factor.to(x.device());
}

at::Tensor AdaptedProduct::forward(const at::Tensor& x) const {
  const at::ScalarType type = wide_type(x.scalar_type());
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  at::Tensor y = at::linear(rows.to(weight_.scalar_type()), weight_).to(type);
  if (bias_.defined()) y = y + bias_;
  for (const Group& group : groups_) {
    const at::Tensor input = dropped(rows.to(type), group);
    at::Tensor low;
    int64_t column = 0;
    for (const Part& part : group.parts) {
      const int64_t rank = part.pair->a.size(0);
      const at::Tensor place = y.narrow(1, part.rows.first, part.rows.rows);
      if (!lora_product_on_device(input, part.pair->a, part.pair->b, scale_, place)) {
        if (!low.defined()) low = at::linear(input, group.a);
        place.addmm_(low.narrow(1, column, rank), part.pair->b.t(), 1, scale_);
      }
      column += rank;
    }
  }
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = y.size(1);
  return y.view(sizes);
}

void AdaptedProduct::walk_back(const at::Tensor& x, const at::Tensor& gradient,
                               BlockAdapter& gradients, at::Tensor* dx) const {
  const at::Tensor rows = x.reshape({-1, x.size(-1)}).to(gradient.scalar_type());
  for (const Group& group : groups_) {
    const at::Tensor input = dropped(rows, group);
    const at::Tensor low = at::linear(input, group.a);  // [N, ranks]
    at::Tensor low_gradient = at::empty(low.sizes(), low.options());
    int64_t column = 0;
    for (const Part& part : group.parts) {
      const int64_t rank = part.pair->a.size(0);
      const at::Tensor mine = gradient.narrow(1, part.rows.first, part.rows.rows);
      gradients.of(part.target).b.addmm_(mine.t(), low.narrow(1, column, rank), 1, scale_);
      low_gradient.narrow(1, column, rank).copy_(at::matmul(mine, part.pair->b));
      column += rank;
    }
    const at::Tensor a_gradient = at::matmul(low_gradient.t(), input);  // [ranks, in]
    column = 0;
    for (const Part& part : group.parts) {
      const int64_t rank = part.pair->a.size(0);
      gradients.of(part.target).a.add_(a_gradient.narrow(0, column, rank), scale_);
      column += rank;
    }
    if (dx == nullptr) continue;
    if (dropout_.rate == 0)
      dx->addmm_(low_gradient, group.a, 1, scale_);
    else
      dx->add_(dropped(at::matmul(low_gradient, group.a), group), scale_);
  }
}

at::Tensor AdaptedProduct::backward(const at::Tensor& x, const at::Tensor& gradient,
                                    BlockAdapter& gradients) const {
  const at::Tensor g = gradient.reshape({-1, gradient.size(-1)});
  at::Tensor dx = at::matmul(g.to(weight_.scalar_type()), weight_).to(g.scalar_type());
  walk_back(x, g, gradients, &dx);
  return dx.view(x.sizes());
}

void AdaptedProduct::add_gradients(const at::Tensor& x, const at::Tensor& gradient,
                                   BlockAdapter& gradients) const {
  walk_back(x, gradient.reshape({-1, gradient.size(-1)}), gradients, nullptr);
}

}  // namespace plumb::healing
