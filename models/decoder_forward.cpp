// The arithmetic of Decoder: blocks, head and loss.

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>

#include "base/error.h"
#include "models/aten_block.h"
#include "models/decoder.h"
#include "models/kernels/panels.h"
#include "models/layers/rope_table.h"
#include "models/panel_block.h"

namespace plumb::models {

namespace {

void require_in_vocabulary(std::span<const int64_t> targets, int64_t vocabulary) {
  for (size_t i = 0; i < targets.size(); ++i)
    if (targets[i] < 0 || targets[i] >= vocabulary)
      throw Error(ErrorKind::kInput, text("target ", targets[i], " of row ", i,
                                          " is outside the vocabulary of ", vocabulary));
}

void require_states(const at::Tensor& x, const Decoder& d) {
  if (x.dim() < 1 || x.size(-1) != d.config().width || x.scalar_type() != scalar_type(d.dtype()) ||
      x.device() != d.device())
    throw Error(ErrorKind::kInvariant, text("states are ", x.sizes(), " ", x.scalar_type(), " on ",
                                            x.device(), ", need [.., ", d.config().width, "] of ",
                                            dtype_name(d.dtype()), " on ", d.device()));
}

void require_predicting(const at::Tensor& x, const at::Tensor& targets, const Decoder& d) {
  require_states(x, d);
  if (x.dim() != 2 || targets.dim() != 1 || targets.size(0) != x.size(0) ||
      targets.scalar_type() != at::kLong)
    throw Error(ErrorKind::kInvariant,
                text("states ", x.sizes(), " and targets ", targets.sizes(), " ",
                     targets.scalar_type(), ", need [N, D] and [N] of int64"));
  require_in_vocabulary({targets.const_data_ptr<int64_t>(), static_cast<size_t>(targets.numel())},
                        d.config().vocabulary_size);
}

}  // namespace

at::Tensor Decoder::run_block(int64_t index, const at::Tensor& x) const {
  at::Tensor out = at::empty_like(x, at::MemoryFormat::Contiguous);
  apply_block(index, x, out);
  return out;
}

void Decoder::run_block_in_place(int64_t index, at::Tensor& x) const {
  if (!x.is_contiguous())
    throw Error(ErrorKind::kInvariant, "states to write over are not contiguous");
  apply_block(index, x, x);
}

void Decoder::apply_block(int64_t index, const at::Tensor& in, at::Tensor& out,
                          const kernels::KeyValueSink& sink) const {
  require_states(in, *this);
  if (in.dim() != 3)
    throw Error(ErrorKind::kInvariant, text("states are ", in.sizes(), ", need [B, T, D]"));
  const std::shared_ptr<const Block> held = block(index);
  if (!device().is_cpu()) {
    if (!out.is_same(in)) out.copy_(in);
    aten_block(*held, config_, aten_positions(*rope_, config_, 0, in.size(1), in.device()), out);
    return;
  }
  const at::Tensor x = in.contiguous();
  kernels::BlockShape shape = panel_shape(config_, x.size(0), x.size(1));
  shape.sink = sink;
  const RopeTable::View table = rope_->first(shape.tokens);
  const kernels::PanelKernels& set = kernels::panel_kernels();
  (dtype_ == Dtype::kFp32 ? set.block_fp32 : set.block_bf16)(
      shape, panel_weights(*held), panel_rotation(table), x.const_data_ptr(),
      out.mutable_data_ptr());
}

at::Tensor Decoder::final_norm(const at::Tensor& x) const {
  require_states(x, *this);
  return aten_final_norm(head_, config_, x);
}

at::Tensor Decoder::logits(const at::Tensor& x) const {
  require_states(x, *this);
  if (!device().is_cpu()) return aten_logits(head_, config_, x);
  const at::Tensor states = x.contiguous();
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = config_.vocabulary_size;
  at::Tensor out = at::empty(sizes, at::kFloat);
  const kernels::PanelKernels& set = kernels::panel_kernels();
  (dtype_ == Dtype::kFp32 ? set.logits_fp32 : set.logits_bf16)(
      panel_head_shape(x.numel() / config_.width, config_), panel_head_weights(head_),
      states.const_data_ptr(), out.mutable_data_ptr<float>());
  return out;
}

at::Tensor Decoder::logits(const at::Tensor& x, std::span<const int64_t> ids) const {
  require_in_vocabulary(ids, config_.vocabulary_size);
  at::Tensor rows = at::empty({static_cast<int64_t>(ids.size())}, at::kLong);
  std::copy(ids.begin(), ids.end(), rows.mutable_data_ptr<int64_t>());
  rows = rows.to(device());
  Decoder some = *this;
  some.config_.vocabulary_size = rows.numel();
  some.head_.unembedding = head_.unembedding.index_select(0, rows);
  if (head_.unembedding_bias.defined())
    some.head_.unembedding_bias = head_.unembedding_bias.index_select(0, rows);
  return some.logits(x);
}

at::Tensor Decoder::cross_entropy(const at::Tensor& x, const at::Tensor& targets) const {
  const at::Tensor states = x.contiguous(), wanted = targets.contiguous();
  require_predicting(x, wanted, *this);
  if (!device().is_cpu())
    return aten_cross_entropy(head_, config_, states, wanted.to(device())).to(at::kCPU);
  at::Tensor losses = at::empty({x.size(0)}, at::kFloat);
  const kernels::HeadShape shape = panel_head_shape(x.size(0), config_);
  const kernels::PanelKernels& set = kernels::panel_kernels();
  (dtype_ == Dtype::kFp32 ? set.cross_entropy_fp32 : set.cross_entropy_bf16)(
      shape, panel_head_weights(head_), states.const_data_ptr(), wanted.const_data_ptr<int64_t>(),
      losses.mutable_data_ptr<float>());
  return losses;
}

Distributions Decoder::distributions(std::span<const at::Tensor> x,
                                     const at::Tensor& targets) const {
  if (x.empty()) throw Error(ErrorKind::kInvariant, "distributions of no states were asked for");
  const at::Tensor wanted = targets.contiguous();
  std::vector<at::Tensor> states;
  for (const at::Tensor& one : x) {
    require_predicting(one, wanted, *this);
    states.push_back(one.contiguous());
  }
  if (!device().is_cpu())
    return aten_distributions(head_, config_, states, wanted.to(device())).on_host();
  const auto models = static_cast<int64_t>(x.size());
  const int64_t N = wanted.size(0);
  Distributions out{at::empty({models, N}, at::kFloat), at::empty({models, N}, at::kFloat),
                    at::empty({models, N}, at::kLong)};
  std::vector<kernels::HeadReading> readings;
  for (int64_t m = 0; m < models; ++m)
    readings.push_back({states[static_cast<size_t>(m)].const_data_ptr(),
                        out.loss.mutable_data_ptr<float>() + m * N,
                        out.divergence.mutable_data_ptr<float>() + m * N,
                        out.top.mutable_data_ptr<int64_t>() + m * N});
  const kernels::PanelKernels& set = kernels::panel_kernels();
  (dtype_ == Dtype::kFp32 ? set.distributions_fp32 : set.distributions_bf16)(
      panel_head_shape(N, config_), panel_head_weights(head_), readings,
      wanted.const_data_ptr<int64_t>());
  return out;
}

}  // namespace plumb::models
