#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "reports/escape.h"
#include "reports/report.h"
#include "reports/versioned.h"

namespace plumb::reports {
namespace {

using Json = nlohmann::ordered_json;

std::string describe(const Record& record) {
  std::string out = "record '" + clean_text(record.name) + "'";
  for (const Dimension& dimension : record.dimensions) {
    out += ", " + clean_text(dimension.name) + " ";
    if (const auto* words = std::get_if<std::string>(&dimension.value)) out += clean_text(*words);
    if (const auto* count = std::get_if<int64_t>(&dimension.value)) out += text(*count);
    if (const auto* number = std::get_if<double>(&dimension.value)) out += text(*number);
  }
  return out;
}

[[noreturn]] void refuse(const Record& record, const std::string& what) {
  throw Error(ErrorKind::kInvariant, describe(record) + ": " + what);
}

Json finite(const Record& record, double value, const std::string& what) {
  if (!std::isfinite(value))
    refuse(record, text(what, " is ", value,
                        ", which is no number in JSON; a number that could not be obtained is "
                        "absent and has a reason"));
  return value;
}

Json scalar(const Record& record, const Value& value, const std::string& what) {
  if (const auto* number = std::get_if<double>(&value)) return finite(record, *number, what);
  if (const auto* count = std::get_if<int64_t>(&value)) return *count;
  if (const auto* words = std::get_if<std::string>(&value)) return repair_utf8(*words);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth;
  return nullptr;
}

Json strings(const std::vector<std::pair<std::string, std::string>>& pairs,
             const std::string& where) {
  Json out = Json::object();
  for (const auto& [key, value] : pairs)
    if (!out.emplace(repair_utf8(key), repair_utf8(value)).second)
      throw Error(ErrorKind::kInvariant, where + ": '" + clean_text(key) + "' is given twice");
  return out;
}

/// Groups of facts, as those of the provenance.
template <typename Groups>
Json groups_of(const Groups& groups, const std::string& what) {
  Json out = Json::object();
  for (const auto& [name, facts] : groups)
    if (!out.emplace(repair_utf8(name), strings(facts, what + " of '" + clean_text(name) + "'"))
             .second)
      throw Error(ErrorKind::kInvariant,
                  what + ": group '" + clean_text(name) + "' is given twice");
  return out;
}

Json dimensions_of(const Record& record) {
  Json out = Json::object();
  for (const Dimension& dimension : record.dimensions)
    if (!out.emplace(repair_utf8(dimension.name),
                     scalar(record, dimension.value, "dimension '" + dimension.name + "'"))
             .second)
      refuse(record, "dimension '" + clean_text(dimension.name) + "' is given twice");
  return out;
}

Json json_of(const Record& record) {
  const bool absent = std::holds_alternative<std::monostate>(record.value);
  if (absent == record.absent_reason.empty())
    refuse(record, absent ? "has neither a value nor a reason for having none"
                          : "has a value and a reason for having none");
  Json out;
  out["name"] = repair_utf8(record.name);
  out["dimensions"] = dimensions_of(record);
  out["value"] = scalar(record, record.value, "the value");
  if (absent) out["absent_reason"] = repair_utf8(record.absent_reason);
  out["unit"] = repair_utf8(record.unit);
  if (record.interval)
    out["interval"] = {{"low", finite(record, record.interval->low, "the interval's low end")},
                       {"high", finite(record, record.interval->high, "the interval's high end")},
                       {"level", finite(record, record.interval->level, "the interval's level")},
                       {"method", repair_utf8(record.interval->method)}};
  if (!record.samples.empty()) {
    Json samples = Json::array();
    for (size_t i = 0; i < record.samples.size(); ++i)
      samples.push_back(finite(record, record.samples[i], text("sample ", i)));
    out["samples"] = std::move(samples);
  }
  if (!record.samples_file.empty()) out["samples_file"] = repair_utf8(record.samples_file);
  if (record.higher_is_better) out["higher_is_better"] = *record.higher_is_better;
  if (!record.provenance.empty()) out["provenance"] = strings(record.provenance, describe(record));
  return out;
}

Json json_of(const Verdict& verdict) {
  Json evidence = Json::array();
  for (const Record& record : verdict.evidence) {
    try {
      evidence.push_back(json_of(record));
    } catch (const Error& error) {
      throw error.within("evidence of '" + clean_text(verdict.claim) + "'");
    }
  }
  return {{"claim", repair_utf8(verdict.claim)},
          {"title", repair_utf8(verdict.title)},
          {"statement", repair_utf8(verdict.statement)},
          {"source", repair_utf8(verdict.source)},
          {"kind", verdict_name(verdict.kind)},
          {"reason", repair_utf8(verdict.reason)},
          {"next_step", repair_utf8(verdict.next_step)},
          {"required", verdict.required},
          {"evidence", std::move(evidence)}};
}

/// One element a line: small enough for a diff, plain enough for grep.
template <typename Element>
std::string lines(const std::vector<Element>& elements) {
  std::string out = "[";
  for (size_t i = 0; i < elements.size(); ++i)
    out += (i == 0 ? "\n" : ",\n") + json_of(elements[i]).dump();
  return out + (elements.empty() ? "]" : "\n]");
}

}  // namespace

std::string to_results_json(const Report& report) {
  return escape_line_separators(
      text("{\n\"schema_version\": ", kResultsVersion.major, ",\n\"schema_minor\": ",
           kResultsVersion.minor, ",\n\"run\": ", strings(report.run, "run").dump(1),
           ",\n\"subject\": ", groups_of(report.subject, "subject").dump(1), ",\n\"records\": ",
           lines(report.records), ",\n\"verdicts\": ", lines(report.verdicts), "\n}\n"));
}

std::string to_provenance_json(const Report& report) {
  Json groups = groups_of(report.provenance, "provenance");
  Json warnings = Json::array();
  for (const std::string& warning : report.warnings) warnings.push_back(repair_utf8(warning));
  const Json out = {{"schema_version", 1},
                    {"title", repair_utf8(report.title)},
                    {"provenance", std::move(groups)},
                    {"warnings", std::move(warnings)}};
  return escape_line_separators(out.dump(1) + "\n");
}

}  // namespace plumb::reports
