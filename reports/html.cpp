#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "reports/escape.h"
#include "reports/html_parts.h"
#include "reports/report.h"
#include "reports/style.h"

namespace plumb::reports {
namespace {

void write_head(Markup& out, const Report& report) {
  out.open("head").line();
  out.leaf("meta", {{"charset", "utf-8"}}).line();
  out.leaf("meta", {{"http-equiv", "Content-Security-Policy"},
                    {"content", content_security_policy(style_sheet(), page_script())}})
      .line();
  out.leaf("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}})
      .line();
  out.leaf("meta", {{"name", "color-scheme"}, {"content", "light dark"}}).line();
  out.leaf("meta", {{"name", "referrer"}, {"content", "no-referrer"}}).line();
  out.element("title", report.title).line();
  out.open("style").raw(style_sheet()).close().line();
  out.close().line();
}

void write_header(Markup& out, const Report& report) {
  out.open("header")
      .element("a", {{"class", "skip"}, {"href", "#verdicts"}}, "Skip to the verdicts")
      .line();
  out.element("h1", report.title).line();
  if (!report.subtitle.empty()) out.element("p", {{"class", "subtitle"}}, report.subtitle).line();
  if (!report.headline.empty()) {
    out.open("dl", {{"class", "headline"}}).line();
    for (const auto& [name, value] : report.headline)
      out.open("div").element("dt", name).element("dd", value).close().line();
    out.close().line();
  }
  out.open("nav", {{"aria-label", "Sections"}});
  const auto link = [&](bool there, const char* section, const char* name) {
    if (there) out.text(" ").element("a", {{"href", text("#", section)}}, name);
  };
  link(true, "verdicts", "Verdicts");
  link(has_drawings(report), "figures", "Figures");
  link(!report.verdicts.empty(), "claims", "Claims");
  link(has_tables(report), "tables", "Tables");
  link(!report.method.empty(), "method", "Method");
  link(!report.warnings.empty(), "limits", "Limits");
  link(!report.provenance.empty(), "provenance", "Provenance");
  out.close().close().line();
}

void write_limits(Markup& out, const Report& report) {
  if (report.warnings.empty()) return;
  out.open("section", {{"id", "limits"}, {"aria-labelledby", "limits-heading"}});
  out.element("h2", {{"id", "limits-heading"}}, "What limits these numbers").line();
  out.open("ul", {{"class", "note-list"}}).line();
  for (const std::string& warning : report.warnings) out.element("li", warning).line();
  out.close().close().line();
}

void write_method(Markup& out, const Report& report) {
  if (report.method.empty()) return;
  out.open("section", {{"id", "method"}, {"aria-labelledby", "method-heading"}});
  out.element("h2", {{"id", "method-heading"}}, "Method").line();
  out.open("div", {{"class", "method"}}).line();
  for (const Chapter& chapter : report.method) {
    out.open("section").element("h3", chapter.title).line();
    for (const Paragraph& paragraph : chapter.paragraphs)
      out.element("p", {{"class", paragraph.formula ? "formula" : "words"}}, paragraph.text).line();
    out.close().line();
  }
  out.close().close().line();
}

void write_provenance(Markup& out, const Report& report) {
  if (report.provenance.empty()) return;
  out.open("section", {{"id", "provenance"}, {"aria-labelledby", "provenance-heading"}});
  out.element("h2", {{"id", "provenance-heading"}}, "Provenance").line();
  out.open("div", {{"class", "groups"}}).line();
  for (const auto& [group, facts] : report.provenance) {
    out.open("section").element("h3", group).open("dl").line();
    for (const auto& [key, value] : facts) out.element("dt", key).element("dd", value).line();
    out.close().close().line();
  }
  out.close().close().line();
}

}  // namespace

Ids::Ids() {
  for (const char* section :
       {"verdicts", "figures", "claims", "tables", "method", "limits", "provenance"})
    claim(section);
}

std::string Ids::claim(const std::string& wanted) {
  // What figures and sections derive from their id has to be free as well.
  constexpr const char* kEndings[] = {"", "-heading", "-title", "-desc", "-clip", "-scale"};
  const std::string base = slug(wanted);
  std::string id = base;
  const auto is_taken = [&](const char* ending) { return taken_.count(id + ending) > 0; };
  for (int k = 2; std::any_of(std::begin(kEndings), std::end(kEndings), is_taken); ++k)
    id = text(base, "-", k);
  for (const char* ending : kEndings) taken_.insert(id + ending);
  return id;
}

void open_scroll(Markup& out, const std::string& name) {
  out.open("div",
           {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", name}});
}

std::string to_html(const Report& report) {
  Ids ids;
  Markup out;
  out.raw("<!DOCTYPE html>\n")
      .open("html", {{"xmlns", "http://www.w3.org/1999/xhtml"}, {"lang", "en"}})
      .line();
  write_head(out, report);
  out.open("body").line();
  write_header(out, report);
  out.open("main").line();
  const std::vector<Judged> judged = in_order(report.verdicts, ids);
  write_verdicts(out, report, judged);
  write_figures(out, report, ids);
  write_claims(out, judged);
  write_tables(out, report, ids);
  write_method(out, report);
  write_limits(out, report);
  write_provenance(out, report);
  out.close().line();
  out.open("footer").element(
      "p", text("Every number of this page, with all its digits and samples, is in ",
                "results.json beside it: ", report.records.size(), " records. ",
                "The verdicts are in junit.xml as well."));
  out.close().line();
  // Last, so that it finds the tables; where it may not run, nothing is missing.
  out.open("script").raw(page_script()).close().line();
  out.close().line().close().line();
  return out.str();
}

}  // namespace plumb::reports
