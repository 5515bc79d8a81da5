#include "models/decoder.h"

#include <ATen/Parallel.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>

#include <algorithm>
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
       {&attention_norm, &query_key_value, &attention_out, &feed_forward_norm, &gate_up, &down})
    sum += t->nbytes();
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

void require_block(Block& block, const ModelConfig& c, at::ScalarType type) {
  const int64_t query = c.head_count * c.head_width, key = c.kv_head_count * c.head_width;
  require_tensor("attention_norm", block.attention_norm, {c.width}, at::kFloat);
  require_tensor("query_key_value", block.query_key_value, {query + 2 * key, c.width}, type);
  require_tensor("attention_out", block.attention_out, {c.width, query}, type);
  require_tensor("feed_forward_norm", block.feed_forward_norm, {c.width}, at::kFloat);
  require_tensor("gate_up", block.gate_up, {2 * c.feed_forward_width, c.width}, type);
  require_tensor("down", block.down, {c.width, c.feed_forward_width}, type);
}

}  // namespace

Decoder::Decoder(ModelConfig config, Dtype dtype, at::Tensor embedding, std::vector<Block> blocks,
                 at::Tensor final_norm, at::Tensor unembedding)
    : config_(std::move(config)),
      dtype_(dtype),
      embedding_(std::move(embedding)),
      blocks_(std::move(blocks)),
      final_norm_(std::move(final_norm)),
      unembedding_(std::move(unembedding)) {
  config_.block_count = block_count();
  const auto type = scalar_type(dtype);
  require_tensor("embedding", embedding_, {config_.vocabulary_size, config_.width}, type);
  require_tensor("final_norm", final_norm_, {config_.width}, at::kFloat);
  require_tensor("unembedding", unembedding_, {config_.vocabulary_size, config_.width}, type);
  for (size_t i = 0; i < blocks_.size(); ++i) try {
      require_block(blocks_[i], config_, type);
    } catch (const Error& error) {
      throw error.within(text("block ", i));
    }
  rope_ = std::make_shared<RopeTable>(config_.head_width, config_.rope_theta);
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
  return at::embedding(embedding_, ids);
}

uint64_t Decoder::block_bytes() const {
  uint64_t sum = 0;
  for (const Block& block : blocks_) sum += block.size_bytes();
  return sum;
}

uint64_t Decoder::weight_bytes() const {
  const bool tied = unembedding_.is_same(embedding_) ||
                    unembedding_.const_data_ptr() == embedding_.const_data_ptr();
  return block_bytes() + embedding_.nbytes() + final_norm_.nbytes() +
         (tied ? 0 : unembedding_.nbytes());
}

}  // namespace plumb::models
