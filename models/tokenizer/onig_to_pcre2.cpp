#include <cctype>
#include <iomanip>
#include <sstream>

#include "base/error.h"
#include "models/tokenizer/definition.h"
#include "models/tokenizer/regex.h"
#include "models/tokenizer/unicode_ranges.h"

namespace plumb::models {
namespace {

// Copies the pattern while it reads it; what it does not know to mean the same in both engines it
// refuses.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string translate() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '\\') {
        escape(/*in_class=*/false);
      } else if (c == '[') {
        character_class();
      } else if (c == '(') {
        group();
      } else if (c == '{') {
        interval();
      } else {
        copy(1);
      }
    }
    return out_;
  }

 private:
  [[noreturn]] void refuse(std::string_view construct) const {
    throw Error(ErrorKind::kInput,
                text("the pre-tokenizer's pattern uses ", in_quotes(construct), " at byte ", at_,
                     ", which Plumb cannot run exactly as `tokenizers` does; pattern ",
                     in_quotes(pattern_)));
  }
  std::string_view rest(size_t length) const { return pattern_.substr(at_, length); }
  void copy(size_t length) {
    out_ += rest(length);
    at_ += length;
  }

  void escape(bool in_class) {
    if (at_ + 1 >= pattern_.size()) refuse("\\");
    const char c = pattern_[at_ + 1];
    const auto byte = static_cast<unsigned char>(c);
    if (c == 'p' || c == 'P') return property(in_class);
    if (c == 'u' || c == 'x') return code_point();
    if (c == 's' || c == 'S') return white_space(in_class);
    const bool known = std::string_view("rntfaedD").find(c) != std::string_view::npos ||
                       (!in_class && std::string_view("AzZ").find(c) != std::string_view::npos);
    if (!known && (std::isalnum(byte) || byte >= 0x80)) refuse(rest(2));
    copy(2);
  }

  void property(bool in_class) {
    const size_t close = pattern_.find('}', at_);
    if (at_ + 2 >= pattern_.size() || pattern_[at_ + 2] != '{' || close == std::string_view::npos)
      refuse(rest(3));
    const std::string_view name = pattern_.substr(at_ + 3, close - at_ - 3);
    const std::string_view whole = rest(close + 1 - at_);
    const bool negated = pattern_[at_ + 1] == 'P';
    if (name.empty() || name[0] == '^') refuse(whole);
    const bool letters = name == "L" || name == "Letter", numbers = name == "N" || name == "Number";
    if (letters || numbers) {
      if (in_class && negated) refuse(whole);
      const std::string newer = ranges(letters ? letters_new_to_pcre2() : numbers_new_to_pcre2());
      const std::string base = letters ? "\\p{L}" : "\\p{N}";
      out_ += in_class ? base + newer : (negated ? "[^" : "[") + base + newer + "]";
      at_ = close + 1;
    } else {
      copy(whole.size());
    }
  }

  // PCRE2 counts U+180E as white space, Oniguruma and today's Unicode do not.
  void white_space(bool in_class) {
    const std::string members = ranges(regex_spaces());
    if (pattern_[at_ + 1] == 's')
      out_ += in_class ? members : "[" + members + "]";
    else
      out_ += in_class ? "\\S\\x{180e}" : "[^" + members + "]";
    at_ += 2;
  }

  static std::string ranges(const std::vector<CodePointRange>& points) {
    std::ostringstream out;
    out << std::hex;
    for (const CodePointRange range : points) {
      out << "\\x{" << range.first << "}";
      if (range.last != range.first) out << "-\\x{" << range.last << "}";
    }
    return out.str();
  }

  // \uHHHH, \x{H...} and \xHH below 80 (above, Oniguruma means a raw byte).
  void code_point() {
    const bool braces = rest(3) == "\\x{";
    const size_t begin = at_ + (braces ? 3 : 2);
    const size_t most = braces ? 6 : pattern_[at_ + 1] == 'u' ? 4 : 2;
    size_t digits = 0;
    while (digits < most && begin + digits < pattern_.size() &&
           std::isxdigit(static_cast<unsigned char>(pattern_[begin + digits])))
      ++digits;
    const size_t end = begin + digits + (braces ? 1 : 0);
    const bool closed = !braces || (end <= pattern_.size() && pattern_[end - 1] == '}');
    if (digits == 0 || !closed || (!braces && digits != most) ||
        (most == 2 && pattern_[begin] > '7'))
      refuse(rest(2));
    out_ += "\\x{";
    out_ += pattern_.substr(begin, digits);
    out_ += "}";
    at_ = end;
  }

  void character_class() {
    copy(rest(2) == "[^" ? 2 : 1);
    if (at_ < pattern_.size() && pattern_[at_] == ']') refuse("]");
    while (at_ < pattern_.size() && pattern_[at_] != ']') {
      if (pattern_[at_] == '[' || rest(2) == "&&") refuse(rest(2));
      pattern_[at_] == '\\' ? escape(/*in_class=*/true) : copy(1);
    }
    if (at_ >= pattern_.size()) refuse("[");
    copy(1);
  }

  void group() {
    if (rest(2) == "(*") refuse(rest(2));
    if (rest(2) != "(?") return copy(1);
    for (const std::string_view known :
         {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:", "(?i)", "(?-i:", "(?-i)"})
      if (rest(known.size()) == known) return copy(known.size());
    refuse(rest(4));
  }

  // {n}, {n,} or {n,m}
  void interval() {
    size_t end = at_ + 1;
    const auto digits = [&] {
      const size_t begin = end;
      while (end < pattern_.size() && std::isdigit(static_cast<unsigned char>(pattern_[end])))
        ++end;
      return end - begin;
    };
    if (digits() == 0) refuse(rest(2));
    if (end < pattern_.size() && pattern_[end] == ',') ++end, digits();
    if (end >= pattern_.size() || pattern_[end] != '}') refuse(rest(end - at_));
    ++end;
    if (end < pattern_.size() && pattern_[end] == '+') refuse(rest(end + 1 - at_));
    copy(end - at_);
  }

  std::string_view pattern_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string onig_to_pcre2(std::string_view pattern) { return Translator(pattern).translate(); }

}  // namespace plumb::models
