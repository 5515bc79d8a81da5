#include <algorithm>

#include "base/error.h"
#include "harness/answers/comparison.h"

namespace plumb::harness {
namespace {

using Names = std::vector<std::string>;

bool holds(const Names& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

/// Names of all plans of the tasks that are compared, in the order of the log.
Names plan_names(const AnswerLog& log, const CompareOptions& options) {
  Names names;
  for (const TaskLog& task : log.tasks) {
    if (!options.tasks.empty() && !holds(options.tasks, task.task)) continue;
    for (const LoggedPlan& plan : task.plans)
      if (!holds(names, plan.name())) names.push_back(plan.name());
  }
  return names;
}

std::string listed(const Names& names) {
  constexpr size_t kMost = 12;
  std::string out;
  for (size_t i = 0; i < std::min(names.size(), kMost); ++i)
    out += (out.empty() ? "" : ", ") + names[i];
  return names.size() > kMost ? text(out, " and ", names.size() - kMost, " more") : out;
}

void require_held(const Names& names, const std::string& asked, const char* log) {
  if (!asked.empty() && !holds(names, asked))
    throw Error(ErrorKind::kUsage,
                text("log ", log, " has no plan '", asked, "'; it has ", listed(names)));
}

/// The plan of one log that goes with `partner` of the other.
std::string partner_of(const std::string& partner, const Names& names, const char* log,
                       const char* flag) {
  if (names.size() == 1) return names.front();
  if (holds(names, partner)) return partner;
  throw Error(ErrorKind::kUsage, text("log ", log, " has ", names.size(), " plans, none of them ",
                                      partner, "; name one with ", flag, ": ", listed(names)));
}

}  // namespace

ChosenPairs choose_pairs(const AnswerLog& a, const AnswerLog& b, const CompareOptions& options) {
  const Names in_a = plan_names(a, options), in_b = plan_names(b, options);
  if (in_a.empty() || in_b.empty()) return {};  // no such task: said of each task
  require_held(in_a, options.plan_a, "A");
  require_held(in_b, options.plan_b, "B");
  std::string first = options.plan_a, second = options.plan_b;
  if (first.empty() && in_a.size() == 1) first = in_a.front();
  if (second.empty() && in_b.size() == 1) second = in_b.front();
  ChosenPairs out;
  if (!first.empty() || !second.empty()) {
    if (first.empty()) first = partner_of(second, in_a, "A", "--plan-a");
    if (second.empty()) second = partner_of(first, in_b, "B", "--plan-b");
    out.pairs.push_back({first, second});
    return out;
  }
  for (const std::string& name : in_a) {
    if (holds(in_b, name))
      out.pairs.push_back({name, name});
    else
      out.only_in_a.push_back(name);
  }
  std::ranges::copy_if(in_b, std::back_inserter(out.only_in_b),
                       [&](const std::string& name) { return !holds(in_a, name); });
  if (out.pairs.empty())
    throw Error(ErrorKind::kUsage,
                text("the logs have no plan of the same name; name one of each with --plan-a (",
                     listed(in_a), ") and --plan-b (", listed(in_b), ")"));
  return out;
}

}  // namespace plumb::harness
