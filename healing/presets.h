#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace plumb::healing {

/// How the paper healed one model (Gromov et al., arXiv 2403.17887, appendix A.1): 5000 steps of 16 sequences, AdamW's rate up in
/// 100 steps and down along a cosine, alpha = rank, adapters of the feed-forward alone, dropout 0.05, seed 0, special tokens
/// where the tokenizer has them.
struct Preset {
  std::string_view name;        ///< "llama-2-7b"
  std::string_view repository;  ///< of the Hub
  int64_t block_count;
  int64_t vocabulary_size;
  int64_t max_tokens;
  double learning_rate;
  int64_t rank;

  static constexpr int64_t kSteps = 5000;
  static constexpr int64_t kBatch = 16;
  static constexpr int64_t kWarmUp = 100;
  static constexpr double kDropout = 0.05;
};

std::span<const Preset> presets();
/// Error{kUsage} with the list of the known ones.
const Preset& preset(std::string_view name);

}  // namespace plumb::healing
