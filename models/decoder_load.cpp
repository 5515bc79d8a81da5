// Decoder::load: a checkpoint's tensors, joined into the matrices of Block.

#include <ATen/ops/empty.h>

#include <numeric>

#include "models/decoder.h"

namespace plumb::models {

namespace {

/// Row-wise concatenation [sum of rows, columns]. Each part is decoded, copied and freed before the
/// next is read, so that loading needs one part beside the result.
at::Tensor load_stacked(const Checkpoint& checkpoint, std::initializer_list<Role> roles,
                        int64_t block, std::initializer_list<int64_t> rows, int64_t columns,
                        at::ScalarType type) {
  int64_t all = 0;
  for (const int64_t count : rows) all += count;
  at::Tensor joined = at::empty({all, columns}, type);
  int64_t row = 0;
  auto count = rows.begin();
  for (const Role role : roles) {
    joined.narrow(0, row, *count).copy_(checkpoint.load(role, block, type));
    row += *count++;
  }
  return joined;
}

Block load_block(const Checkpoint& checkpoint, int64_t index, at::ScalarType type) {
  const ModelConfig& c = checkpoint.config();
  const int64_t query = c.head_count * c.head_width, key = c.kv_head_count * c.head_width;
  Block block;
  block.original_index = index;
  block.attention_norm = checkpoint.load(Role::kAttentionNorm, index, at::kFloat);
  block.query_key_value = load_stacked(checkpoint, {Role::kQuery, Role::kKey, Role::kValue}, index,
                                       {query, key, key}, c.width, type);
  block.attention_out = checkpoint.load(Role::kAttentionOut, index, type);
  block.feed_forward_norm = checkpoint.load(Role::kFeedForwardNorm, index, at::kFloat);
  block.gate_up = load_stacked(checkpoint, {Role::kGate, Role::kUp}, index,
                               {c.feed_forward_width, c.feed_forward_width}, c.width, type);
  block.down = checkpoint.load(Role::kDown, index, type);
  return block;
}

}  // namespace

Decoder Decoder::load(const Checkpoint& checkpoint, Dtype dtype) {
  std::vector<int64_t> all(static_cast<size_t>(checkpoint.config().block_count));
  std::iota(all.begin(), all.end(), int64_t{0});
  return load(checkpoint, dtype, all);
}

Decoder Decoder::load(const Checkpoint& checkpoint, Dtype dtype, std::span<const int64_t> kept) {
  const ModelConfig& config = checkpoint.config();
  const auto type = scalar_type(dtype);
  at::Tensor embedding = checkpoint.load(Role::kEmbedding, -1, type);
  std::vector<Block> blocks;
  for (const int64_t i : kept) blocks.push_back(load_block(checkpoint, i, type));
  at::Tensor final_norm = checkpoint.load(Role::kFinalNorm, -1, at::kFloat);
  const bool tied = config.tied_embeddings || !checkpoint.find(Role::kUnembedding);
  at::Tensor unembedding = tied ? embedding : checkpoint.load(Role::kUnembedding, -1, type);
  return Decoder(config, dtype, std::move(embedding), std::move(blocks), std::move(final_norm),
                 std::move(unembedding));
}

}  // namespace plumb::models
