#include "reports/markdown.h"

#include "base/error.h"
#include "reports/escape.h"

namespace plumb::reports {
namespace {

/// Characters that begin something in Markdown or HTML, or in what GitHub and GitLab make of a text.
constexpr std::string_view kMarks = "\\`*_{}[]<>#!|~&@:$\"'";

void append_row(const std::vector<std::string>& cells, std::string& out) {
  out += '|';
  for (const std::string& cell : cells) out.append(" ").append(escape_markdown(cell)).append(" |");
  out += '\n';
}

}  // namespace

std::string escape_markdown(std::string_view bytes) {
  std::string out;
  const std::string clean = clean_text(bytes);
  for (const char c : clean) {
    if (c == '\n' || c == '\r' || c == '\t') {
      out += ' ';
    } else if (kMarks.find(c) != std::string_view::npos) {
      out += text("&#", static_cast<int>(c), ";");
    } else {
      out += c;
    }
  }
  return out;
}

std::string markdown_table(const std::vector<std::string>& columns,
                           const std::vector<std::vector<std::string>>& rows) {
  std::string out;
  append_row(columns, out);
  out += '|';
  for (size_t i = 0; i < columns.size(); ++i) out += " --- |";
  out += '\n';
  for (const auto& row : rows) {
    if (row.size() != columns.size())
      throw Error(ErrorKind::kInvariant, text("a row of ", row.size(), " cells in a table of ",
                                              columns.size(), " columns"));
    append_row(row, out);
  }
  return out;
}

}  // namespace plumb::reports
