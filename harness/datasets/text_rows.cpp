// JSON lines and CSV: text, line by line, out of a mapped file.

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "harness/datasets/row_formats.h"
#include "models/document_reader.h"

namespace plumb::harness {
namespace {

constexpr size_t kLongestRecord = size_t{64} << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::unique_ptr<models::ByteSource> source_of(const MappedFile& file) {
  const auto bytes = file.bytes();
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return all.starts_with("\x1F\x8B") ? models::gzip_source(all) : models::plain_source(all);
}

/// What both formats share: the mapped file and its lines.
class TextRows : public RowReader {
 public:
  explicit TextRows(const std::filesystem::path& file)
      : file_(file), name_(file.filename().string()), lines_(source_of(file_)) {}

  std::string where() const override { return text("line ", first_line_); }

 protected:
  /// The next line; the first of a row is where the row is.
  std::optional<std::string> line(bool first_of_row) {
    auto read = lines_.next();
    if (first_of_row) first_line_ = lines_.line();
    return read;
  }
  int64_t first_line() const { return first_line_; }
  const std::string& name() const { return name_; }

 private:
  MappedFile file_;
  std::string name_;
  models::LineReader lines_;
  int64_t first_line_ = 0;
};

class JsonRows : public TextRows {
 public:
  using TextRows::TextRows;

  std::optional<Row> next() override {
    const auto bytes = line(true);
    if (!bytes) return std::nullopt;
    const std::string place = text("line ", first_line());
    if (bytes->find_first_not_of(" \t\r") == std::string::npos)
      throw Error(ErrorKind::kInput,
                  text(place, " is blank; needed is a JSON object on each line"));
    Row row;
    try {
      row = parse_json(*bytes);
    } catch (const Error& error) {
      throw error.within(place);
    }
    if (!row.is_object())
      throw Error(ErrorKind::kInput, text(place, " is a JSON ", row.type_name(),
                                          "; needed is a JSON object on each line"));
    return row;
  }
};

class CsvRows : public TextRows {
 public:
  explicit CsvRows(const std::filesystem::path& file) : TextRows(file) {
    try {
      auto header = record();
      if (!header) throw Error(ErrorKind::kInput, "it has no header");
      header_ = std::move(*header);
      std::unordered_set<std::string_view> seen;
      for (const std::string& column : header_)
        if (!seen.insert(column).second)
          throw Error(ErrorKind::kInput,
                      text("two columns are named '", column, "'; needed are names that differ"));
    } catch (const Error& error) {
      throw error.within(name());
    }
  }

  std::optional<Row> next() override {
    auto cells = record();
    if (!cells) return std::nullopt;
    if (cells->size() != header_.size())
      throw Error(ErrorKind::kInput, text("CSV line ", first_line(), " has ", cells->size(),
                                          " cells, its header has ", header_.size()));
    Row row = Row::object();
    // Straight into the vector below: the map's own insertion looks through all keys first.
    auto& members = static_cast<Row::object_t::Container&>(row.get_ref<Row::object_t&>());
    for (size_t i = 0; i < header_.size(); ++i)
      members.emplace_back(header_[i], std::move((*cells)[i]));
    return row;
  }

 private:
  /// Lines up to one that leaves no quote open: inside quotes a quote is doubled, so their number is even there.
  std::optional<std::vector<std::string>> record() {
    auto record = line(true);
    if (!record) return std::nullopt;
    if (first_line() == 1 && record->starts_with(kByteOrderMark))
      record->erase(0, kByteOrderMark.size());
    bool open = is_odd(*record);
    while (open) {
      const auto more = line(false);
      if (!more) break;  // the parser says where the quote was opened
      *record += '\n';
      if (record->size() + more->size() > kLongestRecord)
        throw Error(ErrorKind::kInput,
                    text("the CSV record at line ", first_line(), " is longer than ",
                         kLongestRecord, " bytes; is a quote missing?"));
      *record += *more;
      open ^= is_odd(*more);
    }
    if (!open) *record += '\n';
    return parse_csv_record(*record, first_line());
  }

  static bool is_odd(std::string_view line) {
    return std::count(line.begin(), line.end(), '"') % 2 == 1;
  }

  std::vector<std::string> header_;
};

}  // namespace

std::unique_ptr<RowReader> json_rows(const std::filesystem::path& file) {
  return std::make_unique<JsonRows>(file);
}

std::unique_ptr<RowReader> csv_rows(const std::filesystem::path& file) {
  return std::make_unique<CsvRows>(file);
}

}  // namespace plumb::harness
