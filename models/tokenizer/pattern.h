#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/regex.h"

namespace plumb::models {

/// A string or a regular expression that a tokenizer looks for.
/// Errors: Error{kInput} as Regex has them.
class Pattern {
 public:
  struct Piece {
    size_t begin = 0, end = 0;
    bool matches = false;
  };
  Pattern(std::string pattern, bool literal);
  /// All of `text` in order, matches apart. An empty match counts, but not right behind another
  /// match.
  std::vector<Piece> pieces(std::string_view text, RegexScratch& scratch) const;

 private:
  std::string literal_;
  std::optional<Regex> regex_;
};

}  // namespace plumb::models
