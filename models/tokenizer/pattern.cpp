#include "models/tokenizer/pattern.h"

#include <utility>

#include "models/tokenizer/unicode.h"

namespace plumb::models {
namespace {

size_t character_length(std::string_view text, size_t at) {
  const char* next = text.data() + at;
  next_code_point(next);
  return static_cast<size_t>(next - text.data()) - at;
}

}  // namespace

Pattern::Pattern(std::string pattern, bool literal) {
  literal ? void(literal_ = std::move(pattern)) : void(regex_.emplace(pattern));
}

std::vector<Pattern::Piece> Pattern::pieces(std::string_view text, RegexScratch& scratch) const {
  if (!regex_ && literal_.empty()) return {{0, text.size(), false}};
  const auto find = [&](size_t from) -> std::optional<std::pair<size_t, size_t>> {
    if (regex_) return regex_->find(text, from, scratch);
    const size_t found = text.find(literal_, from);
    if (found == std::string_view::npos) return std::nullopt;
    return std::pair(found, found + literal_.size());
  };
  std::vector<Piece> pieces;
  size_t covered = 0, from = 0;
  std::optional<size_t> last_end;
  while (from <= text.size()) {
    const auto match = find(from);
    if (!match) break;
    const auto [begin, end] = *match;
    if (begin == end && last_end == end) {
      from += from < text.size() ? character_length(text, from) : 1;
      continue;
    }
    if (covered != begin) pieces.push_back({covered, begin, false});
    pieces.push_back({begin, end, true});
    covered = from = end;
    last_end = end;
  }
  if (covered != text.size()) pieces.push_back({covered, text.size(), false});
  return pieces;
}

}  // namespace plumb::models
