// Which metrics the tolerances name, and the evidence of each.

#include <algorithm>
#include <set>

#include "base/error.h"
#include "harness/cli/console.h"
#include "harness/gate/evidence.h"

namespace plumb::harness {
namespace {

using Kind = Metric::Kind;

/// Tasks of both sides, the baseline's first.
std::vector<std::string> tasks_of(const GateContext& context) {
  std::vector<std::string> out;
  for (const GateSnapshot* side : {&context.baseline, &context.candidate})
    if (side->answers)
      for (const TaskLog& task : side->answers->tasks)
        if (std::ranges::find(out, task.task) == out.end()) out.push_back(task.task);
  return out;
}

std::set<std::string> plans_of(const GateSnapshot& side, const NamedMetric& metric) {
  std::set<std::string> out;
  for (const DocumentSeries& s : side.documents)
    if (s.metric == metric.metric.record) out.insert(s.plan);
  for (const RepeatedSeries& s : side.repeated)
    if (s.metric == metric.metric.record) out.insert(s.plan);
  for (const Estimate& e : side.estimates)
    if (e.metric == metric.metric.record && (metric.of.empty() || e.task == metric.of))
      out.insert(e.plan);
  if (side.answers && metric.metric.kind == Kind::kAnswers)
    for (const TaskLog& task : side.answers->tasks)
      if (task.task == metric.of)
        for (const LoggedPlan& plan : task.plans) out.insert(plan.name());
  return out;
}

/// The stem of a text's file is TEXT, or begins with it: "c4" names c4_en_validation.jsonl.
bool is_text(const GateSnapshot& side, const std::string& asked) {
  const auto file = side.loss.find("file");
  if (file == side.loss.end() || file->second.rfind(asked, 0) != 0) return false;
  const std::string rest = file->second.substr(asked.size());
  return rest.empty() || rest[0] == '.' || rest[0] == '_' || rest[0] == '-';
}

Evidence evidence_of(const GateContext& context, const NamedMetric& metric,
                     const Tolerance& tolerance) {
  switch (metric.metric.kind) {
    case Kind::kDocuments:
      if (!metric.of.empty() && !is_text(context.baseline, metric.of) &&
          !is_text(context.candidate, metric.of))
        return missing(context, metric, tolerance, false, false);
      return document_evidence(context, metric, tolerance);
    case Kind::kAnswers:
      return answer_evidence(context, metric, tolerance);
    case Kind::kTimes:
      return time_evidence(context, metric, tolerance);
    case Kind::kBytes:
      return byte_evidence(context, metric, tolerance);
    case Kind::kEstimate:
      return estimate_evidence(context, metric, tolerance);
  }
  throw Error(ErrorKind::kInternal, "a metric of no kind");
}

void require_direction(const Metric& metric, const Tolerance& tolerance) {
  if (metric.worse != 0 && tolerance.sign != 0 && tolerance.sign != metric.worse)
    throw Error(ErrorKind::kUsage,
                text("tolerance '", printable(tolerance.text()), "': ", metric.name,
                     " gets worse when it ", metric.worse > 0 ? "rises" : "falls",
                     "; needed is a limit with ", metric.worse > 0 ? "+" : "-", ", or no sign"));
}

/// One tolerance for each plan that both have, where it is [*].
std::vector<Tolerance> one_plan_each(const GateContext& context, const NamedMetric& metric,
                                     Tolerance tolerance) {
  if (tolerance.plan != "*") return {tolerance};
  const auto a = plans_of(context.baseline, metric), b = plans_of(context.candidate, metric);
  std::vector<Tolerance> out;
  for (const std::string& plan : a)
    if (b.contains(plan)) {
      tolerance.plan = plan;
      out.push_back(tolerance);
    }
  if (out.empty()) out.push_back(tolerance);  // NOT RUN, by its name
  return out;
}

void add_evidence(const GateContext& context, const Tolerance& given, std::vector<Evidence>& out) {
  const auto found = find_metric(given.metric);
  if (!found)
    throw Error(ErrorKind::kUsage, text("there is no metric '", printable(given.metric),
                                        "'; needed is one of ", known_metrics()));
  require_direction(found->metric, given);
  std::vector<std::string> of = {found->of};
  if (found->of == "*") of = tasks_of(context);
  if (of.empty()) of.push_back("*");
  for (const std::string& task : of) {
    NamedMetric metric = *found;
    metric.of = task;
    Tolerance tolerance = given;
    if (!task.empty()) tolerance.metric = task + "." + metric.metric.name;
    for (const Tolerance& one : one_plan_each(context, metric, tolerance)) {
      const auto same = [&](const Evidence& e) {
        return e.finding.tolerance.name() == one.name() &&
               e.finding.tolerance.relative == one.relative;
      };
      // What is named by itself wins over what a * found.
      if (const auto before = std::ranges::find_if(out, same); before != out.end())
        *before = evidence_of(context, metric, one);
      else
        out.push_back(evidence_of(context, metric, one));
    }
  }
}

}  // namespace

std::vector<Evidence> evidence_for(const GateContext& context,
                                   const std::vector<Tolerance>& tolerances) {
  std::vector<Evidence> out;
  for (const Tolerance& tolerance : tolerances) add_evidence(context, tolerance, out);
  return out;
}

}  // namespace plumb::harness
