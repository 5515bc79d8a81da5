#include "models/tokenizer/added_tokens.h"

#include <algorithm>

#include "models/tokenizer/unicode.h"

namespace plumb::models {
namespace {

bool has(std::string_view text, size_t at, CharacterClasses::Bit bit) {
  const char* position = text.data() + at;
  return (CharacterClasses::table().of(next_code_point(position)) & bit) != 0;
}

size_t previous(std::string_view text, size_t at) {
  return static_cast<size_t>(previous_character(text.data() + at) - text.data());
}

bool touches_word(std::string_view text, size_t begin, size_t end) {
  return (begin > 0 && has(text, previous(text, begin), CharacterClasses::kWord)) ||
         (end < text.size() && has(text, end, CharacterClasses::kWord));
}

size_t skip_space_left(std::string_view text, size_t at) {
  while (at > 0 && has(text, previous(text, at), CharacterClasses::kSpace)) at = previous(text, at);
  return at;
}

size_t skip_space_right(std::string_view text, size_t at) {
  while (at < text.size() && has(text, at, CharacterClasses::kSpace)) {
    const char* position = text.data() + at;
    next_code_point(position);
    at = static_cast<size_t>(position - text.data());
  }
  return at;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    uint32_t node = 0;
    for (const char c : tokens_[i].content) {
      const uint64_t edge = uint64_t{node} << 8 | static_cast<uint8_t>(c);
      const auto [found, is_new] =
          edges_.emplace(edge, static_cast<uint32_t>(token_of_node_.size()));
      if (is_new) token_of_node_.push_back(kNone);
      node = found->second;
    }
    // Of two tokens that the normaliser makes equal, the first is found.
    if (token_of_node_[node] == kNone) token_of_node_[node] = static_cast<int32_t>(i);
    first_bytes_[static_cast<uint8_t>(tokens_[i].content[0])] = true;
  }
}

int32_t AddedTokenFinder::longest_at(std::string_view text, size_t at) const {
  int32_t longest = kNone;
  uint32_t node = 0;
  for (; at < text.size(); ++at) {
    const auto edge = edges_.find(uint64_t{node} << 8 | static_cast<uint8_t>(text[at]));
    if (edge == edges_.end()) break;
    node = edge->second;
    if (token_of_node_[node] != kNone) longest = token_of_node_[node];
  }
  return longest;
}

std::vector<AddedTokenFinder::Piece> AddedTokenFinder::split(std::string_view text) const {
  std::vector<Piece> pieces;
  size_t covered = 0;
  for (size_t at = 0; at < text.size();) {
    const int32_t found =
        first_bytes_[static_cast<uint8_t>(text[at])] ? longest_at(text, at) : kNone;
    if (found == kNone) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(found)];
    size_t begin = at, end = at + token.content.size();
    at = end;  // a match that is discarded is used up all the same
    if (token.single_word && touches_word(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(skip_space_left(text, begin), covered);
    if (token.rstrip) end = skip_space_right(text, end);
    if (covered < begin) pieces.push_back({text.substr(covered, begin - covered), -1});
    pieces.push_back({text.substr(begin, end > begin ? end - begin : 0), token.id});
    covered = end;
  }
  if (covered < text.size()) pieces.push_back({text.substr(covered), -1});
  return pieces;
}

}  // namespace plumb::models
