#include "harness/gate/gate_files.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "harness/cli/console.h"
#include "harness/pipeline/accuracy_json.h"
#include "reports/escape.h"
#include "reports/markdown.h"
#include "reports/versioned.h"

namespace plumb::harness {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json side_json(const GateSnapshot& side) {
  Json model = Json::object();
  for (const auto& [name, value] : side.model) model[name] = reports::repair_utf8(value);
  return {{"source", reports::repair_utf8(side.source)}, {"model", model}};
}

Json runs_json(const std::optional<RunCounts>& runs) {
  if (!runs) return {};
  return {{"baseline", runs->baseline}, {"candidate", runs->candidate}};
}

Json finding_json(const Finding& f) {
  const Verdict& v = f.verdict;
  return {{"claim", v.claim},
          {"metric", f.tolerance.metric},
          {"plan", f.tolerance.plan},
          {"tolerance", f.tolerance.text()},
          {"severity", f.tolerance.severity == Severity::kWarn ? "warn" : "fail"},
          {"verdict", verdict_name(v.kind)},
          {"counts", v.excused.empty()},
          {"excused", reports::repair_utf8(v.excused)},
          {"reason", reports::repair_utf8(v.reason)},
          {"next_step", reports::repair_utf8(v.next_step)},
          {"unit", f.unit},
          {"baseline", or_null(f.baseline)},
          {"candidate", or_null(f.candidate)},
          {"change", or_null(f.change)},
          {"relative", f.tolerance.relative},
          {"interval", f.interval ? interval_json(*f.interval) : Json()},
          {"p", or_null(f.p)},
          {"p_holm", or_null(f.p_holm)},
          {"samples", f.samples},
          {"sample", f.sample},
          {"runs", runs_json(f.runs)},
          {"enough", or_null(f.enough)},
          {"more", or_null(f.more)},
          {"noise_floor", or_null(f.noise_floor)}};
}

std::string value_text(const std::optional<double>& value, const std::string& unit) {
  if (!value) return "-";
  return unit == "bytes" ? bytes_text(static_cast<uint64_t>(*value)) : number_text(*value);
}

std::string change_text(const Finding& f, double value) {
  const bool relative = f.tolerance.relative;
  return (value > 0 ? "+" : "") + number_text(relative ? 100 * value : value, 3) +
         (relative ? " %" : "");
}

std::string change_cell(const Finding& f) { return f.change ? change_text(f, *f.change) : "-"; }

std::string interval_cell(const Finding& f) {
  if (!f.interval) return "-";
  return change_text(f, f.interval->low) + " to " + change_text(f, f.interval->high);
}

std::string verdict_cell(const Finding& f) {
  std::string out(verdict_name(f.verdict.kind));
  if (!f.verdict.excused.empty() && f.verdict.kind != VerdictKind::kPass)
    out += " (does not count)";
  return out;
}

const char* outcome_text(int code) {
  return code == 0   ? "passed"
         : code == 1 ? "failed"
         : code == 7 ? "incomparable or invalid"
                     : "inconclusive";
}

}  // namespace

Json gate_json(const GateResult& result, const GateSnapshot& baseline,
               const GateSnapshot& candidate, int exit_code) {
  Json findings = Json::array(), notes = Json::array();
  for (const Finding& f : result.findings) findings.push_back(finding_json(f));
  for (const std::string& note : result.notes) notes.push_back(reports::repair_utf8(note));
  return {{"schema_version", reports::kGateVersion.major},
          {"schema_minor", reports::kGateVersion.minor},
          {"exit_code", exit_code},
          {"alpha", result.alpha},
          {"tests", result.tests},
          {"baseline", side_json(baseline)},
          {"candidate", side_json(candidate)},
          {"findings", findings},
          {"notes", notes}};
}

std::string gate_markdown(const GateResult& result, const GateSnapshot& baseline,
                          const GateSnapshot& candidate, int exit_code) {
  using reports::escape_markdown;
  std::string out = text("### plumb gate: ", outcome_text(exit_code), " (exit code ", exit_code,
                         ")\n\n", escape_markdown(candidate.source), " against ",
                         escape_markdown(baseline.source), "\n\n");
  std::vector<std::vector<std::string>> rows;
  for (const Finding& f : result.findings)
    rows.push_back({verdict_cell(f), f.tolerance.text(), value_text(f.baseline, f.unit),
                    value_text(f.candidate, f.unit), change_cell(f), interval_cell(f),
                    f.p_holm ? p_text(*f.p_holm) : "-"});
  out += reports::markdown_table(
      {"verdict", "tolerance", "baseline", "candidate", "change", "interval", "p (Holm)"}, rows);
  std::string more;
  for (const Finding& f : result.findings) {
    if (f.verdict.kind == VerdictKind::kPass) continue;
    more += text("- ", escape_markdown(text(f.tolerance.name(), ": ", verdict_name(f.verdict.kind),
                                            f.verdict.excused.empty() ? "" : ", ",
                                            f.verdict.excused, ": ", f.verdict.reason)));
    if (!f.verdict.next_step.empty()) more += "; " + escape_markdown(f.verdict.next_step);
    more += "\n";
  }
  if (!more.empty()) out += "\n" + more;
  for (const std::string& note : result.notes) out += "\n" + escape_markdown(note) + "\n";
  return out;
}

std::vector<std::string> gate_lines(const GateResult& result) {
  std::vector<std::string> out;
  char line[256];
  std::snprintf(line, sizeof line, "%-13s %-30s %10s %10s %9s  %-22s %s", "verdict", "tolerance",
                "baseline", "candidate", "change", "bounds", "p (Holm)");
  out.emplace_back(line);
  for (const Finding& f : result.findings) {
    std::snprintf(line, sizeof line, "%-13s %-30.60s %10s %10s %9s  %-22s %s",
                  std::string(verdict_name(f.verdict.kind)).c_str(),
                  printable(f.tolerance.text()).c_str(), value_text(f.baseline, f.unit).c_str(),
                  value_text(f.candidate, f.unit).c_str(), change_cell(f).c_str(),
                  interval_cell(f).c_str(), f.p_holm ? p_text(*f.p_holm).c_str() : "-");
    out.emplace_back(line);
  }
  return out;
}

}  // namespace plumb::harness
