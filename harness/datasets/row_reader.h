#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

/// Rows of a data set's file, whatever its format:
///
///     JSON lines  .jsonl .ndjson .json: one object a line, ends at byte 0x0A; nesting at most 64
///     CSV         .csv: RFC 4180, the first record names the columns; every cell is a string
///     Parquet     .parquet: strings (dictionary-encoded too), integers, floating-point numbers, bools, and
///                 lists and structs of these, with nulls
///
/// The first two may be compressed with gzip (recognised by its mark), and then end in .gz.
namespace plumb::harness {

/// An object whose members are the columns in the file's order.
using Row = nlohmann::ordered_json;

/// One row after another; holds one row (Parquet: 64 rows and a page a column) in memory, and the file mapped.
class RowReader {
 public:
  virtual ~RowReader() = default;
  /// The next row, or none at the end. Error{kInput} with the place, but without the file's name: a blank line, a line longer than 64 MiB,
  /// what is no JSON object or no UTF-8, a CSV record with more or fewer cells than the header, compressed data that are
  /// cut, damaged or expand beyond 64 MiB and 200 times their size, damaged Parquet.
  virtual std::optional<Row> next() = 0;
  /// Where the row given last is: "line 3", or "row 3" of a Parquet file; from 1.
  virtual std::string where() const = 0;
};

/// Whether the name is one of a format above.
bool has_rows(const std::filesystem::path& file);

/// Opens a file by its name's ending. `columns`: those that will be looked at, empty for all; Parquet reads no other and
/// demands that they are there. Error{kInput} with the file's name for a file that is missing, empty or of another format, and for columns of
/// types that have no JSON; Error{kResource} for Parquet where this build or machine cannot read it.
std::unique_ptr<RowReader> open_rows(const std::filesystem::path& file,
                                     const std::vector<std::string>& columns = {});

}  // namespace plumb::harness
