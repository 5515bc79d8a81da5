#include "base/file.h"
#include "reports/report.h"

namespace plumb::reports {

const std::vector<Format>& formats() {
  static const std::vector<Format> all = {
      {"json", "results.json", to_results_json},
      {"junit", "junit.xml", to_junit_xml},
      {"provenance", "provenance.json", to_provenance_json},
      {"md", "report.md", to_markdown},
      {"csv", "records.csv", to_records_csv},
      {"benchmark", "benchmark.json", to_benchmark_json},
      {"sql", "results.sql", to_sql},
      {"html", "report.html", to_html},
  };
  return all;
}

void write_report(const Report& report, const std::filesystem::path& folder) {
  // All of them are made before the first is written: a report that cannot be made leaves the
  // folder as it was.
  const std::string results = to_results_json(report), junit = to_junit_xml(report);
  const std::string provenance = to_provenance_json(report), page = to_html(report);
  require_writable_folder(folder);
  write_file_atomically(folder / "results.json", results);
  write_file_atomically(folder / "junit.xml", junit);
  write_file_atomically(folder / "provenance.json", provenance);
  // Last: where there is a page, the numbers behind it are there too.
  write_file_atomically(folder / "report.html", page);
}

}  // namespace plumb::reports
