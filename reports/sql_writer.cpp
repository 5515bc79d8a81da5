#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/error.h"
#include "base/hash.h"
#include "reports/escape.h"
#include "reports/report.h"

namespace plumb::reports {
namespace {

constexpr const char* kTables = R"sql(CREATE TABLE IF NOT EXISTS plumb_runs (
  run TEXT PRIMARY KEY, title TEXT NOT NULL, subtitle TEXT NOT NULL, provenance TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS plumb_records (
  run TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, dimensions TEXT NOT NULL,
  number DOUBLE PRECISION, words TEXT, unit TEXT NOT NULL, low DOUBLE PRECISION, high DOUBLE PRECISION,
  level DOUBLE PRECISION, method TEXT, absent_reason TEXT, PRIMARY KEY (run, position));
CREATE TABLE IF NOT EXISTS plumb_verdicts (
  run TEXT NOT NULL, position INTEGER NOT NULL, claim TEXT NOT NULL, title TEXT NOT NULL,
  kind TEXT NOT NULL, reason TEXT NOT NULL, next_step TEXT NOT NULL, required INTEGER NOT NULL,
  PRIMARY KEY (run, position));
)sql";

std::string optional_words(const std::string& words) {
  return words.empty() ? "NULL" : quote_sql(words);
}

std::string dimensions(const Record& record) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (const Dimension& d : record.dimensions) {
    nlohmann::ordered_json& place = out[clean_text(d.name)];
    if (const auto* number = std::get_if<double>(&d.value)) place = *number;
    if (const auto* count = std::get_if<int64_t>(&d.value)) place = *count;
    if (const auto* words = std::get_if<std::string>(&d.value)) place = clean_text(*words);
    if (const auto* truth = std::get_if<bool>(&d.value)) place = *truth;
  }
  return quote_sql(out.dump());
}

/// The two columns of a value: what can be reckoned with, and words.
std::string value_columns(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return text(shortest(*number), ", NULL");
  if (const auto* count = std::get_if<int64_t>(&value)) return text(*count, ", NULL");
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "1, 'true'" : "0, 'false'";
  if (const auto* words = std::get_if<std::string>(&value)) return "NULL, " + quote_sql(*words);
  return "NULL, NULL";
}

std::string interval_columns(const std::optional<Interval>& interval) {
  if (!interval) return "NULL, NULL, NULL, NULL";
  return text(shortest(interval->low), ", ", shortest(interval->high), ", ",
              shortest(interval->level), ", ", quote_sql(interval->method));
}

}  // namespace

std::string to_sql(const Report& report) {
  Report without_times = report;
  without_times.run.clear();
  // It refuses what is no number as well.
  const std::string run = quote_sql(
      sha256_hex(to_results_json(without_times) + to_provenance_json(without_times)).substr(0, 32));
  std::string out = text("BEGIN;\n", kTables);
  for (const char* table : {"plumb_runs", "plumb_records", "plumb_verdicts"})
    out += text("DELETE FROM ", table, " WHERE run = ", run, ";\n");
  out += text("INSERT INTO plumb_runs VALUES (", run, ", ", quote_sql(report.title), ", ",
              quote_sql(report.subtitle), ", ", quote_sql(to_provenance_json(report)), ");\n");
  for (size_t i = 0; i < report.records.size(); ++i) {
    const Record& r = report.records[i];
    out += text("INSERT INTO plumb_records VALUES (", run, ", ", i, ", ", quote_sql(r.name), ", ",
                dimensions(r), ", ", value_columns(r.value), ", ", quote_sql(r.unit), ", ",
                interval_columns(r.interval), ", ", optional_words(r.absent_reason), ");\n");
  }
  for (size_t i = 0; i < report.verdicts.size(); ++i) {
    const Verdict& v = report.verdicts[i];
    out +=
        text("INSERT INTO plumb_verdicts VALUES (", run, ", ", i, ", ", quote_sql(v.claim), ", ",
             quote_sql(v.title), ", ", quote_sql(std::string(verdict_name(v.kind))), ", ",
             quote_sql(v.reason), ", ", quote_sql(v.next_step), ", ", v.required ? 1 : 0, ");\n");
  }
  return out + "COMMIT;\n";
}

}  // namespace plumb::reports
