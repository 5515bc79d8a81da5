#include "harness/datasets/hellaswag.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"

namespace plumb::harness {
namespace {

// What Python's str.strip takes for white space, in UTF-8.
constexpr std::array<std::string_view, 29> kSpaces{
    "\t",           "\n",           "\v",           "\f",           "\r",
    "\x1C",         "\x1D",         "\x1E",         "\x1F",         " ",
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
    "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
    "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
    "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

std::string_view stripped(std::string_view text) {
  const auto at_begin = [&](std::string_view space) { return text.starts_with(space); };
  const auto at_end = [&](std::string_view space) { return text.ends_with(space); };
  for (auto space = kSpaces.begin();
       (space = std::find_if(kSpaces.begin(), kSpaces.end(), at_begin)) != kSpaces.end();)
    text.remove_prefix(space->size());
  for (auto space = kSpaces.begin();
       (space = std::find_if(kSpaces.begin(), kSpaces.end(), at_end)) != kSpaces.end();)
    text.remove_suffix(space->size());
  return text;
}

/// Every `from`, found from the left without overlap, becomes `to`.
std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (;;) {
    const size_t at = text.find(from);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += to;
    text.remove_prefix(at + from.size());
  }
}

/// Without "[...]", from a bracket to the next closing one on the same line.
std::string without_brackets(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t open = std::min(text.find('['), text.size());
    out += text.substr(0, open);
    text.remove_prefix(open);
    if (text.empty()) break;
    const size_t end = text.find_first_of("]\n");
    if (end != std::string_view::npos && text[end] == ']') {
      text.remove_prefix(end + 1);
    } else {
      out += '[';
      text.remove_prefix(1);
    }
  }
  return out;
}

size_t first_letter_bytes(std::string_view text) {
  size_t bytes = 1;
  while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) ++bytes;
  return bytes;
}

/// PCRE2's substitution knows the cases of all Unicode letters, and the program has the library anyway.
std::string capitalised(std::string_view text_to_change) {
  if (text_to_change.empty()) return "";
  // The one letter whose small form is two code points.
  const size_t first = first_letter_bytes(text_to_change);
  const std::string subject = std::string(text_to_change.substr(0, first)) +
                              replaced(text_to_change.substr(first), "\xC4\xB0", "i\xCC\x87");
  const auto units = [](std::string_view s) { return reinterpret_cast<PCRE2_SPTR>(s.data()); };
  const std::string_view pattern = "^(.)(.*)$", to = "\\u$1\\L$2";
  int error = 0;
  PCRE2_SIZE at = 0;
  const std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code(
      pcre2_compile(units(pattern), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY, &error, &at,
                    nullptr),
      pcre2_code_free);
  std::string out(subject.size() * 3 + 16, '\0');  // no letter's other case is longer than this
  PCRE2_SIZE size = out.size();
  if (code != nullptr)
    error = pcre2_substitute(code.get(), units(subject), subject.size(), 0,
                             PCRE2_SUBSTITUTE_EXTENDED, nullptr, nullptr, units(to), to.size(),
                             reinterpret_cast<PCRE2_UCHAR*>(out.data()), &size);
  if (code == nullptr || error != 1)
    throw Error(ErrorKind::kInput,
                text("a text cannot be capitalised (PCRE2 says ", error, "); needed is UTF-8"));
  out.resize(size);
  return out;
}

}  // namespace

std::string clean_hellaswag(std::string_view text_to_clean) {
  return replaced(without_brackets(replaced(stripped(text_to_clean), " [title]", ". ")), "  ", " ");
}

std::string hellaswag_context(std::string_view activity, std::string_view a, std::string_view b) {
  return clean_hellaswag(text(activity, ": ", a, " ", capitalised(b)));
}

}  // namespace plumb::harness
