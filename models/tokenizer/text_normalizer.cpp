#include "models/tokenizer/text_normalizer.h"

#include "models/tokenizer/nfc.h"

namespace plumb::models {
namespace {

using Kind = NormalizerStep::Kind;

std::string replaced(std::string_view text, const Pattern& pattern, const std::string& content,
                     RegexScratch& scratch) {
  std::string result;
  for (const Pattern::Piece& piece : pattern.pieces(text, scratch)) {
    if (piece.matches)
      result += content;
    else
      result += text.substr(piece.begin, piece.end - piece.begin);
  }
  return result;
}

}  // namespace

TextNormalizer::TextNormalizer(const std::vector<NormalizerStep>& steps) {
  for (const NormalizerStep& step : steps) {
    std::optional<Pattern> pattern;
    if (step.kind == Kind::kReplace) pattern.emplace(step.pattern, step.literal);
    steps_.emplace_back(step, std::move(pattern));
  }
}

std::string_view TextNormalizer::normalize(std::string_view text, std::string& storage,
                                           RegexScratch& scratch) const {
  for (const auto& [step, pattern] : steps_) {
    if (text.empty()) break;
    std::string made;
    switch (step.kind) {
      case Kind::kNfc:
        if (is_surely_nfc(text)) continue;
        made = to_nfc(text);
        break;
      case Kind::kPrepend:
        made = step.content + std::string(text);
        break;
      case Kind::kReplace:
        made = replaced(text, *pattern, step.content, scratch);
        break;
    }
    storage = std::move(made);
    text = storage;
  }
  return text;
}

}  // namespace plumb::models
