#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/tokenizer/definition.h"
#include "models/tokenizer/pattern.h"

namespace plumb::models {

/// The steps of a normaliser, in order.
/// Errors: Error{kInput} for a pattern that Plumb cannot run as `tokenizers` does.
class TextNormalizer {
 public:
  explicit TextNormalizer(const std::vector<NormalizerStep>& steps);
  /// `text`, or a view of `storage`, which then holds what the steps made of it.
  std::string_view normalize(std::string_view text, std::string& storage,
                             RegexScratch& scratch) const;

 private:
  std::vector<std::pair<NormalizerStep, std::optional<Pattern>>> steps_;
};

}  // namespace plumb::models
