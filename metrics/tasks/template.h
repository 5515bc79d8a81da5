#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::metrics {

/// A text with places for a row's fields: the whole language in which a task's prompts are written. Nothing runs.
///
///     {name}             the field's text
///     {name|filter|...}  the text through filters, left to right
///     {{  }}             a brace
///
///     strip         without white space at both ends (what Python's str.strip takes for it)
///     spaces        every _ a space
///     before_blank  what stands before the first _
///     after_blank   what stands after the first _
///
/// A name is made of letters, digits and _.
class Template {
 public:
  Template() = default;  ///< the empty text
  /// Error{kUsage} with the byte (from 0) where `source` is no template, and why.
  static Template parse(std::string_view source);

  /// Gives the text of a field.
  using Lookup = std::function<std::string(const std::string& name)>;
  /// The text. Error{kInput} where a filter looks for a blank that the field has not; what `lookup` throws.
  std::string render(const Lookup& lookup) const;

  /// Names of the fields, in order, each once.
  const std::vector<std::string>& fields() const { return fields_; }
  bool uses(std::string_view field) const;
  const std::string& source() const { return source_; }
  bool empty() const { return source_.empty(); }

 private:
  enum class Filter { kStrip, kSpaces, kBeforeBlank, kAfterBlank };
  struct Part {
    std::string literal;  ///< stands before the field
    std::string field;    ///< empty in the last part
    std::vector<Filter> filters;
  };
  static Part parse_place(std::string_view inside, size_t position);
  static Filter parse_filter(std::string_view word, size_t position);
  static std::string filtered(Filter filter, std::string value, const std::string& field);

  std::string source_;
  std::vector<Part> parts_;
  std::vector<std::string> fields_;
};

/// White space as Python's str.isspace has it, of well-formed UTF-8: the number of bytes of it at either end.
size_t leading_space(std::string_view text);
size_t trailing_space(std::string_view text);
/// Without both.
std::string_view stripped(std::string_view text);
/// A text for a message: one line in double quotes, escaped as in JSON, and cut after 60 code points.
std::string shown_text(std::string_view text);
/// Code points of well-formed UTF-8, Python's len.
size_t character_count(std::string_view text);

}  // namespace plumb::metrics
