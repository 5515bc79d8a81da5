#include <algorithm>
#include <array>

#include "base/error.h"
#include "reports/escape.h"
#include "reports/report.h"

namespace plumb::reports {
namespace {

constexpr size_t kLongestCell = 400;       ///< characters; the page has the rest
constexpr size_t kLongestComment = 60000;  ///< GitHub takes 65,536

std::string cell(const std::string& words) {
  return escape_markdown(shorten(clean_text(words), kLongestCell));
}

const char* sign(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kPass:
      return "✅";
    case VerdictKind::kFail:
      return "❌";
    case VerdictKind::kInvalid:
      return "⛔";
    case VerdictKind::kIncomparable:
      return "🚫";
    case VerdictKind::kInconclusive:
      return "❔";
    case VerdictKind::kNotRun:
      return "➖";
  }
  return "";
}

std::string verdict_row(const Verdict& v) {
  return text("| ", sign(v.kind), " ", verdict_name(v.kind), v.required ? " (required)" : "", " | ",
              cell(v.title.empty() ? v.claim : v.title), " | ", cell(v.reason), " | ",
              cell(v.next_step), " |\n");
}

std::string list(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += text("- ", cell(line), "\n");
  return out;
}

std::string table(const Table& t) {
  std::string out = text("\n<details><summary>", escape_markup(t.title), "</summary>\n\n|");
  for (const std::string& column : t.columns) out += text(" ", cell(column), " |");
  out += "\n|";
  for (size_t i = 0; i < t.columns.size(); ++i)
    out += i < t.numeric.size() && t.numeric[i] ? " --: |" : " --- |";
  out += "\n";
  for (const auto& row : t.rows) {
    out += "|";
    for (const std::string& one : row) out += text(" ", cell(one), " |");
    out += "\n";
  }
  return text(out, "\n", cell(t.caption), "\n\n</details>\n");
}

}  // namespace

std::string to_markdown(const Report& report) {
  std::string out = text("## ", cell(report.title), "\n\n");
  if (!report.subtitle.empty()) out += cell(report.subtitle) + "\n\n";
  out += list(report.findings);
  if (!report.findings.empty()) out += "\n";
  std::vector<const Verdict*> order;
  for (const Verdict& verdict : report.verdicts) order.push_back(&verdict);
  // What failed is read first, and passes need no reading.
  const auto rank = [](const Verdict* v) { return v->kind == VerdictKind::kPass ? 1 : 0; };
  std::stable_sort(order.begin(), order.end(),
                   [&](const Verdict* a, const Verdict* b) { return rank(a) < rank(b); });
  out += "| verdict | claim | what was found | next step |\n| --- | --- | --- | --- |\n";
  for (const Verdict* verdict : order) out += verdict_row(*verdict);
  if (!report.headline.empty()) {
    out += "\n| | |\n| --- | --: |\n";
    for (const auto& [name, value] : report.headline)
      out += text("| ", cell(name), " | ", cell(value), " |\n");
  }
  if (!report.warnings.empty()) out += "\nWhat limits these numbers:\n\n" + list(report.warnings);
  size_t left_out = 0;
  for (const Figure& figure : report.figures) {
    const auto* one = std::get_if<Table>(&figure);
    if (one == nullptr) continue;
    const std::string shown = table(*one);
    if (out.size() + shown.size() > kLongestComment)
      ++left_out;
    else
      out += shown;
  }
  if (left_out > 0)
    out += text("\n", left_out, left_out == 1 ? " table is" : " tables are",
                " left out; report.html has everything.\n");
  return out;
}

}  // namespace plumb::reports
