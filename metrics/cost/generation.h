#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/decoder.h"

namespace plumb::metrics {

/// What is timed: prompts of one length, run together, each continued greedily.
struct GenerationOptions {
  int64_t tokens = 64;      ///< written after each prompt, the first one included; at least 2
  int64_t repetitions = 5;  ///< of both timings
};

/// Greedy continuations and every time that was taken for them. Wall-clock milliseconds of Google Benchmark's clock.
struct GenerationTimes {
  std::vector<std::vector<int32_t>> written;  ///< [sequence][tokens], of the first prompts
  std::vector<double> first_token_ms;         ///< [repetition], each of other prompts
  std::vector<double> again_ms;               ///< [repetition], of the first prompts each time
  std::vector<double> blocks_ms;  ///< [repetition], the blocks alone over the first prompts
  std::vector<std::vector<double>>
      token_ms;                ///< [repetition][tokens - 1]: from one token to the next
  bool repeats = true;         ///< each repetition wrote what the first one did
  int64_t warm_up_rounds = 0;  ///< until three in a row took the same time
  double warm_up_spread = 0;   ///< of the last three, (largest - smallest) / smallest
  std::string benchmark_json;  ///< Google Benchmark's report, without the machine's name
};

/// Three rounds within this of each other are warm.
inline constexpr double kWarmSpread = 0.05;
inline constexpr int64_t kMostWarmUpRounds = 12;

/// Times `decoder` on prompts [repetitions][sequences][context]. The first token is embedding, all blocks over the
/// prompts, which fill the cache, the last position's logits and their argmax; each further one a step of
/// Decoder::decode and its argmax. Error{kUsage} for options below their least, prompts that are too few, of other
/// lengths, empty, or with `tokens` longer than the model's positions; Error{kInvariant} while another measurement of
/// this process runs.
GenerationTimes measure_generation(const models::Decoder& decoder,
                                   std::span<const std::vector<std::vector<int32_t>>> prompts,
                                   const GenerationOptions& options);

/// Prompts of ids that are drawn by the seed, as measure_generation() takes them.
std::vector<std::vector<std::vector<int32_t>>> drawn_prompts(int64_t vocabulary_size,
                                                             int64_t repetitions, int64_t sequences,
                                                             int64_t context, uint64_t seed);

}  // namespace plumb::metrics
