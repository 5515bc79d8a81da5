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

kernels::HeadWeights head_weights(const Head& head) {
  return {vector_values(head.norm), head.unembedding.const_data_ptr(),
          vector_values(head.norm_bias), vector_values(head.unembedding_bias)};
}

kernels::HeadShape head_shape(int64_t rows, const ModelConfig& c) {
  return {rows, c.width, c.vocabulary_size, static_cast<float>(c.norm_epsilon), c.options.norm};
}

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

void Decoder::apply_block(int64_t index, const at::Tensor& in, at::Tensor& out) const {
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
  const kernels::BlockShape shape = panel_shape(config_, x.size(0), x.size(1));
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
      head_shape(x.numel() / config_.width, config_), head_weights(head_), states.const_data_ptr(),
      out.mutable_data_ptr<float>());
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
  const kernels::HeadShape shape = head_shape(x.size(0), config_);
  const kernels::PanelKernels& set = kernels::panel_kernels();
  (dtype_ == Dtype::kFp32 ? set.cross_entropy_fp32 : set.cross_entropy_bf16)(
      shape, head_weights(head_), states.const_data_ptr(), wanted.const_data_ptr<int64_t>(),
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
      head_shape(N, config_), head_weights(head_), readings, wanted.const_data_ptr<int64_t>());
  return out;
}

KvCache Decoder::make_cache(int64_t batch, int64_t capacity) const {
  KvCache cache;
  cache.capacity = capacity;
  for (int64_t i = 0; i < block_count(); ++i)
    for (auto* side : {&cache.keys, &cache.values})
      side->push_back(at::empty({batch, config_.kv_head_count, capacity, config_.head_width},
                                at::TensorOptions(device()).dtype(scalar_type(dtype_))));
  return cache;
}

at::Tensor Decoder::forward_cached(const at::Tensor& tokens, KvCache& cache) const {
  const int64_t first = cache.length, T = tokens.size(1);
  if (first + T > cache.capacity || static_cast<int64_t>(cache.keys.size()) != block_count())
    throw Error(ErrorKind::kInvariant,
                text(T, " tokens after position ", first, " and ", block_count(),
                     " blocks, but the cache holds ", cache.capacity, " positions and ",
                     cache.keys.size(), " blocks"));
  at::Tensor x = embed(tokens);
  const AtenPositions positions = aten_positions(*rope_, config_, first, T, x.device());
  for (int64_t i = 0; i < block_count(); ++i) {
    const AtenCache filled{cache.keys[static_cast<size_t>(i)],
                           cache.values[static_cast<size_t>(i)]};
    aten_block(*block(i), config_, positions, x, &filled);
  }
  cache.length = first + T;
  return x;
}

}  // namespace plumb::models
