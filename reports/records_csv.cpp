#include <algorithm>
#include <map>

#include "base/csv.h"
#include "reports/escape.h"
#include "reports/report.h"

namespace plumb::reports {
namespace {

void append(CsvTable& table, const Value& value) {
  if (const auto* number = std::get_if<double>(&value))
    table.cell(*number);
  else if (const auto* count = std::get_if<int64_t>(&value))
    table.cell(*count);
  else if (const auto* words = std::get_if<std::string>(&value))
    table.cell(clean_text(*words));
  else if (const auto* truth = std::get_if<bool>(&value))
    table.cell(std::string_view(*truth ? "true" : "false"));
  else
    table.empty();
}

void append(CsvTable& table, const std::optional<Interval>& interval) {
  if (!interval) {
    for (int i = 0; i < 4; ++i) table.empty();
    return;
  }
  table.cell(interval->low).cell(interval->high).cell(interval->level);
  table.cell(clean_text(interval->method));
}

}  // namespace

std::string to_records_csv(const Report& report) {
  std::vector<std::string> names;  // of dimensions, as they come
  for (const Record& record : report.records)
    for (const Dimension& dimension : record.dimensions)
      if (std::find(names.begin(), names.end(), dimension.name) == names.end())
        names.push_back(dimension.name);
  std::vector<std::string> header = {"name"};
  for (const std::string& name : names) header.push_back(clean_text(name));
  for (const char* rest : {"value", "unit", "low", "high", "level", "method", "absent_reason"})
    header.emplace_back(rest);
  CsvTable table(header);
  for (const Record& record : report.records) {
    table.cell(clean_text(record.name));
    for (const std::string& name : names) {
      const auto at = std::find_if(record.dimensions.begin(), record.dimensions.end(),
                                   [&](const Dimension& d) { return d.name == name; });
      append(table, at == record.dimensions.end() ? Value{} : at->value);
    }
    append(table, record.value);
    table.cell(clean_text(record.unit));
    append(table, record.interval);
    table.cell(clean_text(record.absent_reason));
    table.end_row();
  }
  return table.str();
}

}  // namespace plumb::reports
