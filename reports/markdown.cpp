#include "reports/markdown.h"

#include "base/error.h"
#include "reports/escape.h"

namespace plumb::reports {
namespace {

void append_row(const std::vector<std::string>& cells, std::string& out) {
  out += '|';
  for (const std::string& cell : cells) out.append(" ").append(escape_markdown(cell)).append(" |");
  out += '\n';
}

}  // namespace

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
