#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace plumb::models {

/// Room for PCRE2 to match in, one per thread: match data, limits, JIT stack.
class RegexScratch {
 public:
  RegexScratch();
  ~RegexScratch();
  RegexScratch(const RegexScratch&) = delete;
  RegexScratch& operator=(const RegexScratch&) = delete;

 private:
  friend class Regex;
  struct Data;
  std::unique_ptr<Data> data_;
};

/// A regular expression of a tokenizer.json, which is written for Oniguruma (Ruby syntax), run by
/// PCRE2.
///
/// Constructs that mean something else in PCRE2, or nothing, are Error{kInput} by name: see
/// onig_to_pcre2. Matching is bounded (PCRE2's match limit and a 1 MiB stack): a pattern that
/// explodes on a text is Error{kInput}, not a hang. Thread rule: const, with a scratch for each
/// thread.
class Regex {
 public:
  explicit Regex(std::string_view onig_pattern);
  ~Regex();
  Regex(Regex&&) noexcept;
  /// First match in `subject` at or after byte `start`, as [begin, end). Look-behind sees what is
  /// before `start`; the subject is well-formed UTF-8.
  std::optional<std::pair<size_t, size_t>> find(std::string_view subject, size_t start,
                                                RegexScratch& scratch) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
  std::string pattern_;
};

/// The same language for PCRE2 (UTF, UCP, MULTILINE, newline LF). \p{L} and \p{N} get the code
/// points that are newer than PCRE2's Unicode, \s loses U+180E; other properties keep its Unicode
/// version.
/// Error{kInput} naming the construct and its position for: \w \W \b \B \h \H \v \R \X \G \K,
/// back-references, POSIX classes, nested classes and && in classes, option letters other than i,
/// {,n} and possessive {n,m}+, control verbs, comments and conditions.
std::string onig_to_pcre2(std::string_view pattern);

}  // namespace plumb::models
