#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "models/decoder.h"

namespace plumb::models {

struct GreedyOptions {
  int64_t max_tokens = 0;           ///< of each continuation
  std::optional<int64_t> end = {};  ///< the token that ends a text and is no part of it
  /// Asked after each token with all that are written so far; true ends the text.
  std::function<bool(std::span<const int32_t> written)> stop = {};
};

/// The most likely token again and again, of equal ones the lowest, after each prompt: its continuations, in token ids.
///
/// What all prompts begin with is run once for all of them, so that the same prompts together give the same bits, and other
/// company may round differently. Prompts run one by one, each with a cache of its own length.
///
/// Error{kUsage} for no prompt tokens, max_tokens below 1, or a prompt that with max_tokens is longer than
/// the model's positions; Error{kInput} naming the prompt for a logit that is not finite.
std::vector<std::vector<int32_t>> write_greedily(const Decoder& decoder,
                                                 std::span<const std::vector<int32_t>> prompts,
                                                 const GreedyOptions& options);

}  // namespace plumb::models
