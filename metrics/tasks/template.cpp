#include "metrics/tasks/template.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/error.h"
#include "base/json_fields.h"
#include "models/tokenizer/unicode.h"

namespace plumb::metrics {
namespace {

[[noreturn]] void fail(size_t position, const std::string& why) {
  throw Error(ErrorKind::kUsage, text("byte ", position, ": ", why));
}

bool is_name(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return c == '_' || (c < 0x80 && std::isalnum(c) != 0);
  });
}

bool is_space(uint32_t point) {
  return (point >= 0x09 && point <= 0x0D) || (point >= 0x1C && point <= 0x20) || point == 0x85 ||
         point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) ||
         point == 0x2028 || point == 0x2029 || point == 0x202F || point == 0x205F ||
         point == 0x3000;
}

}  // namespace

Template::Filter Template::parse_filter(std::string_view word, size_t position) {
  static constexpr std::pair<std::string_view, Filter> kFilters[] = {
      {"strip", Filter::kStrip},
      {"spaces", Filter::kSpaces},
      {"before_blank", Filter::kBeforeBlank},
      {"after_blank", Filter::kAfterBlank},
  };
  std::vector<std::string> names;
  for (const auto& [name, filter] : kFilters) {
    if (word == name) return filter;
    names.emplace_back(name);
  }
  std::string message = text("no filter is called '", word, "'");
  if (const std::string near = nearest(word, names); !near.empty())
    message += text("; did you mean '", near, "'?");
  fail(position, message + "; there are strip, spaces, before_blank and after_blank");
}

Template::Part Template::parse_place(std::string_view inside, size_t position) {
  Part part;
  for (size_t begin = 0; begin <= inside.size();) {
    const size_t end = std::min(inside.find('|', begin), inside.size());
    const std::string_view word = inside.substr(begin, end - begin);
    if (!is_name(word))
      fail(position + begin, text("'", word, "' is no name; needed are letters, digits and _"));
    if (begin == 0) {
      part.field = word;
    } else {
      part.filters.push_back(parse_filter(word, position + begin));
    }
    begin = end + 1;
  }
  return part;
}

Template Template::parse(std::string_view source) {
  Template out;
  out.source_ = source;
  std::string literal;
  for (size_t at = 0; at < source.size();) {
    const char c = source[at];
    if (c != '{' && c != '}') {
      literal += c;
      ++at;
      continue;
    }
    if (at + 1 < source.size() && source[at + 1] == c) {
      literal += c;
      at += 2;
      continue;
    }
    if (c == '}') fail(at, "a } without its {; write }} for a brace");
    const size_t end = source.find('}', at);
    if (end == std::string_view::npos) fail(at, "a { without its }; write {{ for a brace");
    Part part = parse_place(source.substr(at + 1, end - at - 1), at + 1);
    part.literal = std::exchange(literal, {});
    if (!out.uses(part.field)) out.fields_.push_back(part.field);
    out.parts_.push_back(std::move(part));
    at = end + 1;
  }
  if (!literal.empty()) out.parts_.push_back({literal, {}, {}});
  return out;
}

std::string Template::filtered(Filter filter, std::string value, const std::string& field) {
  if (filter == Filter::kStrip) return std::string(stripped(value));
  if (filter == Filter::kSpaces) {
    std::replace(value.begin(), value.end(), '_', ' ');
    return value;
  }
  const size_t blank = value.find('_');
  if (blank == std::string::npos)
    throw Error(ErrorKind::kInput,
                text("'", field, "' has no _; needed is one where the blank is"));
  return filter == Filter::kBeforeBlank ? value.substr(0, blank) : value.substr(blank + 1);
}

std::string Template::render(const Lookup& lookup) const {
  std::string out;
  for (const Part& part : parts_) {
    out += part.literal;
    if (part.field.empty()) continue;
    std::string value = lookup(part.field);
    for (const Filter filter : part.filters) value = filtered(filter, std::move(value), part.field);
    out += value;
  }
  return out;
}

bool Template::uses(std::string_view field) const {
  return std::find(fields_.begin(), fields_.end(), field) != fields_.end();
}

size_t leading_space(std::string_view text_to_read) {
  const char* at = text_to_read.data();
  const char* const end = at + text_to_read.size();
  while (at != end) {
    const char* next = at;
    if (!is_space(models::next_code_point(next))) break;
    at = next;
  }
  return static_cast<size_t>(at - text_to_read.data());
}

size_t trailing_space(std::string_view text_to_read) {
  const char* const begin = text_to_read.data();
  const char* at = begin + text_to_read.size();
  while (at != begin) {
    const char* const before = models::previous_character(at);
    const char* reading = before;
    if (!is_space(models::next_code_point(reading))) break;
    at = before;
  }
  return static_cast<size_t>(begin + text_to_read.size() - at);
}

std::string_view stripped(std::string_view text_to_read) {
  text_to_read.remove_suffix(trailing_space(text_to_read));
  text_to_read.remove_prefix(leading_space(text_to_read));
  return text_to_read;
}

std::string shown_text(std::string_view text_to_read) {
  constexpr size_t kMost = 60;
  const char* at = text_to_read.data();
  const char* const end = at + text_to_read.size();
  for (size_t count = 0; at != end && count < kMost; ++count) models::next_code_point(at);
  const std::string shown(text_to_read.data(), at);
  return nlohmann::ordered_json(shown).dump() + (at == end ? "" : "...");
}

size_t character_count(std::string_view text_to_read) {
  return static_cast<size_t>(std::count_if(text_to_read.begin(), text_to_read.end(), [](char c) {
    return (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace plumb::metrics
