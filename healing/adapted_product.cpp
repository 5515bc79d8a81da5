#include "healing/adapted_product.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "base/rng.h"
#include "healing/device_kernels.h"
#include "healing/fused_rows.h"
#include "healing/layers_gradient.h"

namespace plumb::healing {

using models::kernels::LowRankPart;
using models::kernels::TrainingRows;

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
      // Of its own, so that neither threads nor batches change anything.
      Rng rng(key, dropout_.first_row + static_cast<uint64_t>(row));
      for (int64_t i = row * columns; i < (row + 1) * columns; ++i)
        values[i] = rng.uniform() < dropout_.rate ? 0.0f : kept;
    }
  });
  return x * factor.to(x.device());
}

at::Tensor AdaptedProduct::forward(const at::Tensor& x, at::ScalarType type,
                                   const at::Tensor& plus) const {
  if (const TrainingRows* rows = fused(x, type);
      rows != nullptr && (!plus.defined() || (plus.is_contiguous() && plus.scalar_type() == type)))
    return fused_forward(*rows, x, type, plus);
  const at::Tensor y = wide_forward(x);
  return (plus.defined() ? plus + y : y).to(type);
}

at::Tensor AdaptedProduct::wide_forward(const at::Tensor& x) const {
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

const TrainingRows* AdaptedProduct::fused(const at::Tensor& x, at::ScalarType states) const {
  if (dropout_.rate > 0 || (bias_.defined() && bias_.scalar_type() != at::kFloat)) return nullptr;
  int64_t parts = 0, rows = 0, end = 0;
  for (const Group& group : groups_) {
    if (group.a.scalar_type() != at::kFloat) return nullptr;
    for (const Part& part : group.parts) {
      ++parts, rows += part.rows.rows;
      end = std::max(end, part.rows.first + part.rows.rows);
    }
  }
  if (parts > 1 && rows > end) return nullptr;  // some share rows
  return fused_rows(x, states, weight_.scalar_type());
}

at::Tensor AdaptedProduct::low(const TrainingRows& rows, const at::Tensor& x,
                               const Group& group) const {
  const int64_t ranks = group.a.size(0), in = x.size(1);
  const at::Tensor a = group.a.contiguous();
  const at::Tensor out = at::empty({x.size(0), ranks}, a.options());
  over_rows(x.size(0), [&](int64_t first, int64_t count) {
    rows.low(row_of(x, first), in, count, in, a.const_data_ptr<float>(), ranks,
             out.mutable_data_ptr<float>() + first * ranks, ranks);
  });
  return out;
}

at::Tensor AdaptedProduct::fused_forward(const TrainingRows& rows, const at::Tensor& x,
                                         at::ScalarType type, const at::Tensor& plus) const {
  const at::Tensor input = x.reshape({-1, x.size(-1)}).to(weight_.scalar_type()).contiguous();
  const at::Tensor y = at::linear(input, weight_);
  const int64_t N = y.size(0), O = y.size(1);
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = O;
  if (groups_.empty() && !plus.defined() && !bias_.defined() && type == y.scalar_type())
    return y.view(sizes);
  std::vector<at::Tensor> kept;  // what the parts point into
  std::vector<LowRankPart> parts;
  for (const Group& group : groups_) {
    kept.push_back(low(rows, input, group));
    const float* low_rows = kept.back().const_data_ptr<float>();
    const int64_t ranks = kept.back().size(1);
    for (const Part& part : group.parts) {
      kept.push_back(part.pair->b.t().contiguous());
      parts.push_back({low_rows, ranks, kept.back().const_data_ptr<float>(), kept.back().size(0),
                       part.rows.first, part.rows.rows});
      low_rows += kept.back().size(0);
    }
  }
  std::ranges::sort(parts, {}, &LowRankPart::first);
  const at::Tensor out = at::empty(sizes, y.options().dtype(type));
  const float* bias = bias_.defined() ? bias_.const_data_ptr<float>() : nullptr;
  over_rows(N, [&](int64_t first, int64_t count) {
    std::vector<LowRankPart> mine = parts;
    for (LowRankPart& part : mine) part.low += first * part.stride;
    rows.finish(row_of(y, first), count, O, bias, mine, static_cast<float>(scale_),
                plus.defined() ? row_of(plus, first) : nullptr, row_of_mutable(out, first));
  });
  return out;
}

void AdaptedProduct::fused_back(const TrainingRows& rows, const at::Tensor& x,
                                const at::Tensor& gradient, BlockAdapter& gradients,
                                at::Tensor* dx) const {
  constexpr int64_t kColumns = 32;  // a thread's least share of the sums over rows
  const int64_t N = x.size(0), in = x.size(1), O = gradient.size(1);
  const auto scale = static_cast<float>(scale_);
  const auto size = static_cast<int64_t>(x.element_size());
  for (const Group& group : groups_) {
    const at::Tensor low_rows = low(rows, x, group);
    const int64_t ranks = low_rows.size(1);
    const at::Tensor back = at::empty_like(low_rows);
    int64_t column = 0;
    for (const Part& part : group.parts) {
      const at::Tensor b = part.pair->b.t().contiguous();  // [rank, rows of the part]
      const int64_t rank = b.size(0), columns = part.rows.rows, skip = part.rows.first * size;
      over_rows(N, [&](int64_t first, int64_t count) {
        rows.low(static_cast<const char*>(row_of(gradient, first)) + skip, O, count, columns,
                 b.const_data_ptr<float>(), rank,
                 back.mutable_data_ptr<float>() + first * ranks + column, ranks);
      });
      const at::Tensor sums = at::zeros({rank, columns}, b.options());
      at::parallel_for(0, (columns + kColumns - 1) / kColumns, 1, [&](int64_t begin, int64_t end) {
        rows.outer(static_cast<const char*>(gradient.const_data_ptr()) + skip, O, N, columns,
                   low_rows.const_data_ptr<float>() + column, ranks, rank, scale, begin * kColumns,
                   std::min(columns, end * kColumns), sums.mutable_data_ptr<float>());
      });
      gradients.of(part.target).b.add_(sums.t());
      column += rank;
    }
    column = 0;
    for (const Part& part : group.parts) {
      const at::Tensor& sums = gradients.of(part.target).a;
      at::parallel_for(0, (in + kColumns - 1) / kColumns, 1, [&](int64_t begin, int64_t end) {
        rows.outer(x.const_data_ptr(), in, N, in, back.const_data_ptr<float>() + column, ranks,
                   sums.size(0), scale, begin * kColumns, std::min(in, end * kColumns),
                   sums.mutable_data_ptr<float>());
      });
      column += sums.size(0);
    }
    if (dx == nullptr) continue;
    const at::Tensor a = group.a.contiguous();
    over_rows(N, [&](int64_t first, int64_t count) {
      const LowRankPart part{back.const_data_ptr<float>() + first * ranks,
                             ranks,
                             a.const_data_ptr<float>(),
                             ranks,
                             0,
                             in};
      rows.add_low_rank(row_of_mutable(*dx, first), count, in, std::span(&part, 1), scale);
    });
  }
}

at::Tensor AdaptedProduct::backward(const at::Tensor& x, const at::Tensor& gradient,
                                    BlockAdapter& gradients) const {
  const at::Tensor g = gradient.reshape({-1, gradient.size(-1)});
  const at::ScalarType products = weight_.scalar_type();
  if (const TrainingRows* rows = fused(x, products)) {
    const at::Tensor rounded = g.to(products).contiguous();
    at::Tensor dx = at::matmul(rounded, weight_);
    fused_back(*rows, x.reshape({-1, x.size(-1)}).to(products).contiguous(), rounded, gradients,
               &dx);
    return dx.view(x.sizes());
  }
  at::Tensor dx = at::matmul(g.to(weight_.scalar_type()), weight_).to(g.scalar_type());
  walk_back(x, g, gradients, &dx);
  return dx.view(x.sizes());
}

void AdaptedProduct::add_gradients(const at::Tensor& x, const at::Tensor& gradient,
                                   BlockAdapter& gradients) const {
  const at::Tensor g = gradient.reshape({-1, gradient.size(-1)});
  const at::ScalarType products = weight_.scalar_type();
  if (const TrainingRows* rows = fused(x, products))
    return fused_back(*rows, x.reshape({-1, x.size(-1)}).to(products).contiguous(),
                      g.to(products).contiguous(), gradients, nullptr);
  walk_back(x, g, gradients, nullptr);
}

}  // namespace plumb::healing
