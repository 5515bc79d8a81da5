#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/unicode_ranges.h"

namespace plumb::models {

/// Error{kInput} naming the position of the first byte that is not part of well-formed UTF-8 (no
/// surrogates, nothing overlong, nothing beyond U+10FFFF).
void require_utf8(std::string_view text);
/// Whether `text` is well-formed UTF-8.
bool is_utf8(std::string_view text);

/// The code point at `*at`, which moves past it. The text must be well-formed.
inline uint32_t next_code_point(const char*& at) {
  const auto byte = [&at](int i) { return static_cast<uint32_t>(static_cast<uint8_t>(at[i])); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return ++at, lead;
  if (lead < 0xE0) {
    const uint32_t point = (lead & 0x1F) << 6 | (byte(1) & 0x3F);
    return at += 2, point;
  }
  if (lead < 0xF0) {
    const uint32_t point = (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    return at += 3, point;
  }
  const uint32_t point =
      (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
  return at += 4, point;
}

/// The start of the character before `at`, which is not the text's begin.
inline const char* previous_character(const char* at) {
  do --at;
  while ((static_cast<uint8_t>(*at) & 0xC0) == 0x80);
  return at;
}

void append_utf8(std::string& out, uint32_t code_point);

/// Classes of every code point in two levels of 256, so that a lookup costs two loads.
class CharacterClasses {
 public:
  enum Bit : uint8_t { kLetter = 1, kNumber = 2, kSpace = 4, kDigit = 8, kWord = 16 };
  static const CharacterClasses& table();
  uint8_t of(uint32_t code_point) const {
    return pages_[size_t{page_[code_point >> 8]} * 256 + (code_point & 0xFF)];
  }

 private:
  CharacterClasses();
  std::array<uint16_t, 0x1100> page_{};
  std::vector<uint8_t> pages_;
};

}  // namespace plumb::models
