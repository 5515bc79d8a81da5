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

void write_verdicts(Markup& out, const std::vector<Verdict>& verdicts, Ids& ids);
void write_figures(Markup& out, const Report& report, Ids& ids);

/// Opens a box that scrolls sideways by itself, reachable by keyboard and named for screen readers.
void open_scroll(Markup& out, const std::string& name);

/// A value for people, "7", "0.5312", "yes", or why there is none.
std::string shown_value(const Record& record);
std::string shown_value(const Value& value);
/// "0.512 to 0.551", or empty.
std::string shown_interval(const Record& record);

}  // namespace plumb::reports
