#include "models/formats/json_text.h"

#include <algorithm>

#include "models/formats/bounds.h"

namespace plumb::models {
namespace {

// Behind the quote that ends the string which begins at `at`, or the text's end.
size_t end_of_string(std::string_view text, size_t at) {
  const size_t begin = at;
  while ((at = text.find('"', at)) != std::string_view::npos) {
    size_t escapes = 0;
    while (at - escapes > begin && text[at - escapes - 1] == '\\') ++escapes;
    ++at;
    if (escapes % 2 == 0) return at;
  }
  return text.size();
}

// From the first byte of a string or number to that of the next one: what the parser keeps, white
// space and brackets in between included.
size_t longest_stretch(std::string_view text) {
  size_t longest = 0, begin = 0;
  const auto starts = [&](size_t at) {
    longest = std::max(longest, at - begin);
    begin = at;
  };
  for (size_t at = 0; at < text.size();) {
    at = text.find_first_of("\"-0123456789", at);
    if (at == std::string_view::npos) break;
    starts(at);
    if (text[at] == '"') {
      at = end_of_string(text, at + 1);
    } else {
      at = text.find_first_not_of("+-.0123456789eE", at);
    }
  }
  starts(text.size());
  return longest;
}

}  // namespace

void require_plain_json(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF"))
    throw damaged("the JSON begins with a byte-order mark where '{' is needed");
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos)
    throw damaged("the JSON holds a NUL at byte ", nul);
  const size_t limit = std::max(kLongestToken, text.size() / 2);
  if (text.size() <= limit) return;
  if (const size_t longest = longest_stretch(text); longest > limit)
    throw damaged("the JSON holds a string, number or white space of ", longest, " bytes; at most ",
                  limit, " are allowed");
}

}  // namespace plumb::models
