#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/tokenizer/definition.h"

namespace plumb::models {

/// Finds added tokens in text: leftmost, then longest, as `tokenizers` does; the flags of each
/// token then widen or discard its match.
class AddedTokenFinder {
 public:
  struct Piece {
    std::string_view text;
    int32_t id = -1;  ///< -1: text between added tokens
  };
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);
  bool empty() const { return tokens_.empty(); }
  /// `text` in order, cut at the added tokens. Cost: the length of the text times the longest token
  /// at worst.
  std::vector<Piece> split(std::string_view text) const;

 private:
  static constexpr int32_t kNone = -1;
  /// Index into tokens_ of the longest token that starts at `at`, or kNone.
  int32_t longest_at(std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;
  std::array<bool, 256> first_bytes_{};
  std::unordered_map<uint64_t, uint32_t> edges_;  ///< node << 8 | byte -> node of the trie, root 0
  std::vector<int32_t> token_of_node_ = {kNone};
};

}  // namespace plumb::models
