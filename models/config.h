#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plumb::models {

/// How a norm is computed: x / sqrt(mean x^2 + epsilon) * gain, or (x - mean) / sqrt(variance + epsilon) * gain + bias.
enum class Norm { kRms, kLayer };

/// Where a block's norms and sums stand, for attention A and feed-forward F:
///
///     kSequential  y = x + A(norm_a(x));   out = y + F(norm_f(y))
///     kParallel    out = x + A(norm_a(x)) + F(norm_f(x))
///     kPostNorm    y = x + norm_a(A(x));   out = y + norm_f(F(y))
enum class BlockForm { kSequential, kParallel, kPostNorm };

/// RMS norm of queries and keys before rotation: of each head, or of all heads of a token together.
enum class QueryKeyNorm { kNone, kHead, kWhole };

/// x / (1 + e^-x); x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2; x (1 + erf(x / sqrt 2)) / 2.
enum class Activation { kSilu, kGeluTanh, kGelu };

/// Where one family's arithmetic differs from another's. The default is Llama's.
struct DecoderOptions {
  Norm norm = Norm::kRms;
  BlockForm form = BlockForm::kSequential;
  bool shared_norm = false;  ///< kParallel: norm_f is norm_a
  QueryKeyNorm query_key_norm = QueryKeyNorm::kNone;
  Activation activation = Activation::kSilu;
  bool gated = true;  ///< F(x) = down(act(gate x) * up x), else down(act(up x))
  bool query_key_value_bias = false;
  bool attention_out_bias = false;
  bool feed_forward_bias = false;
  bool unembedding_bias = false;
  bool scaled_embedding = false;  ///< embeddings times sqrt(D), rounded to the decoder's dtype
  bool gain_minus_one = false;    ///< Hugging Face files store an RMS norm's gain less 1
  bool operator==(const DecoderOptions&) const = default;
};

/// Rotary frequencies other than theta^(-2i / width): all divided by `factor` (kLinear); or, Llama 3's, those whose
/// wavelength is above original_positions / low divided by it, those below original_positions / high left, and in
/// between a mixture.
struct RopeScaling {
  enum class Kind { kNone, kLinear, kLlama3 };
  Kind kind = Kind::kNone;
  double factor = 1;
  double low_frequency_factor = 1;
  double high_frequency_factor = 4;
  int64_t original_positions = 8192;
  bool operator==(const RopeScaling&) const = default;
};

/// What a decoder is made of. Letters as everywhere in Plumb: D width, H heads, F feed-forward width, L blocks,
/// V vocabulary. Filled from config.json or from GGUF metadata by `formats/checkpoint.h`, checked by `validate`.
struct ModelConfig {
  std::string architecture;   ///< a key of the table in models/architecture.h, such as "llama"
  std::string name;           ///< for people; from the file, untrusted
  std::string license;        ///< SPDX-like identifier from the file, or empty where it names none
  int64_t block_count = 0;    ///< L
  int64_t width = 0;          ///< D
  int64_t head_count = 0;     ///< H, query heads
  int64_t kv_head_count = 0;  ///< key and value heads; divides H
  int64_t head_width = 0;     ///< of one head; usually D / H
  int64_t feed_forward_width = 0;  ///< F
  int64_t vocabulary_size = 0;     ///< V, rows of the embedding
  int64_t max_positions = 0;
  double norm_epsilon = 1e-5;
  double rope_theta = 10000.0;
  int64_t rotary_width = 0;  ///< features of a head that are rotated, from the first on; even
  RopeScaling rope_scaling;
  int64_t window = 0;  ///< a query sees the last `window` keys, its own included; 0: all
  DecoderOptions options;
  bool tied_embeddings = false;
  std::optional<int64_t> bos_token;
  std::optional<int64_t> eos_token;
};

/// Error{kInput} naming the field, what it holds and what it must hold: counts at least 1 and within sane limits
/// (L <= 512, D, F <= 2^20, V <= 2^24), kv heads dividing heads, an even rotary width of at most the head width, finite
/// positive rope_theta, rope factors and norm_epsilon.
void validate(const ModelConfig& config);

}  // namespace plumb::models
