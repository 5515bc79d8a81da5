#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

/// A CSV file in the making: RFC 4180 quoting, lines end in "\n", doubles with all their digits,
/// cells that a spread sheet would take for a formula (= + - @ TAB, CR at the start of a text)
/// prefixed by a single quote.
class CsvTable {
 public:
  explicit CsvTable(std::vector<std::string> header);
  CsvTable& cell(std::string_view text);
  CsvTable& cell(double value);  ///< shortest form that reads back to the same double;
                                 ///< Error{kInvariant} if not finite
  CsvTable& cell(int64_t value);
  CsvTable& empty();
  /// Ends the row. Error{kInvariant} when its cells are not as many as the header's.
  void end_row();
  const std::string& str() const { return out_; }

 private:
  size_t columns_;
  size_t filled_ = 0;
  std::string out_;
};

/// Rows of cells, the header first. Error{kInput} with the line for a quote that never ends or a
/// row of another width.
std::vector<std::vector<std::string>> parse_csv(std::string_view text);

/// The cells of one record of a file that is read piece by piece; `line` is the number of the record's
/// first line, for messages. Error{kInput} as parse_csv, and for text after the record.
std::vector<std::string> parse_csv_record(std::string_view record, int64_t line);

/// Shortest text that reads back to the same double.
std::string shortest(double value);

}  // namespace plumb
