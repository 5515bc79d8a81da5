#pragma once

#include <string>
#include <string_view>

namespace plumb::reports {

/// What every writer does to text before it leaves: model names, file names and error messages are
/// untrusted.

/// Valid UTF-8: every maximal ill-formed part (lone or overlong bytes, surrogates, values above
/// U+10FFFF) becomes one U+FFFD, as the WHATWG decoder does it. Well-formed text comes back
/// unchanged.
std::string repair_utf8(std::string_view bytes);

/// Valid UTF-8 that may stand in XML 1.0 and HTML: what XML forbids (C0 controls but TAB, LF, CR;
/// U+FFFE, U+FFFF) is dropped, and so are DEL and the C1 controls, which HTML calls errors.
/// Characters that reorder what is read (U+202A..U+202E, U+2066..U+2069) become U+FFFD: a name must
/// not be able to rearrange the line that it stands in.
std::string clean_text(std::string_view bytes);

/// `clean_text` with & < > " ' as character references: right for element content and for quoted
/// attributes alike.
std::string escape_markup(std::string_view bytes);

/// One line of Markdown text that shows `bytes` as they are: no markup, HTML, cell of a table, mention,
/// reference to an issue, or address that becomes a link. A zero-width space stands where a backslash
/// would not help.
std::string escape_markdown(std::string_view bytes);

/// A string literal of standard SQL.
std::string quote_sql(std::string_view bytes);

/// JSON text that may also stand inside a script: U+2028 and U+2029, which older JavaScript takes
/// for line ends, as \u escapes. `json` is well-formed JSON, where these can stand in strings only.
std::string escape_line_separators(std::string_view json);

/// An identifier of [a-z0-9-] that starts with a letter; everything else becomes '-'. Never empty.
std::string slug(std::string_view text);

/// At most `characters` code points of valid UTF-8, the last one an ellipsis where something was
/// cut.
std::string shorten(std::string_view text, size_t characters);

/// Code points of valid UTF-8.
size_t code_points(std::string_view text);

}  // namespace plumb::reports
