#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plumb::models {

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
  bool tied_embeddings = false;
  std::optional<int64_t> bos_token;
  std::optional<int64_t> eos_token;
};

/// Error{kInput} naming the field, what it holds and what it must hold: counts at least 1 and within sane limits
/// (L <= 512, D, F <= 2^20, V <= 2^24), kv heads dividing heads, an even head width, finite positive rope_theta and
/// norm_epsilon.
void validate(const ModelConfig& config);

}  // namespace plumb::models
