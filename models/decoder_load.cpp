// Decoder::load and stream: a checkpoint's tensors, all at once or block by block.

#include <numeric>

#include "models/block_load.h"
#include "models/decoder.h"
#include "models/streamed_blocks.h"

namespace plumb::models {

namespace {

struct Ends {
  at::Tensor embedding;  ///< undefined where it is not needed whole
  Head head;
};

Ends load_ends(const Checkpoint& checkpoint, at::ScalarType type, bool untied_embedding) {
  const bool tied = checkpoint.config().tied_embeddings || !checkpoint.find(Role::kUnembedding);
  Ends ends;
  if (tied || untied_embedding) ends.embedding = checkpoint.load(Role::kEmbedding, -1, type);
  ends.head.norm = load_gain(checkpoint, Role::kFinalNorm, -1);
  ends.head.norm_bias = load_vector(checkpoint, Role::kFinalNormBias);
  ends.head.unembedding = tied ? ends.embedding : checkpoint.load(Role::kUnembedding, -1, type);
  ends.head.unembedding_bias = load_vector(checkpoint, Role::kUnembeddingBias);
  return ends;
}

}  // namespace

Decoder Decoder::load(const Checkpoint& checkpoint, Dtype dtype) {
  std::vector<int64_t> all(static_cast<size_t>(checkpoint.config().block_count));
  std::iota(all.begin(), all.end(), int64_t{0});
  return load(checkpoint, dtype, all);
}

Decoder Decoder::load(const Checkpoint& checkpoint, Dtype dtype, std::span<const int64_t> kept) {
  const auto type = scalar_type(dtype);
  Ends ends = load_ends(checkpoint, type, true);
  std::vector<Block> blocks;
  for (const int64_t i : kept) blocks.push_back(load_block(checkpoint, i, type));
  return Decoder(checkpoint.config(), dtype, std::move(ends.embedding), std::move(blocks),
                 std::move(ends.head));
}

Decoder Decoder::stream(const Checkpoint& checkpoint, Dtype dtype, bool pin_last) {
  const auto type = scalar_type(dtype);
  Ends ends = load_ends(checkpoint, type, false);
  std::optional<Checkpoint> rows;
  if (!ends.embedding.defined()) rows = checkpoint;
  return Decoder(checkpoint.config(), dtype, std::move(ends.embedding), std::move(rows),
                 std::make_shared<StreamedBlocks>(checkpoint, type, pin_last),
                 std::move(ends.head));
}

}  // namespace plumb::models
