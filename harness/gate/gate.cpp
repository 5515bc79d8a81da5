#include "harness/gate/gate.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/statistics/multiplicity.h"
#include "base/statistics/rank_sum.h"
#include "base/statistics/sample_size.h"
#include "harness/cli/console.h"
#include "harness/gate/evidence.h"

namespace plumb::harness {
namespace {

constexpr double kPower = 0.8;
using Kind = Metric::Kind;

// Which metrics a tolerance names -------------------------------------------------------------------------------------

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

// Verdicts -----------------------------------------------------------------------------------------------------------

std::string shown(double value, const std::string& unit) {
  return unit == "bytes" ? bytes_text(static_cast<uint64_t>(value)) : number_text(value);
}

std::string change_text(double value, bool relative, int digits = 3) {
  const std::string number = number_text(relative ? 100 * value : value, digits);
  return (value > 0 ? "+" : "") + number + (relative ? " %" : "");
}

/// "2.918 to 2.941 nats: +0.79 % [+0.61 %, +0.98 %] over 24 documents; ".
std::string found_text(const Finding& f) {
  const bool relative = f.tolerance.relative;
  std::string out = text(shown(*f.baseline, f.unit), " to ", shown(*f.candidate, f.unit),
                         f.unit == "1" || f.unit == "bytes" ? "" : " " + f.unit, ": ",
                         change_text(*f.change, relative));
  if (f.interval)
    out += text(" [", change_text(f.interval->low, relative), ", ",
                change_text(f.interval->high, relative), "]");
  if (f.samples > 0) out += text(" over ", f.samples, " ", f.sample, f.samples == 1 ? "" : "s");
  return out + "; ";
}

std::string limit_text(const Tolerance& t) {
  return text("the tolerance of ",
              t.sign > 0   ? "+"
              : t.sign < 0 ? "-"
                           : "",
              number_text(t.relative ? 100 * t.limit : t.limit), t.relative ? " %" : "");
}

/// Samples at which no change is shown within, and twice the tolerance beyond it.
void plan_samples(Evidence& e, double alpha, int64_t tests) {
  if (!e.deviation || e.finding.samples < 2 || !(e.distance > 0)) return;
  const double level = alpha / static_cast<double>(std::max<int64_t>(1, tests));
  const double bound =
      e.deviation_is_bound ? *e.deviation : deviation_bound(*e.deviation, e.finding.samples);
  auto enough = units_to_tell(bound, e.distance, level, kPower);
  if (!enough) return;
  *enough = std::max(*enough, e.least_samples);
  if (e.timed)
    while (least_rank_sum_p(*enough, *enough) > level) ++*enough;
  e.finding.enough = enough;
}

void say_inconclusive(Evidence& e, const std::string& why, double alpha, int64_t tests) {
  Finding& f = e.finding;
  Verdict& v = f.verdict;
  v.kind = VerdictKind::kInconclusive;
  v.reason = found_text(f) + why;
  if (f.enough && *f.enough > f.samples) {
    f.more = *f.enough - f.samples;
    v.next_step = text("about ", *f.more, " more ", f.sample, "s (", *f.enough,
                       " in all) show no change within the tolerance, and one of twice the "
                       "tolerance beyond it, with 80 % power each");
    return;
  }
  const double level = alpha / static_cast<double>(std::max<int64_t>(1, tests));
  std::optional<int64_t> needed;
  if (e.deviation && std::abs(e.beyond) > 0)
    needed = units_to_tell(*e.deviation, std::abs(e.beyond), level, kPower);
  if (needed && *needed > f.samples) {
    f.more = *needed - f.samples;
    v.next_step = text("the change is near the tolerance: about ", *f.more, " more ", f.sample,
                       "s would decide if it stays as it is");
    return;
  }
  v.next_step = f.sample.empty() ? "more questions narrow both intervals"
                                 : "measure again: another run of this size may decide";
}

void decide(Evidence& e, double alpha, int64_t tests) {
  Finding& f = e.finding;
  Verdict& v = f.verdict;
  if (f.noise_floor && *f.noise_floor > 0 && f.tolerance.limit <= *f.noise_floor) {
    v.kind = VerdictKind::kInvalid;
    v.reason = text(found_text(f), "two runs of the baseline differ by ",
                    change_text(*f.noise_floor, f.tolerance.relative), ", ",
                    limit_text(f.tolerance), " is not above that");
    v.next_step = "give a tolerance above the noise, or make the noise smaller";
    return;
  }
  const bool few = f.p && f.samples > 0 && f.samples < e.least_samples;
  if (few) return say_inconclusive(e, text("needed are at least ", e.least_samples), alpha, tests);
  if (e.high <= 0) {
    v.kind = VerdictKind::kPass;
    v.reason = found_text(f) + "within " + limit_text(f.tolerance);
    return;
  }
  std::string p;
  if (f.p_holm) {
    const std::string word = p_text(*f.p_holm);
    p = text(", p ", word.starts_with("<") ? "" : "= ", word, " after Holm");
  }
  if (e.low > 0 && (!f.p_holm || *f.p_holm <= alpha)) {
    if (e.timed && !f.noise_floor) {
      say_inconclusive(e,
                       text("beyond ", limit_text(f.tolerance), p,
                            ", but it is not known what two runs of the baseline differ by"),
                       alpha, tests);
      f.more.reset();
      v.next_step =
          "make the baseline from two runs: plumb baseline update --from RUN --from ANOTHER";
      return;
    }
    v.kind = VerdictKind::kFail;
    v.reason = found_text(f) + "beyond " + limit_text(f.tolerance) + p;
    v.next_step = "find what made it worse; a wider tolerance or a waiver has to be argued for";
    return;
  }
  say_inconclusive(e,
                   e.low > 0 ? text("beyond ", limit_text(f.tolerance), ", but", p.substr(1))
                             : "on both sides of " + limit_text(f.tolerance),
                   alpha, tests);
}

void correct_for_all(std::vector<Evidence>& all, GateResult& result) {
  std::vector<double> p;
  for (const Evidence& e : all)
    if (!e.refused && e.finding.p) p.push_back(*e.finding.p);
  result.tests = static_cast<int64_t>(p.size());
  const std::vector<double> adjusted = holm(p);
  size_t k = 0;
  for (Evidence& e : all)
    if (!e.refused && e.finding.p) e.finding.p_holm = adjusted[k++];
}

std::vector<Record> evidence_records(const Finding& f) {
  std::vector<Record> out;
  const auto add = [&](const char* name, const std::optional<double>& value,
                       const std::string& unit) -> Record* {
    if (!value) return nullptr;
    out.push_back({.name = name,
                   .dimensions = {{"metric", f.tolerance.name()}},
                   .value = *value,
                   .unit = unit});
    return &out.back();
  };
  add("baseline", f.baseline, f.unit);
  add("candidate", f.candidate, f.unit);
  if (Record* change = add("change", f.change, f.tolerance.relative ? "1" : f.unit))
    change->interval = f.interval;
  add("p_holm", f.p_holm, "1");
  return out;
}

/// Name and statement; and whether a failure counts.
void complete(Finding& f, const GateConfig& config, const GateContext& context,
              GateResult& result) {
  Verdict& v = f.verdict;
  v.claim = "gate." + f.tolerance.name();
  v.title = f.tolerance.name();
  v.statement =
      text("The candidate's ", f.tolerance.name(),
           " is not worse than the baseline's by more than ", limit_text(f.tolerance), ".");
  v.source = text(context.baseline.source, " and ", context.candidate.source);
  v.evidence = evidence_records(f);
  if (f.tolerance.severity == Severity::kWarn) v.excused = "severity warn";
  const Waiver* waiver = waiver_for(config, f.tolerance, context.candidate.model_sha256());
  if (waiver == nullptr) return;
  if (waiver->until < context.options.today) {
    result.notes.push_back(text("the waiver of ", waiver->metric, " expired on ", waiver->until,
                                ": ", waiver->reason));
    return;
  }
  if (v.kind == VerdictKind::kFail)
    v.excused = text("waived until ", waiver->until, ": ", waiver->reason);
}

/// What makes every comparison meaningless, as one finding each.
void add_refusals(const GateContext& context, std::vector<Evidence>& out) {
  const auto add = [&](const char* name, VerdictKind kind, const std::string& reason,
                       const char* next_step) {
    Tolerance whole;
    whole.metric = name;
    out.push_back(refused(whole, kind, reason, next_step));
  };
  for (const auto& [name, side] :
       {std::pair("baseline", &context.baseline), std::pair("candidate", &context.candidate)})
    for (const std::string& why : side->invalid)
      add(name, VerdictKind::kInvalid, printable(why), "repair it and run again");
  std::vector<std::string> may_differ = {"name", "sha256", "blocks"};
  if (context.options.same_model) may_differ = {"name"};
  if (const std::string other =
          first_difference(context.baseline.model, context.candidate.model, may_differ);
      !other.empty())
    add("model", VerdictKind::kIncomparable, "another model, " + printable(other),
        "compare models of one architecture, width and vocabulary");
}

}  // namespace

GateResult judge_gate(const GateSnapshot& baseline, const GateSnapshot& candidate,
                      const GateConfig& config, const GateOptions& options) {
  const GateContext context{baseline, candidate, options, config.alpha};
  GateResult result;
  result.alpha = config.alpha;
  std::vector<Evidence> all;
  add_refusals(context, all);
  if (all.empty()) {
    for (const Tolerance& tolerance : tolerances_for(config, candidate.model_sha256()))
      add_evidence(context, tolerance, all);
    // A default that neither run has anything to say about is no demand of anybody.
    std::erase_if(all, [](const Evidence& e) {
      return e.finding.tolerance.by_default && e.refused &&
             e.finding.verdict.reason.rfind("it is in neither run", 0) == 0;
    });
    if (baseline.model_sha256() != candidate.model_sha256())
      result.notes.push_back(text("the candidate has other weights than the baseline (sha256 ",
                                  baseline.model_sha256().substr(0, 12), " and ",
                                  candidate.model_sha256().substr(0, 12), ")"));
  }
  correct_for_all(all, result);
  for (Evidence& e : all) {
    plan_samples(e, config.alpha, result.tests);
    if (!e.refused) decide(e, config.alpha, result.tests);
    complete(e.finding, config, context, result);
    result.findings.push_back(std::move(e.finding));
  }
  return result;
}

std::vector<Verdict> verdicts_of(const GateResult& result) {
  std::vector<Verdict> out;
  for (const Finding& f : result.findings) out.push_back(f.verdict);
  return out;
}

int gate_exit_code(const GateResult& result, int inconclusive) {
  const int code = exit_code(verdicts_of(result));
  const bool tested = std::ranges::any_of(result.findings, [](const Finding& f) {
    const VerdictKind kind = f.verdict.kind;
    return kind == VerdictKind::kPass || kind == VerdictKind::kFail ||
           kind == VerdictKind::kInconclusive;
  });
  if (code == 0 || code == 3) return !tested ? 3 : code == 3 ? inconclusive : 0;
  return code;
}

}  // namespace plumb::harness
