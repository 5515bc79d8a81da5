#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "models/block_source.h"
#include "models/config.h"
#include "models/distributions.h"
#include "models/formats/checkpoint.h"
#include "models/kernels/panels.h"
#include "models/packing.h"

namespace plumb::models {

class RopeTable;

/// Compute and storage type of weights and activations. Norms, softmax, loss and distances are fp32 or wider in both.
enum class Dtype { kFp32, kBf16 };
std::string_view dtype_name(Dtype dtype);  ///< "fp32", "bf16"
Dtype parse_dtype(std::string_view name);  ///< Error{kUsage}
at::ScalarType scalar_type(Dtype dtype);

/// What stands after the last block. Vectors in fp32.
struct Head {
  at::Tensor norm;              ///< [D]
  at::Tensor unembedding;       ///< [V, D] in the decoder's dtype; may be the embedding itself
  at::Tensor norm_bias;         ///< [D], with Norm::kLayer
  at::Tensor unembedding_bias;  ///< [V], where the options have it
};

/// Keys and values of the tokens seen so far, one pair of tensors per block of the decoder that it was made for
/// (so a pruned decoder has a smaller cache). Each [B, kv_heads, capacity, head_width].
struct KvCache {
  std::vector<at::Tensor> keys;
  std::vector<at::Tensor> values;
  int64_t length = 0;  ///< positions filled
  int64_t capacity = 0;
};

/// A decoder-only transformer that runs: blocks around a residual stream.
///
///     x = embed(tokens);  x = x + attention(norm(x));  x = x + feed_forward(norm(x));  logits = final_norm(x) E^T
///
/// or what else config().options say.
///
/// Shapes: tokens [B, T] int64; x [B, T, D] in the decoder's dtype. Copies and pruned decoders share weights.
/// Errors: Error{kInput} for a token outside the vocabulary; Error{kInvariant} for a shape that does not fit.
/// Results depend on shapes, dtype and thread count only: the same call twice gives the same bits.
/// Thread rule: const methods may be called from one thread at a time (they use the intra-op pool inside).
class Decoder {
 public:
  /// Reads and decodes every weight of `checkpoint`.
  static Decoder load(const Checkpoint& checkpoint, Dtype dtype);
  /// The same without the blocks that are not in `kept` (ascending), which are never read: what a
  /// pruned model costs is measured on a decoder that holds nothing else.
  static Decoder load(const Checkpoint& checkpoint, Dtype dtype, std::span<const int64_t> kept);

  /// The same with blocks that are read when they are asked for, one ahead (StreamedBlocks), and an untied embedding
  /// whose rows are: for a model that does not fit into memory. The last block is held as well where `pin_last`.
  /// Results are the same bits.
  static Decoder stream(const Checkpoint& checkpoint, Dtype dtype, bool pin_last = false);

  /// From tensors that are already there (tests, synthetic decoders).
  Decoder(ModelConfig config, Dtype dtype, at::Tensor embedding, std::vector<Block> blocks,
          Head head);
  /// The general form. Without `embedding` its rows are read from `rows` for every embed().
  Decoder(ModelConfig config, Dtype dtype, at::Tensor embedding, std::optional<Checkpoint> rows,
          std::shared_ptr<BlockSource> blocks, Head head);

  /// This decoder on another device: head and blocks there, the embedding on the host, whose rows are copied when they
  /// are asked for. At most `block_memory_bytes` of blocks stay on it or pass through it (DeviceBlocks, which takes this
  /// decoder's source of blocks over: use this decoder no more). Error{kResource} where not even two blocks fit.
  Decoder on(c10::Device device, uint64_t block_memory_bytes) const;

  const ModelConfig& config() const { return config_; }  ///< block_count is that of this decoder
  Dtype dtype() const { return dtype_; }
  /// Where states, logits and caches are. On the CPU the arithmetic is that of models/kernels/panels.h, elsewhere that
  /// of models/aten_block.h. Tokens and targets are given on the CPU.
  c10::Device device() const { return head_.norm.device(); }
  /// Returns when the device has done what was asked of it so far; at once on the CPU. Timings end here.
  void wait() const;
  int64_t block_count() const { return static_cast<int64_t>(kept_.size()); }
  /// As in BlockSource, with indices into this decoder.
  std::shared_ptr<const Block> block(int64_t index) const;
  bool keeps(int64_t index) const;
  void expect(std::span<const int64_t> order) const;
  const at::Tensor& embedding() const { return embedding_; }  ///< [V, D]; undefined where not held
  const Head& head() const { return head_; }
  const at::Tensor& final_norm_gain() const { return head_.norm; }     ///< [D], fp32
  const at::Tensor& unembedding() const { return head_.unembedding; }  ///< [V, D]

  /// The same decoder with only the blocks of `kept` (indices into this decoder, ascending), weights shared.
  Decoder with_blocks(std::span<const int64_t> kept) const;

  at::Tensor embed(const at::Tensor& tokens) const;  ///< [B, T, D]
  /// One block over whole sequences starting at position 0; returns a new tensor, `x` is left alone.
  at::Tensor run_block(int64_t index, const at::Tensor& x) const;
  /// The same, writing over `x`.
  void run_block_in_place(int64_t index, at::Tensor& x) const;
  /// One block over packed sequences: x [N, D], of which the rows of `read` (ascending, without repeats) come back,
  /// [R, D]. Rows that are not read cost keys and values alone. A row has the bits that run_block gives it in [1, T, D] of
  /// its tokens alone.
  at::Tensor run_packed(int64_t index, const Packing& packing, const at::Tensor& x,
                        std::span<const int64_t> read) const;
  at::Tensor run_packed(int64_t index, const Packing& packing,
                        const at::Tensor& x) const;  ///< all rows
  at::Tensor final_norm(const at::Tensor& x) const;  ///< [.., D]
  at::Tensor logits(
      const at::Tensor& x) const;  ///< x before the final norm, [.., D] -> [.., V] in fp32

  /// The same of some tokens alone: x [R, D] -> [R, ids] in fp32, with the bits of `logits`.
  at::Tensor logits(const at::Tensor& x, std::span<const int64_t> ids) const;

  /// -ln p of each target given its state, chunked and fused: no [N, V] is ever held.
  /// x before the final norm [N, D], targets [N] int64 -> [N] fp32 on the CPU, nats.
  at::Tensor cross_entropy(const at::Tensor& x, const at::Tensor& targets) const;

  /// How this decoder and others that share its head predict the same positions: `x` are their states before the final
  /// norm, [N, D] each, the first one those that the others are held against (kernels/panels.h). Each logit is made once.
  /// Losses have the bits of `cross_entropy`. On a device of ATen's, where of equal logits any may be the largest.
  Distributions distributions(std::span<const at::Tensor> x, const at::Tensor& targets) const;

  /// Prefill and decode with a cache: tokens [B, T] are appended at position cache.length; returns x [B, T, D] after
  /// the last block. Error{kInvariant} when the cache is full.
  KvCache make_cache(int64_t batch, int64_t capacity) const;
  at::Tensor forward_cached(const at::Tensor& tokens, KvCache& cache) const;
  /// One token more of each sequence: tokens [B, 1] as with forward_cached, logits of what follows [B, V] in fp32 on the
  /// CPU. Few sequences on the CPU take the time of reading the weights once.
  at::Tensor decode(const at::Tensor& tokens, KvCache& cache) const;

  uint64_t block_bytes() const;   ///< weights of all blocks, held or not
  uint64_t weight_bytes() const;  ///< all weights, held or not; a tied head counts once

 private:
  at::Tensor read_embedding(const at::Tensor& ids) const;
  void apply_block(int64_t index, const at::Tensor& in, at::Tensor& out,
                   const kernels::KeyValueSink& sink = {}) const;
  at::Tensor apply_packed(int64_t index, const Packing& packing, const at::Tensor& in,
                          const std::vector<int64_t>* read) const;

  ModelConfig config_;
  Dtype dtype_;
  at::Tensor embedding_;
  std::optional<Checkpoint> embedding_rows_;  ///< where the embedding is not held
  std::shared_ptr<BlockSource> source_;
  std::vector<int64_t> kept_;  ///< indices into the source
  Head head_;
  bool tied_ = false;  ///< the head's matrix is the embedding, or a copy of it on a device
  std::shared_ptr<RopeTable> rope_;  ///< shared by copies and pruned decoders
};

}  // namespace plumb::models
