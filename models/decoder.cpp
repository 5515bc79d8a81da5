#include "models/decoder.h"

#include <ATen/Parallel.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scalar_tensor.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
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

uint64_t Block::size_bytes() const {
  uint64_t sum = 0;
  for (const at::Tensor* t :
       {&attention_norm, &attention_norm_bias, &query_key_value, &query_key_value_bias, &query_norm,
        &key_norm, &attention_out, &attention_out_bias, &feed_forward_norm, &feed_forward_norm_bias,
        &gate_up, &gate_up_bias, &down, &down_bias})
    if (t->defined()) sum += t->nbytes();
  return sum;
}

namespace {

void require_tensor(const char* name, at::Tensor& tensor, at::IntArrayRef shape,
                    at::ScalarType type) {
  if (!tensor.defined() || tensor.sizes() != shape || tensor.scalar_type() != type)
    throw Error(ErrorKind::kInvariant,
                text("decoder tensor '", name, "' is ",
                     tensor.defined() ? text(tensor.sizes(), " ", tensor.scalar_type()) : "missing",
                     ", needs ", shape, " ", type));
  tensor = tensor.contiguous();
}

void require_vector(const char* name, at::Tensor& tensor, bool has, int64_t size) {
  if (has) {
    require_tensor(name, tensor, {size}, at::kFloat);
  } else if (tensor.defined()) {
    throw Error(ErrorKind::kInvariant,
                text("decoder tensor '", name, "' is there, but the config has none"));
  }
}

void require_block(Block& block, const ModelConfig& c, at::ScalarType type) {
  const DecoderOptions& o = c.options;
  const int64_t query = c.head_count * c.head_width, key = c.kv_head_count * c.head_width;
  const int64_t D = c.width, F = c.feed_forward_width, inner = o.gated ? 2 * F : F;
  const bool layer = o.norm == Norm::kLayer, heads = o.query_key_norm != QueryKeyNorm::kNone;
  const bool whole = o.query_key_norm == QueryKeyNorm::kWhole;
  require_vector("attention_norm", block.attention_norm, true, D);
  require_vector("attention_norm_bias", block.attention_norm_bias, layer, D);
  require_tensor("query_key_value", block.query_key_value, {query + 2 * key, D}, type);
  require_vector("query_key_value_bias", block.query_key_value_bias, o.query_key_value_bias,
                 query + 2 * key);
  require_vector("query_norm", block.query_norm, heads, whole ? query : c.head_width);
  require_vector("key_norm", block.key_norm, heads, whole ? key : c.head_width);
  require_tensor("attention_out", block.attention_out, {D, query}, type);
  require_vector("attention_out_bias", block.attention_out_bias, o.attention_out_bias, D);
  require_vector("feed_forward_norm", block.feed_forward_norm, !o.shared_norm, D);
  require_vector("feed_forward_norm_bias", block.feed_forward_norm_bias, layer && !o.shared_norm,
                 D);
  require_tensor("gate_up", block.gate_up, {inner, D}, type);
  require_vector("gate_up_bias", block.gate_up_bias, o.feed_forward_bias, inner);
  require_tensor("down", block.down, {D, F}, type);
  require_vector("down_bias", block.down_bias, o.feed_forward_bias, D);
}

}  // namespace

Decoder::Decoder(ModelConfig config, Dtype dtype, at::Tensor embedding, std::vector<Block> blocks,
                 Head head)
    : config_(std::move(config)),
      dtype_(dtype),
      embedding_(std::move(embedding)),
      blocks_(std::move(blocks)),
      head_(std::move(head)) {
  config_.block_count = block_count();
  const auto type = scalar_type(dtype);
  require_tensor("embedding", embedding_, {config_.vocabulary_size, config_.width}, type);
  require_vector("final_norm", head_.norm, true, config_.width);
  require_vector("final_norm_bias", head_.norm_bias, config_.options.norm == Norm::kLayer,
                 config_.width);
  require_tensor("unembedding", head_.unembedding, {config_.vocabulary_size, config_.width}, type);
  require_vector("unembedding_bias", head_.unembedding_bias, config_.options.unembedding_bias,
                 config_.vocabulary_size);
  for (size_t i = 0; i < blocks_.size(); ++i) try {
      require_block(blocks_[i], config_, type);
    } catch (const Error& error) {
      throw error.within(text("block ", i));
    }
  rope_ = std::make_shared<RopeTable>(
      rope_frequencies(config_.rotary_width, config_.rope_theta, config_.rope_scaling));
}

Decoder Decoder::with_blocks(std::span<const int64_t> kept) const {
  Decoder pruned = *this;
  pruned.blocks_.clear();
  for (size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] < 0 || kept[i] >= block_count() || (i > 0 && kept[i] <= kept[i - 1]))
      throw Error(ErrorKind::kInvariant,
                  text("kept block ", kept[i], " at place ", i, " of a decoder with ",
                       block_count(), " blocks: ascending indices from 0 are needed"));
    pruned.blocks_.push_back(blocks_[static_cast<size_t>(kept[i])]);
  }
  pruned.config_.block_count = pruned.block_count();
  return pruned;
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
  at::Tensor x = at::embedding(embedding_, ids);
  // The factor is rounded to the dtype first, as the models were trained.
  if (config_.options.scaled_embedding)
    x.mul_(at::scalar_tensor(std::sqrt(static_cast<double>(config_.width)), x.options()));
  return x;
}

uint64_t Decoder::block_bytes() const {
  uint64_t sum = 0;
  for (const Block& block : blocks_) sum += block.size_bytes();
  return sum;
}

uint64_t Decoder::weight_bytes() const {
  const bool tied = head_.unembedding.is_same(embedding_) ||
                    head_.unembedding.const_data_ptr() == embedding_.const_data_ptr();
  uint64_t sum = block_bytes() + embedding_.nbytes() + (tied ? 0 : head_.unembedding.nbytes());
  for (const at::Tensor* vector : {&head_.norm, &head_.norm_bias, &head_.unembedding_bias})
    if (vector->defined()) sum += vector->nbytes();
  return sum;
}

}  // namespace plumb::models
