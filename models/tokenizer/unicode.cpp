#include "models/tokenizer/unicode.h"

#include <cstring>
#include <map>

#include "base/error.h"

namespace plumb::models {
namespace {

// Length of the well-formed character at the start of `rest`, or 0 (Unicode 16, table 3-7).
size_t well_formed_length(std::string_view rest) {
  const auto byte = [&rest](size_t i) { return static_cast<uint8_t>(rest[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (rest.size() < length) return 0;
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  return length;
}

// Position of the first byte that is not well-formed, or npos.
size_t first_malformed(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    uint64_t eight = 0;
    if (text.size() - at >= sizeof eight) {
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if ((eight & 0x8080808080808080ull) == 0) {
        at += sizeof eight;
        continue;
      }
    }
    const size_t length = well_formed_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

}  // namespace

bool is_utf8(std::string_view text) { return first_malformed(text) == std::string_view::npos; }

void require_utf8(std::string_view text) {
  const size_t at = first_malformed(text);
  if (at != std::string_view::npos)
    throw Error(ErrorKind::kInput,
                plumb::text("byte ", at, " (0x", std::hex, std::uppercase,
                            int{static_cast<uint8_t>(text[at])}, std::dec, ") of ", text.size(),
                            " is not valid UTF-8; convert the text to UTF-8 first"));
}

void append_utf8(std::string& out, uint32_t point) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6), put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12), put(0x80 | (point >> 6 & 0x3F)), put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18), put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F)), put(0x80 | (point & 0x3F));
  }
}

const CharacterClasses& CharacterClasses::table() {
  static const CharacterClasses classes;
  return classes;
}

CharacterClasses::CharacterClasses() {
  std::vector<uint8_t> flat(0x110000, 0);
  const auto mark = [&flat](const std::vector<CodePointRange>& ranges, uint8_t bit) {
    for (const CodePointRange range : ranges)
      for (uint32_t point = range.first; point <= range.last; ++point) flat[point] |= bit;
  };
  mark(regex_letters(), kLetter);
  mark(regex_numbers(), kNumber);
  mark(regex_spaces(), kSpace);
  mark(digit_characters(), kDigit);
  mark(word_characters(), kWord);
  // Most pages are alike (unassigned, all CJK): keep each distinct one once, so that the table
  // stays in cache.
  std::map<std::string_view, uint16_t> known;
  for (size_t page = 0; page < page_.size(); ++page) {
    const std::string_view bytes(reinterpret_cast<const char*>(flat.data()) + page * 256, 256);
    const auto [found, is_new] = known.emplace(bytes, static_cast<uint16_t>(known.size()));
    if (is_new) pages_.insert(pages_.end(), bytes.begin(), bytes.end());
    page_[page] = found->second;
  }
}

}  // namespace plumb::models
