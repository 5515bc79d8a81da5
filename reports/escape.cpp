#include "reports/escape.h"

#include <cstdint>

namespace plumb::reports {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Decoded {
  uint32_t code = 0;
  size_t bytes = 1;
  bool valid = false;  ///< where it is not, `bytes` are the maximal ill-formed part
};

/// Least and greatest second byte after `lead`: what shuts out overlong forms, surrogates and
/// values that are too big (The Unicode Standard, table 3-7).
std::pair<uint8_t, uint8_t> second_byte_range(uint8_t lead) {
  switch (lead) {
    case 0xE0:
      return {0xA0, 0xBF};
    case 0xED:
      return {0x80, 0x9F};
    case 0xF0:
      return {0x90, 0xBF};
    case 0xF4:
      return {0x80, 0x8F};
    default:
      return {0x80, 0xBF};
  }
}

Decoded decode(std::string_view bytes, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t lead = byte(at);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC2 || lead > 0xF4) return {};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint32_t code = lead & (0xFFu >> (length + 1));
  auto [low, high] = second_byte_range(lead);
  for (size_t i = 1; i < length; ++i) {
    if (at + i >= bytes.size() || byte(at + i) < low || byte(at + i) > high) return {0, i, false};
    code = code << 6 | (byte(at + i) & 0x3Fu);
    low = 0x80, high = 0xBF;
  }
  return {code, length, true};
}

bool is_dropped(uint32_t code) {
  const bool control = code < 0x20 && code != '\t' && code != '\n' && code != '\r';
  return control || (code >= 0x7F && code <= 0x9F) || code == 0xFFFE || code == 0xFFFF;
}

bool is_reordering(uint32_t code) {
  return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string repair_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const Decoded next = decode(bytes, at);
    out += next.valid ? bytes.substr(at, next.bytes) : kReplacement;
    at += next.bytes;
  }
  return out;
}

std::string clean_text(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const Decoded next = decode(bytes, at);
    if (!next.valid || is_reordering(next.code))
      out += kReplacement;
    else if (!is_dropped(next.code))
      out += bytes.substr(at, next.bytes);
    at += next.bytes;
  }
  return out;
}

std::string escape_markup(std::string_view bytes) {
  std::string out;
  for (const char c : clean_text(bytes)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      // A parser would turn a bare CR into LF; as a reference it stays what it was.
      case '\r':
        out += "&#13;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string escape_markdown(std::string_view bytes) {
  constexpr std::string_view kBreak = "\xE2\x80\x8B";
  const std::string clean = clean_text(bytes);
  std::string out;
  for (size_t i = 0; i < clean.size(); ++i) {
    const char c = clean[i];
    const auto follows = [&](std::string_view word) {
      return std::string_view(clean).substr(i).starts_with(word);
    };
    if (c == '\n' || c == '\r' || c == '\t' || follows("\u2028") || follows("\u2029")) {
      out += ' ';
      if (c != '\n' && c != '\r' && c != '\t') i += 2;
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '@' || c == '#' || follows("://") || follows("www.")) {
      out += c;  // an address is cut behind its first sign
      out += kBreak;
    } else {
      if (std::string_view("\\`*_{}[]()|~!^$").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string quote_sql(std::string_view bytes) {
  std::string out = "'";
  for (const char c : clean_text(bytes)) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

std::string escape_line_separators(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (size_t at = 0; at < json.size(); ++at) {
    const std::string_view three = json.substr(at, 3);
    if (three != "\xE2\x80\xA8" && three != "\xE2\x80\xA9") {
      out += json[at];
      continue;
    }
    out += three.back() == '\xA8' ? "\\u2028" : "\\u2029";
    at += 2;
  }
  return out;
}

std::string slug(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain || upper)
      out += upper ? static_cast<char>(c - 'A' + 'a') : c;
    else if (!out.empty() && out.back() != '-')
      out += '-';
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  if (out.empty() || out.front() < 'a') out.insert(0, out.empty() ? "x" : "x-");
  return out;
}

size_t code_points(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  return count;
}

std::string shorten(std::string_view text, size_t characters) {
  if (code_points(text) <= characters) return std::string(text);
  std::string out;
  for (size_t at = 0, count = 0; at < text.size() && count + 1 < characters; ++count) {
    const size_t bytes = decode(text, at).bytes;
    out += text.substr(at, bytes);
    at += bytes;
  }
  return out + "\xE2\x80\xA6";
}

}  // namespace plumb::reports
