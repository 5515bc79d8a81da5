#include "harness/datasets/row_reader.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "harness/datasets/row_formats.h"

namespace plumb::harness {
namespace {

enum class Format { kNone, kJson, kCsv, kParquet };

Format format_of(const std::filesystem::path& file) {
  std::string name = file.filename().string();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name.ends_with(".parquet")) return Format::kParquet;
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  if (name.ends_with(".csv")) return Format::kCsv;
  for (const char* ending : {".jsonl", ".ndjson", ".json"})
    if (name.ends_with(ending)) return Format::kJson;
  return Format::kNone;
}

}  // namespace

bool has_rows(const std::filesystem::path& file) { return format_of(file) != Format::kNone; }

std::unique_ptr<RowReader> open_rows(const std::filesystem::path& file,
                                     const std::vector<std::string>& columns) {
  switch (format_of(file)) {
    case Format::kJson:
      return json_rows(file);
    case Format::kCsv:
      return csv_rows(file);
    case Format::kParquet:
      return parquet_rows(file, columns);
    case Format::kNone:
      break;
  }
  throw Error(
      ErrorKind::kInput,
      text("'", file.filename().string(),
           "' is in no format that rows are read from; needed is a name in .jsonl, .ndjson, "
           ".json or .csv (with or without .gz), or .parquet"));
}

}  // namespace plumb::harness
