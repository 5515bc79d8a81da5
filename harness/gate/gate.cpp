#include "harness/gate/gate.h"

#include <algorithm>

#include "base/error.h"
#include "base/statistics/multiplicity.h"
#include "harness/cli/console.h"
#include "harness/gate/evidence.h"

namespace plumb::harness {
namespace {

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
    all = evidence_for(context, tolerances_for(config, candidate.model_sha256()));
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
    if (!e.refused) decide_evidence(e, config.alpha, result.tests);
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
