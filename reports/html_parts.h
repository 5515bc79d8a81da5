#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/record.h"
#include "base/verdict.h"
#include "reports/markup.h"
#include "reports/report.h"

namespace plumb::reports {

/// Hands out ids that are unique in one page. Those of the page's sections are taken from the
/// start, so that links to them cannot be hijacked by a figure's name.
class Ids {
 public:
  Ids();
  /// `wanted` as a slug, with a number behind it where it is taken. A figure's title, text and clip
  /// path append their own endings to it, so ids that end alike are kept apart as well.
  std::string claim(const std::string& wanted);

 private:
  std::set<std::string> taken_;
};

/// The claims of a page in the order in which a reader wants to see them, each with the id of its
/// detail.
struct Judged {
  const Verdict* verdict;
  std::string id;
};
std::vector<Judged> in_order(const std::vector<Verdict>& verdicts, Ids& ids);

/// A line for each claim, with a link to its detail.
void write_verdicts(Markup& out, const Report& report, const std::vector<Judged>& judged);
/// What was claimed and how it is tested, the numbers, and what to do next.
void write_claims(Markup& out, const std::vector<Judged>& judged);
void write_figures(Markup& out, const Report& report, Ids& ids);
void write_tables(Markup& out, const Report& report, Ids& ids);
bool has_drawings(const Report& report);
bool has_tables(const Report& report);

/// "12-18", or "3;7-9".
std::string ranges(const std::vector<int>& numbers);
/// What a plan does, in words.
std::string reconnection(const PlanRow& row, int blocks);

/// Opens a box that scrolls sideways by itself, reachable by keyboard and named for screen readers.
void open_scroll(Markup& out, const std::string& name);

/// A value for people, "7", "0.5312", "yes", or why there is none.
std::string shown_value(const Record& record);
std::string shown_value(const Value& value);
/// "0.512 to 0.551", or empty.
std::string shown_interval(const Record& record);

}  // namespace plumb::reports
