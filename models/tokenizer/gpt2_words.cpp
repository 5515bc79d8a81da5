#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/unicode.h"

namespace plumb::models {
namespace {

constexpr uint8_t kKinds =
    CharacterClasses::kLetter | CharacterClasses::kNumber | CharacterClasses::kSpace;

// Letter, number, space, or 0 for anything else.
uint8_t kind_at(const CharacterClasses& classes, const char*& at) {
  return classes.of(next_code_point(at)) & kKinds;
}

const char* run_end(const CharacterClasses& classes, uint8_t kind, const char* at,
                    const char* end) {
  while (at != end) {
    const char* next = at;
    if (kind_at(classes, next) != kind) break;
    at = next;
  }
  return at;
}

// Bytes of a contraction at an apostrophe, or 0.
size_t contraction_length(const char* at, const char* end) {
  if (end - at < 2) return 0;
  const char first = at[1];
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (end - at < 3) return 0;
  const char second = at[2];
  return ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l') ? 3
                                                                                              : 0;
}

}  // namespace

const char* gpt2_word_end(const char* begin, const char* end) {
  const auto& classes = CharacterClasses::table();
  if (*begin == '\'')
    if (const size_t length = contraction_length(begin, end)) return begin + length;
  const char* at = begin;
  uint8_t kind = kind_at(classes, at);
  if (*begin == ' ' && at != end) {
    const char* next = at;
    const uint8_t next_kind = kind_at(classes, next);
    if (next_kind != CharacterClasses::kSpace) {
      at = next;
      kind = next_kind;
    }
  }
  at = run_end(classes, kind, at, end);
  if (kind != CharacterClasses::kSpace || at == end) return at;
  // \s+(?!\S) leaves the last white space before a word to that word, unless it is the only one.
  const char* const last = previous_character(at);
  return last == begin ? at : last;
}

}  // namespace plumb::models
