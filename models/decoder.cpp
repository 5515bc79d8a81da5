#include "models/decoder.h"

#include <ATen/Parallel.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scalar_tensor.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "models/device_blocks.h"
#include "models/device_tensors.h"
#include "models/layers/rope_table.h"

namespace plumb::models {

std::string_view dtype_name(Dtype dtype) { return dtype == Dtype::kFp32 ? "fp32" : "bf16"; }

Dtype parse_dtype(std::string_view name) {
  if (name == "fp32") return Dtype::kFp32;
  if (name == "bf16") return Dtype::kBf16;
  throw Error(ErrorKind::kUsage, text("dtype '", name, "' is unknown: fp32 or bf16 is needed"));
}

at::ScalarType scalar_type(Dtype dtype) {
  return dtype == Dtype::kFp32 ? at::kFloat : at::kBFloat16;
}

namespace {

std::shared_ptr<BlockSource> resident(std::vector<Block> blocks, const ModelConfig& config,
                                      at::ScalarType type) {
  for (size_t i = 0; i < blocks.size(); ++i) try {
      require_block(blocks[i], config, type);
    } catch (const Error& error) {
      throw error.within(text("block ", i));
    }
  return std::make_shared<ResidentBlocks>(std::move(blocks));
}

}  // namespace

Decoder::Decoder(ModelConfig config, Dtype dtype, at::Tensor embedding, std::vector<Block> blocks,
                 Head head)
    : Decoder(config, dtype, std::move(embedding), std::nullopt,
              resident(std::move(blocks), config, scalar_type(dtype)), std::move(head)) {}

Decoder::Decoder(ModelConfig config, Dtype dtype, at::Tensor embedding,
                 std::optional<Checkpoint> rows, std::shared_ptr<BlockSource> blocks, Head head)
    : config_(std::move(config)),
      dtype_(dtype),
      embedding_(std::move(embedding)),
      embedding_rows_(std::move(rows)),
      source_(std::move(blocks)),
      kept_(static_cast<size_t>(source_->block_count())),
      head_(std::move(head)) {
  std::iota(kept_.begin(), kept_.end(), int64_t{0});
  config_.block_count = block_count();
  const auto type = scalar_type(dtype);
  if (!embedding_rows_)
    require_tensor("embedding", embedding_, {config_.vocabulary_size, config_.width}, type);
  require_vector("final_norm", head_.norm, true, config_.width);
  require_vector("final_norm_bias", head_.norm_bias, config_.options.norm == Norm::kLayer,
                 config_.width);
  require_tensor("unembedding", head_.unembedding, {config_.vocabulary_size, config_.width}, type);
  require_vector("unembedding_bias", head_.unembedding_bias, config_.options.unembedding_bias,
                 config_.vocabulary_size);
  tied_ = !embedding_rows_ && head_.unembedding.is_alias_of(embedding_);
  rope_ = std::make_shared<RopeTable>(
      rope_frequencies(config_.rotary_width, config_.rope_theta, config_.rope_scaling));
}

Decoder Decoder::on(c10::Device device, uint64_t block_memory_bytes) const {
  Decoder moved = *this;
  moved.head_ = head_on(device, head_);
  moved.source_ = std::make_shared<DeviceBlocks>(source_, device, block_memory_bytes);
  return moved;
}

void Decoder::wait() const {
  if (device().is_cpu()) return;
  const c10::impl::VirtualGuardImpl guard(device().type());
  guard.synchronizeStream(guard.getStream(device()));
}

Decoder Decoder::with_blocks(std::span<const int64_t> kept) const {
  Decoder pruned = *this;
  pruned.kept_.clear();
  for (size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] < 0 || kept[i] >= block_count() || (i > 0 && kept[i] <= kept[i - 1]))
      throw Error(ErrorKind::kInvariant,
                  text("kept block ", kept[i], " at place ", i, " of a decoder with ",
                       block_count(), " blocks: ascending indices from 0 are needed"));
    pruned.kept_.push_back(kept_[static_cast<size_t>(kept[i])]);
  }
  pruned.config_.block_count = pruned.block_count();
  return pruned;
}

std::shared_ptr<const Block> Decoder::block(int64_t index) const {
  return source_->block(kept_.at(static_cast<size_t>(index)));
}

bool Decoder::keeps(int64_t index) const {
  return source_->keeps(kept_.at(static_cast<size_t>(index)));
}

void Decoder::expect(std::span<const int64_t> order) const {
  std::vector<int64_t> sources;
  for (const int64_t index : order) sources.push_back(kept_.at(static_cast<size_t>(index)));
  source_->expect(sources);
}

/// Rows of the embedding that is not held, [B, T, D]: the same values as out of the whole.
at::Tensor Decoder::read_embedding(const at::Tensor& ids) const {
  const auto* id = ids.const_data_ptr<int64_t>();
  std::map<int64_t, at::Tensor> rows;  // a text says most words more than once
  at::Tensor x = at::empty({ids.numel(), config_.width}, scalar_type(dtype_));
  for (int64_t i = 0; i < ids.numel(); ++i) {
    at::Tensor& row = rows[id[i]];
    if (!row.defined())
      row = embedding_rows_->load_rows(Role::kEmbedding, -1, id[i], 1, scalar_type(dtype_));
    x.select(0, i).copy_(row.view({-1}));
  }
  return x.view({ids.size(0), ids.size(1), config_.width});
}

at::Tensor Decoder::embed(const at::Tensor& tokens) const {
  if (tokens.dim() != 2 || tokens.scalar_type() != at::kLong)
    throw Error(ErrorKind::kInvariant, text("tokens are ", tokens.sizes(), " ",
                                            tokens.scalar_type(), ", need [B, T] of int64"));
  const at::Tensor ids = tokens.contiguous();
  const auto* id = ids.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < ids.numel(); ++i)
    if (id[i] < 0 || id[i] >= config_.vocabulary_size)
      throw Error(ErrorKind::kInput,
                  text("token ", id[i], " at position ", i % ids.size(1), " of sequence ",
                       i / ids.size(1), " is outside the vocabulary of ", config_.vocabulary_size,
                       "; the tokenizer and the model do not belong together"));
  at::Tensor x = embedding_rows_ ? read_embedding(ids) : at::embedding(embedding_, ids);
  // The factor is rounded to the dtype first, as the models were trained.
  if (config_.options.scaled_embedding)
    x.mul_(at::scalar_tensor(std::sqrt(static_cast<double>(config_.width)), x.options()));
  return x.to(device());
}

uint64_t Decoder::block_bytes() const {
  uint64_t sum = 0;
  for (const int64_t index : kept_) sum += source_->block_bytes(index);
  return sum;
}

uint64_t Decoder::weight_bytes() const {
  uint64_t sum = block_bytes() + head_.unembedding.nbytes() * (tied_ ? 1 : 2);
  for (const at::Tensor* vector : {&head_.norm, &head_.norm_bias, &head_.unembedding_bias})
    if (vector->defined()) sum += vector->nbytes();
  return sum;
}

}  // namespace plumb::models
