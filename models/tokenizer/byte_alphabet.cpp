#include "models/tokenizer/byte_alphabet.h"

#include <array>

#include "models/tokenizer/unicode.h"

namespace plumb::models {
namespace {

struct Alphabet {
  std::array<uint32_t, 256> point_of_byte{};
  std::array<int16_t, 256 + 68> byte_of_point{};

  Alphabet() {
    byte_of_point.fill(-1);
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
      point_of_byte[byte] = printable ? byte : next++;
      byte_of_point[point_of_byte[byte]] = static_cast<int16_t>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet result;
  return result;
}

}  // namespace

std::string byte_symbol(uint8_t byte) {
  std::string symbol;
  append_utf8(symbol, alphabet().point_of_byte[byte]);
  return symbol;
}

std::optional<std::string> bytes_of_symbols(std::string_view symbols) {
  const auto& byte_of_point = alphabet().byte_of_point;
  std::string bytes;
  bytes.reserve(symbols.size());
  for (const char* at = symbols.data(); at != symbols.data() + symbols.size();) {
    const uint32_t point = next_code_point(at);
    if (point >= byte_of_point.size() || byte_of_point[point] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte_of_point[point]));
  }
  return bytes;
}

std::string byte_token(uint8_t byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
}

std::optional<uint8_t> byte_of_token(std::string_view token) {
  const auto digit = [&](size_t at) {
    const char c = token[at];
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return std::nullopt;
  if (digit(3) < 0 || digit(4) < 0) return std::nullopt;
  return static_cast<uint8_t>(digit(3) * 16 + digit(4));
}

}  // namespace plumb::models
