#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/record.h"
#include "base/verdict.h"
#include "reports/figure.h"

namespace plumb::reports {

/// A paragraph of words, or a formula in a line of its own.
struct Paragraph {
  std::string text;
  bool formula = false;
};
struct Chapter {
  std::string title;
  std::vector<Paragraph> paragraphs;
};

using Figure = std::variant<LineFigure, HeatFigure, PlanFigure, Table>;

/// Everything that a run folder's files are made of.
struct Report {
  std::string title;
  std::string subtitle;
  std::vector<std::pair<std::string, std::string>>
      headline;                       ///< label, value: a few figures on top
  std::vector<std::string> findings;  ///< what was found, in plain sentences
  std::vector<std::string> warnings;  ///< what limits the numbers
  std::vector<Verdict> verdicts;
  std::vector<Figure> figures;  ///< drawings stand before tables, whatever their order here
  std::vector<Chapter> method;  ///< how it was measured, in words and formulas
  std::vector<Record> records;
  /// Provenance: groups ("model", "data", "machine", "build", "command") of key and value.
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> provenance;
  /// results.json's `subject`: groups of facts that two results must share to be compared.
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> subject;
  /// results.json's `run` object: times and whatever else may differ between two equal runs.
  std::vector<std::pair<std::string, std::string>> run;
};

/// One self-contained HTML page: inline SVG, no request; light and dark; prints. It is complete
/// without JavaScript, which adds the sorting of tables alone. Every string is untrusted and escaped
/// for its context.
std::string to_html(const Report& report);

/// results.json: {schema_version, schema_minor, run, subject, records, verdicts}; see schema/results.schema.json. NaN and
/// infinities cannot occur: Error{kInvariant} names the record.
std::string to_results_json(const Report& report);

/// JUnit XML of the verdicts: FAIL is a failure; INCONCLUSIVE, NOT RUN, INCOMPARABLE are skipped
/// with the reason; INVALID is an error. Numbers of the evidence in properties; names unique.
std::string to_junit_xml(const Report& report);

/// provenance.json.
std::string to_provenance_json(const Report& report);

/// Markdown for a pull request: findings, verdicts, the headline and what limits it; shorter than a
/// comment on GitHub may be. Names make no markup, no mention, no link.
std::string to_markdown(const Report& report);

/// Every record a row: `name`, a column for each dimension, then `value,unit,low,high,level,method,
/// absent_reason`.
std::string to_records_csv(const Report& report);

/// SQL for SQLite and PostgreSQL: tables plumb_runs, plumb_records and plumb_verdicts where they are
/// not there, and this report's rows. The run's key is a hash of all but its times, so that a report
/// that is read in twice stands once.
std::string to_sql(const Report& report);

/// Google Benchmark's JSON, for its compare.py: every record with a unit of time, each of its samples
/// a repetition. What was measured is the time on the clock; cpu_time repeats it.
std::string to_benchmark_json(const Report& report);

/// A format by its word in --formats, the file that it is written to, and what writes it.
struct Format {
  const char* word;
  const char* file;
  std::string (*write)(const Report&);
};
/// The page last, as it stands for all.
const std::vector<Format>& formats();

/// Error{kInput} naming the first difference from the schema.
void validate_results(const std::string& json);

/// Writes report.html, results.json, junit.xml and provenance.json into `folder`, each atomically,
/// report.html last.
void write_report(const Report& report, const std::filesystem::path& folder);

}  // namespace plumb::reports
