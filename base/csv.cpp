#include "base/csv.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/error.h"

namespace plumb {
namespace {

bool looks_like_formula(std::string_view cell) {
  return !cell.empty() && std::string_view("=+-@\t\r").find(cell.front()) != std::string_view::npos;
}

/// One pass over the text; `line` counts from 1 and names where an error is.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text, int64_t line = 1) : text_(text), line_(line) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);  // spread sheets write one
  }

  bool done() const { return at_ >= text_.size(); }
  int64_t line() const { return line_; }

  std::vector<std::string> row() {
    std::vector<std::string> cells;
    for (;;) {
      cells.push_back(peek() == '"' ? quoted() : plain());
      if (done()) return cells;
      if (text_[at_] == ',') {
        ++at_;
        continue;
      }
      if (!end_of_line()) fail("a quoted cell is followed by more text");
      return cells;
    }
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw Error(ErrorKind::kInput, text("CSV line ", line_, ": ", what));
  }

 private:
  char peek() const { return done() ? '\0' : text_[at_]; }

  bool end_of_line() {
    if (text_.substr(at_).starts_with("\r\n")) ++at_;
    if (peek() != '\n') return false;
    ++at_;
    ++line_;
    return true;
  }

  std::string plain() {
    const size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
    std::string cell(text_.substr(at_, end - at_));
    at_ = end;
    if (cell.find('"') != std::string::npos)
      fail("a quote inside a cell that does not begin with one");
    if (cell.ends_with('\r') && peek() != ',') cell.pop_back();
    return cell;
  }

  std::string quoted() {
    const int64_t opened = line_;
    std::string cell;
    for (++at_;; ++at_) {
      if (done())
        throw Error(ErrorKind::kInput,
                    text("CSV line ", opened, ": a quote that opens there never ends"));
      if (text_[at_] == '"') {
        if (text_.substr(at_ + 1).starts_with('"')) {
          ++at_;
        } else {
          ++at_;
          return cell;
        }
      }
      if (text_[at_] == '\n') ++line_;
      cell += text_[at_];
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  int64_t line_;
};

}  // namespace

CsvTable::CsvTable(std::vector<std::string> header) : columns_(header.size()) {
  if (header.empty()) throw Error(ErrorKind::kInvariant, "a CSV table without a column");
  for (const std::string& name : header) cell(name);
  end_row();
}

CsvTable& CsvTable::cell(std::string_view text) {
  if (filled_++ > 0) out_ += ',';
  const bool formula = looks_like_formula(text);
  // A lone empty cell would read as a blank line.
  const bool quotes =
      text.find_first_of(",\"\r\n") != std::string_view::npos || (text.empty() && columns_ == 1);
  if (quotes) out_ += '"';
  if (formula) out_ += '\'';
  for (const char c : text) {
    if (c == '"') out_ += '"';
    out_ += c;
  }
  if (quotes) out_ += '"';
  return *this;
}

CsvTable& CsvTable::cell(double value) {
  if (!std::isfinite(value))
    throw Error(ErrorKind::kInvariant,
                text("a CSV cell holds ", value, "; needed is a finite number"));
  if (filled_++ > 0) out_ += ',';
  out_ += shortest(value);
  return *this;
}

CsvTable& CsvTable::cell(int64_t value) {
  if (filled_++ > 0) out_ += ',';
  out_ += std::to_string(value);
  return *this;
}

CsvTable& CsvTable::empty() { return cell(std::string_view()); }

void CsvTable::end_row() {
  if (filled_ != columns_)
    throw Error(ErrorKind::kInvariant,
                text("a CSV row has ", filled_, " cells, its header has ", columns_));
  filled_ = 0;
  out_ += '\n';
}

std::vector<std::vector<std::string>> parse_csv(std::string_view text_to_read) {
  CsvReader reader(text_to_read);
  std::vector<std::vector<std::string>> rows;
  while (!reader.done()) {
    const int64_t line = reader.line();
    rows.push_back(reader.row());
    if (rows.back().size() != rows.front().size())
      throw Error(ErrorKind::kInput, text("CSV line ", line, " has ", rows.back().size(),
                                          " cells, its header has ", rows.front().size()));
  }
  return rows;
}

std::vector<std::string> parse_csv_record(std::string_view record, int64_t line) {
  CsvReader reader(record, line);
  std::vector<std::string> cells = reader.row();
  if (!reader.done()) reader.fail("the record before it ends there, but more text belongs to it");
  return cells;
}

std::string shortest(double value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), result.ptr);
}

}  // namespace plumb
