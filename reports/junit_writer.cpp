#include <pugixml.hpp>
#include <set>
#include <sstream>

#include "base/csv.h"
#include "base/error.h"
#include "reports/escape.h"
#include "reports/report.h"

namespace plumb::reports {
namespace {

void set(pugi::xml_node node, const char* name, const std::string& value) {
  node.append_attribute(name).set_value(clean_text(value).c_str());
}

std::string exact(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return shortest(*number);
  if (const auto* count = std::get_if<int64_t>(&value)) return text(*count);
  if (const auto* words = std::get_if<std::string>(&value)) return *words;
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  return "absent";
}

/// "loss_nats[strategy=simple,n=7]".
std::string property_name(const Record& record) {
  std::string inside;
  for (const Dimension& dimension : record.dimensions)
    inside += (inside.empty() ? "" : ",") + dimension.name + "=" + exact(dimension.value);
  return inside.empty() ? record.name : record.name + "[" + inside + "]";
}

std::string property_value(const Record& record) {
  if (std::holds_alternative<std::monostate>(record.value))
    return "absent: " + record.absent_reason;
  std::string out = exact(record.value);
  if (!record.unit.empty() && record.unit != "1") out += " " + record.unit;
  if (record.interval)
    out += text(" [", shortest(record.interval->low), ", ", shortest(record.interval->high),
                "] at ", shortest(record.interval->level));
  return out;
}

/// JUnit's three ways not to pass; none for a pass. What is excused fails nothing.
const char* outcome(const Verdict& verdict) {
  if (!verdict.excused.empty() && verdict.kind != VerdictKind::kPass) return "skipped";
  switch (verdict.kind) {
    case VerdictKind::kPass:
      return nullptr;
    case VerdictKind::kFail:
      return "failure";
    case VerdictKind::kInvalid:
      return "error";
    case VerdictKind::kInconclusive:
    case VerdictKind::kNotRun:
    case VerdictKind::kIncomparable:
      return "skipped";
  }
  return "error";
}

void append_case(pugi::xml_node suite, const Verdict& verdict, const std::string& name) {
  pugi::xml_node test = suite.append_child("testcase");
  set(test, "classname", "plumb.claims");
  set(test, "name", name);
  set(test, "time", "0");
  pugi::xml_node properties = test.append_child("properties");
  const auto property = [&](const std::string& key, const std::string& value) {
    pugi::xml_node node = properties.append_child("property");
    set(node, "name", key);
    set(node, "value", value);
  };
  property("verdict", std::string(verdict_name(verdict.kind)));
  if (!verdict.title.empty()) property("title", verdict.title);
  if (verdict.required) property("required", "true");
  for (const Record& record : verdict.evidence)
    property(property_name(record), property_value(record));
  if (const char* element = outcome(verdict)) {
    pugi::xml_node node = test.append_child(element);
    const std::string excuse = verdict.excused.empty() ? "" : " (" + verdict.excused + ")";
    set(node, "message", text(verdict_name(verdict.kind), excuse, ": ", verdict.reason));
    if (verdict.excused.empty() &&
        (verdict.kind == VerdictKind::kFail || verdict.kind == VerdictKind::kInvalid))
      set(node, "type", std::string(verdict_name(verdict.kind)));
    const std::string body =
        verdict.statement + (verdict.next_step.empty() ? "" : "\nNext: " + verdict.next_step);
    node.append_child(pugi::node_pcdata).set_value(clean_text(body).c_str());
  }
}

}  // namespace

std::string to_junit_xml(const Report& report) {
  pugi::xml_document document;
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "UTF-8";
  pugi::xml_node suites = document.append_child("testsuites");
  pugi::xml_node suite = suites.append_child("testsuite");

  size_t failures = 0, errors = 0, skipped = 0;
  for (const Verdict& verdict : report.verdicts) {
    const std::string kind = outcome(verdict) ? outcome(verdict) : "";
    failures += kind == "failure", errors += kind == "error", skipped += kind == "skipped";
  }
  for (pugi::xml_node node : {suites, suite}) {
    set(node, "name", report.title.empty() ? "plumb" : report.title);
    set(node, "tests", text(report.verdicts.size()));
    set(node, "failures", text(failures));
    set(node, "errors", text(errors));
    set(node, "skipped", text(skipped));
    set(node, "time", "0");
  }
  std::set<std::string> taken;
  for (const Verdict& verdict : report.verdicts) {
    const std::string wanted = clean_text(verdict.claim.empty() ? "unnamed" : verdict.claim);
    std::string name = wanted;
    for (int k = 2; !taken.insert(name).second; ++k) name = text(wanted, " (", k, ")");
    append_case(suite, verdict, name);
  }
  std::ostringstream out;
  document.save(out, " ", pugi::format_default, pugi::encoding_utf8);
  return out.str();
}

}  // namespace plumb::reports
