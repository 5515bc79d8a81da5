#include "healing/loss_gradient.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones_like.h>

#include <algorithm>

#include "healing/device_kernels.h"
#include "healing/fused_rows.h"
#include "healing/layers_gradient.h"
#include "healing/row_pieces.h"

namespace plumb::healing {
namespace {

/// Logits [rows, V] become d (sum of losses) / d logits: p, and at the target 1 less.
void turn_into_gradient(const at::Tensor& logits, const at::Tensor& targets,
                        const at::Tensor& losses) {
  if (cross_entropy_on_device(logits, targets, losses)) return;
  for_each(logits.size(0), logits, [&](int64_t i) {
    const at::Tensor row = logits.narrow(0, i, 1);
    const at::Tensor wanted = row.index_select(1, targets.narrow(0, i, 1));
    const at::Tensor sum = at::logsumexp(row, 1, true);
    losses.narrow(0, i, 1).copy_((sum - wanted).squeeze(1));
    row.sub_(sum).exp_();
    row.index_add_(1, targets.narrow(0, i, 1), -at::ones_like(wanted));
  });
}

}  // namespace

LossGradient loss_gradient(const models::Head& head, const models::ModelConfig& config,
                           const at::Tensor& x, const at::Tensor& targets, int64_t chunk_bytes) {
  const NormWeights weights{config.options.norm, head.norm, head.norm_bias, config.norm_epsilon};
  const at::ScalarType type = wide_type(x.scalar_type()), stored = head.unembedding.scalar_type();
  const int64_t N = x.size(0);
  const int64_t rows = std::max<int64_t>(1, chunk_bytes / (4 * config.vocabulary_size));
  LossGradient out{at::empty({N}, x.options().dtype(type)),
                   at::empty(x.sizes(), x.options().dtype(type))};
  // One buffer for all chunks: new pages for each would cost as much as a tenth of the product.
  at::Tensor room =
      at::empty({std::min(rows, N), config.vocabulary_size}, x.options().dtype(stored));
  const auto* fused = head.unembedding_bias.defined() || !targets.is_contiguous()
                          ? nullptr
                          : fused_rows(x, x.scalar_type(), stored);
  for (int64_t first = 0; first < N; first += rows) {
    const int64_t count = std::min(rows, N - first);
    const at::Tensor states = x.narrow(0, first, count);
    at::Tensor products = room.narrow(0, 0, count);
    const at::Tensor wanted = targets.narrow(0, first, count);
    at::mm_out(products, norm_for(stored, states, weights).to(stored), head.unembedding.t());
    if (fused != nullptr) {
      over_rows(count, [&](int64_t row, int64_t rows_done) {
        fused->cross_entropy(row_of_mutable(products, row), rows_done, config.vocabulary_size,
                             wanted.const_data_ptr<int64_t>() + row,
                             out.losses.mutable_data_ptr<float>() + first + row);
      });
      out.gradient.narrow(0, first, count)
          .copy_(plus_norm_gradient({}, states, weights, at::matmul(products, head.unembedding)));
      continue;
    }
    at::Tensor logits = products.to(type);
    if (head.unembedding_bias.defined()) logits.add_(head.unembedding_bias);
    turn_into_gradient(logits, wanted, out.losses.narrow(0, first, count));
    const at::Tensor normed = at::matmul(logits.to(stored), head.unembedding).to(type);
    out.gradient.narrow(0, first, count).copy_(norm_gradient(states, weights, normed));
  }
  return out;
}

}  // namespace plumb::healing
