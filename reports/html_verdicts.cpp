#include <algorithm>
#include <array>

#include "base/error.h"
#include "reports/axis.h"
#include "reports/escape.h"
#include "reports/html_parts.h"

namespace plumb::reports {
namespace {

struct Badge {
  VerdictKind kind;
  const char* css_class;
  const char* sign;  ///< says the same as the colour, to those who do not see it
  const char* in_words;
};

/// In the order in which a reader wants to see them.
constexpr std::array<Badge, 6> kBadges{{
    {VerdictKind::kFail, "v-fail", "✕", "failed"},
    {VerdictKind::kInvalid, "v-invalid", "!", "invalid"},
    {VerdictKind::kIncomparable, "v-incomparable", "≠", "incomparable"},
    {VerdictKind::kInconclusive, "v-inconclusive", "?", "inconclusive"},
    {VerdictKind::kPass, "v-pass", "✓", "passed"},
    {VerdictKind::kNotRun, "v-not-run", "–", "not run"},
}};

size_t rank(VerdictKind kind) {
  for (size_t i = 0; i < kBadges.size(); ++i)
    if (kBadges[i].kind == kind) return i;
  return 0;
}

std::string summary(const std::vector<Verdict>& verdicts) {
  std::string out;
  for (const Badge& badge : kBadges) {
    const auto count = std::count_if(verdicts.begin(), verdicts.end(),
                                     [&](const Verdict& v) { return v.kind == badge.kind; });
    if (count > 0) out += text(out.empty() ? "" : ", ", count, " ", badge.in_words);
  }
  return text(verdicts.size(), verdicts.size() == 1 ? " claim: " : " claims: ", out, ".");
}

std::string shown_dimensions(const Record& record) {
  std::string out;
  for (const Dimension& dimension : record.dimensions)
    out += (out.empty() ? "" : ", ") + dimension.name + " " + shown_value(dimension.value);
  return out;
}

void write_evidence(Markup& out, const Verdict& verdict) {
  if (verdict.evidence.empty()) return;
  out.open("details").element("summary",
                              text("Evidence: ", verdict.evidence.size(),
                                   verdict.evidence.size() == 1 ? " number" : " numbers"));
  open_scroll(out, "Evidence for " + verdict.title);
  out.open("table").open("thead").open("tr");
  for (const char* head : {"What", "At"}) out.element("th", {{"scope", "col"}}, head);
  for (const char* head : {"Value", "Interval"})
    out.element("th", {{"scope", "col"}, {"class", "number"}}, head);
  out.element("th", {{"scope", "col"}}, "Unit").close().close().open("tbody");
  for (const Record& record : verdict.evidence) {
    const bool number = std::holds_alternative<double>(record.value) ||
                        std::holds_alternative<int64_t>(record.value);
    out.open("tr").element("td", record.name).element("td", shown_dimensions(record));
    out.element("td", {{"class", number ? "number" : ""}}, shown_value(record));
    out.element("td", {{"class", "number"}}, shown_interval(record));
    out.element("td", record.unit == "1" ? "" : record.unit).close();
  }
  out.close().close().close().close().line();
}

void write_badge(Markup& out, const Verdict& verdict) {
  const Badge& badge = kBadges[rank(verdict.kind)];
  out.open("span", {{"class", text("badge ", badge.css_class)}});
  out.element("i", {{"aria-hidden", "true"}}, badge.sign).text(verdict_name(verdict.kind)).close();
}

std::string title_of(const Verdict& verdict) {
  return verdict.title.empty() ? verdict.claim : verdict.title;
}

void write_row(Markup& out, const Verdict& verdict, const std::string& id) {
  // Roles said aloud: on narrow screens the rows are laid out as blocks, and browsers then forget
  // that they are rows.
  out.open("tr", {{"id", id},
                  {"role", "row"},
                  {"data-claim", verdict.claim},
                  {"data-verdict", std::string(verdict_name(verdict.kind))}});
  out.open("td", {{"class", "which"}, {"role", "cell"}});
  write_badge(out, verdict);
  if (verdict.required) out.element("span", {{"class", "required"}}, "required");
  out.close();
  out.open("th", {{"class", "claim"}, {"role", "rowheader"}, {"scope", "row"}});
  out.element("strong", title_of(verdict));
  if (!verdict.statement.empty()) out.element("span", {{"class", "statement"}}, verdict.statement);
  if (!verdict.source.empty())
    out.element("span", {{"class", "source"}}, "Source: " + verdict.source);
  out.close();
  out.open("td", {{"class", "why"}, {"role", "cell"}})
      .element("span", {{"class", "reason"}}, verdict.reason);
  write_evidence(out, verdict);
  out.close();
  out.element("td", {{"class", "next"}, {"role", "cell"}}, verdict.next_step).close().line();
}

}  // namespace

std::string shown_value(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return readable(*number);
  if (const auto* count = std::get_if<int64_t>(&value))
    return readable(static_cast<double>(*count));
  if (const auto* words = std::get_if<std::string>(&value)) return *words;
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "yes" : "no";
  return "none";
}

std::string shown_value(const Record& record) {
  if (std::holds_alternative<std::monostate>(record.value))
    return "not obtained: " + record.absent_reason;
  return shown_value(record.value);
}

std::string shown_interval(const Record& record) {
  if (!record.interval) return "";
  return readable(record.interval->low) + " to " + readable(record.interval->high);
}

std::vector<Judged> in_order(const std::vector<Verdict>& verdicts, Ids& ids) {
  std::vector<Judged> order;
  for (const Verdict& verdict : verdicts)
    order.push_back({&verdict, ids.claim("claim-" + verdict.claim)});
  std::stable_sort(order.begin(), order.end(), [](const Judged& a, const Judged& b) {
    return rank(a.verdict->kind) < rank(b.verdict->kind);
  });
  return order;
}

void write_verdicts(Markup& out, const Report& report, const std::vector<Judged>& judged) {
  out.open("section", {{"id", "verdicts"}, {"aria-labelledby", "verdicts-heading"}});
  out.element("h2", {{"id", "verdicts-heading"}}, "Verdicts").line();
  if (!report.findings.empty()) {
    out.open("ul", {{"class", "findings"}}).line();
    for (const std::string& finding : report.findings) out.element("li", finding).line();
    out.close().line();
  }
  if (judged.empty()) {
    out.element("p", {{"class", "summary"}}, "No claim was examined in this run.").close().line();
    return;
  }
  out.element("p", {{"class", "summary"}}, summary(report.verdicts)).line();
  out.open("ul", {{"class", "verdict-list"}}).line();
  for (const auto& [verdict, id] : judged) {
    out.open("li");
    write_badge(out, *verdict);
    out.text(" ").element("a", {{"href", "#" + id}}, title_of(*verdict)).close().line();
  }
  out.close().close().line();
}

void write_claims(Markup& out, const std::vector<Judged>& judged) {
  if (judged.empty()) return;
  out.open("section", {{"id", "claims"}, {"aria-labelledby", "claims-heading"}});
  out.element("h2", {{"id", "claims-heading"}}, "Claims in detail").line();
  out.open("table", {{"class", "verdicts"}, {"role", "table"}});
  out.open("thead", {{"role", "rowgroup"}}).open("tr", {{"role", "row"}});
  for (const char* head : {"Verdict", "Claim and test", "What was found", "Next step"})
    out.element("th", {{"scope", "col"}, {"role", "columnheader"}}, head);
  out.close().close().line().open("tbody", {{"role", "rowgroup"}}).line();
  for (const auto& [verdict, id] : judged) write_row(out, *verdict, id);
  out.close().close().close().line();
}

}  // namespace plumb::reports
