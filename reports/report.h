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

/// Everything that a run folder's files are made of.
struct Report {
  std::string title;
  std::string subtitle;
  std::vector<std::pair<std::string, std::string>>
      headline;                       ///< label, value: a few figures on top
  std::vector<std::string> warnings;  ///< what limits the numbers
  std::vector<Verdict> verdicts;
  std::vector<std::variant<LineFigure, HeatFigure, Table>> figures;
  std::vector<Record> records;
  /// Provenance: groups ("model", "data", "machine", "build", "command") of key and value.
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> provenance;
  /// results.json's `subject`: groups of facts that two results must share to be compared.
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> subject;
  /// results.json's `run` object: times and whatever else may differ between two equal runs.
  std::vector<std::pair<std::string, std::string>> run;
};

/// One self-contained HTML page: inline SVG, no JavaScript, no request; light and dark; prints.
/// Every string is untrusted and escaped for its context.
std::string to_html(const Report& report);

/// results.json: {schema_version, schema_minor, run, subject, records, verdicts}; see schema/results.schema.json. NaN and
/// infinities cannot occur: Error{kInvariant} names the record.
std::string to_results_json(const Report& report);

/// JUnit XML of the verdicts: FAIL is a failure; INCONCLUSIVE, NOT RUN, INCOMPARABLE are skipped
/// with the reason; INVALID is an error. Numbers of the evidence in properties; names unique.
std::string to_junit_xml(const Report& report);

/// provenance.json.
std::string to_provenance_json(const Report& report);

/// Error{kInput} naming the first difference from the schema.
void validate_results(const std::string& json);

/// Writes report.html, results.json, junit.xml and provenance.json into `folder`, each atomically,
/// report.html last.
void write_report(const Report& report, const std::filesystem::path& folder);

}  // namespace plumb::reports
