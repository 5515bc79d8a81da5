#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "models/config.h"

namespace plumb::models::kernels {

/// The arithmetic of a decoder on token panels. 32 tokens make a panel; their states are kept
/// transposed, one row per feature and one lane per token, through a whole block:
///
///     panel of K features:  fp32  [K][32]            row k holds feature k of 32 tokens
///                           bf16  [K / 2][32][2]     row k / 2 holds features k, k + 1 of 32
///                           tokens side by side, where the processor multiplies such pairs; else [K][32] of
///                           values that are rounded to bf16 and kept in fp32
///
/// A product is W [N, K] (rows as the checkpoint stores them) times a panel, giving [N][32] in
/// fp32. So weights are never repacked as a whole, what follows a product (rotation, SiLU, softmax,
/// sum) works lane by lane without a reduction across lanes, and its result is already the next
/// product's panel. Sums over K run in ascending k with one accumulator, so a token's bits depend
/// on its own prefix only: not on batch size, length, or thread count.
inline constexpr int64_t kPanel = 32;

/// Where a block over whole sequences leaves keys and values for later tokens, [B][kv_heads][capacity][head_width] each in
/// the kernels' dtype; null: nowhere.
struct KeyValueSink {
  void* keys = nullptr;
  void* values = nullptr;
  int64_t capacity = 0;  ///< at least `tokens`
};

/// Shape of one block's work. Letters as in ModelConfig.
struct BlockShape {
  int64_t sequences, tokens;  ///< B, T
  int64_t width, heads, kv_heads, head_width, feed_forward_width;
  float epsilon;
  int64_t rotary_width = 0;  ///< features of a head that are rotated, the first ones
  int64_t window = 0;        ///< keys that a query sees, its own included; 0: all
  DecoderOptions options = {};
  KeyValueSink sink = {};
};

/// Row-major, as in models::Block; matrices in the kernels' dtype, vectors fp32. What the options do not have is null.
struct BlockWeights {
  const float* attention_norm;
  const void* query_key_value;
  const void* attention_out;
  const float* feed_forward_norm;
  const void* gate_up;
  const void* down;
  const float* attention_norm_bias = nullptr;
  const float* query_key_value_bias = nullptr;
  const float* query_norm = nullptr;
  const float* key_norm = nullptr;
  const float* attention_out_bias = nullptr;
  const float* feed_forward_norm_bias = nullptr;
  const float* gate_up_bias = nullptr;
  const float* down_bias = nullptr;
};

/// cos and sin of position p and frequency i at [i * stride + p]; stride >= tokens rounded up to a
/// panel.
struct Rotation {
  const float* cos;
  const float* sin;
  int64_t stride;
};

/// One decoder block over B sequences from position 0. `in` and `out` are [B, T, D]; they may be
/// the same. With attention_out and down all zero, `out` equals `in` to the last bit.
using BlockFunction = void (*)(const BlockShape&, const BlockWeights&, const Rotation&,
                               const void* in, void* out);

/// Tokens that follow each other, in consecutive rows. What they continue are the tokens of `parent`, and what that
/// continues, so that many sequences share a beginning that is there once.
struct PackedSequence {
  int64_t first, tokens;           ///< rows
  int64_t position;                ///< of its first token: as many tokens as it continues
  int64_t parent;                  ///< a sequence before this one, or -1
  int64_t read_first, read_count;  ///< of the rows that are read those that are its own
};

/// Rows of packed sequences, and which of them a block's output is wanted for.
struct PackedRows {
  int64_t count;             ///< N
  const int64_t* positions;  ///< [N]
  int64_t read_count;        ///< R
  const int64_t* read;       ///< [R] ascending; null: all
  const PackedSequence* sequences;
  const int64_t* runs;  ///< [run_count + 1] into the sequences: each run is one task of a thread
  int64_t run_count;
  int64_t longest;  ///< positions of any sequence with all that it continues
};

/// The block over packed sequences: in [N, D], out [R, D]; they must not be the same. A row's bits are those that
/// BlockFunction gives it in [1, T, D] of its sequence after all that it continues. `shape` but for its first line.
using PackedFunction = void (*)(const BlockShape& shape, const PackedRows&, const BlockWeights&,
                                const Rotation&, const void* in, void* out);

/// The head and its loss: -ln softmax(W norm(x) + bias)[target] of each row of x [N, D], W [V, D]. Rows of logits are consumed where they are made; no [N, V] exists. Sum of exponentials per
/// strip in fp32, of strips in double.
struct HeadShape {
  int64_t rows, width, vocabulary;
  float epsilon;
  Norm norm = Norm::kRms;
};
struct HeadWeights {
  const float* norm;        ///< [D]
  const void* unembedding;  ///< [V, D], in the kernels' dtype
  const float* norm_bias = nullptr;
  const float* unembedding_bias = nullptr;
};
using CrossEntropyFunction = void (*)(const HeadShape&, const HeadWeights&, const void* x,
                                      const int64_t* targets, float* loss);

/// W norm(x) + bias of each row of x [N, D] -> out [N, V] in fp32: the logits that the loss is made of.
using LogitsFunction = void (*)(const HeadShape&, const HeadWeights&, const void* x, float* out);

/// What one of several models says at the same positions; [N] each.
struct HeadReading {
  const void* x;      ///< [N, D]: its states, in the kernels' dtype
  float* loss;        ///< as CrossEntropyFunction's, to the bit
  float* divergence;  ///< KL(first || this) = sum p ln(p / q) over the vocabulary, nats
  int64_t* top;       ///< the largest logit; of equal ones the first
};

/// Several models that share the head, held against the first of them, each logit made once:
///
///     KL = sum p a - sum p b - (ln sum exp a - ln sum exp b),   a, b: logits of the first and of this model, p = softmax(a)
///
/// `models` are 1 or more. 0 exactly where a model has the first one's states. Else its error is below 2^-20 plus 2^-18
/// times the largest |logit|: sums of a strip of at most 32 terms in fp32 (2^-24 * 17 of each of both sums), strips as Kahan adds
/// them, exponentials within 2^-21, logarithms in double. So it may be below 0 by that much where it is near it.
using DistributionsFunction = void (*)(const HeadShape&, const HeadWeights&,
                                       std::span<const HeadReading> models, const int64_t* targets);

/// One block with what it has seen: keys and values of earlier tokens, [B][kv_heads][capacity][head_width] each.
struct CachedBlock {
  BlockWeights weights;
  void* keys;
  void* values;
};

/// One token more of each of B sequences that are equally long. Keys and values at `position` are written, those before
/// it read.
struct DecodeStep {
  BlockShape shape;  ///< tokens is 1
  int64_t position;  ///< of the token: as many are in the cache
  int64_t capacity;
  std::span<const CachedBlock> blocks;
  Rotation rotation;  ///< stride > position
  HeadShape head;     ///< rows is B; with `logits`
  HeadWeights head_weights;
  const void* in;           ///< [B, D] in the kernels' dtype
  void* out = nullptr;      ///< [B, D] after the last block, or null
  float* logits = nullptr;  ///< [B, V], or null
};

/// All blocks and the head for few rows: time is that of reading the weights. A sequence's bits depend on its own tokens
/// alone, not on B, capacity or thread count; they are not those of BlockFunction and LogitsFunction, whose sums run in
/// another order.
using DecodeFunction = void (*)(const DecodeStep&);

/// The kernels of one instruction set.
struct PanelKernels {
  std::string_view name;  ///< "amx-bf16", "avx512-bf16", "avx512", "avx2", "portable"
  bool (*supported)();    ///< on this machine
  BlockFunction block_fp32, block_bf16;
  PackedFunction packed_fp32, packed_bf16;
  CrossEntropyFunction cross_entropy_fp32, cross_entropy_bf16;
  LogitsFunction logits_fp32, logits_bf16;
  DistributionsFunction distributions_fp32, distributions_bf16;
  DecodeFunction decode_fp32, decode_bf16;
};

/// Every set that was compiled in, best first; the last one runs everywhere.
std::span<const PanelKernels* const> all_panel_kernels();

/// The best set that this machine supports; env PLUMB_KERNELS=<name> asks for another
/// (Error{kUsage} where it is unknown, Error{kResource} where the machine lacks it).
const PanelKernels& panel_kernels();

}  // namespace plumb::models::kernels
