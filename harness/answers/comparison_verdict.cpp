#include "harness/answers/comparison_verdict.h"

#include "base/error.h"
#include "harness/cli/console.h"

namespace plumb::harness {
namespace {

/// "smoke, acc, similarity:7" or "…, simple:7 of A and similarity:7 of B".
std::string title(const Comparison& c) {
  std::string out = c.task;
  if (!c.metric.empty()) out += " " + c.metric;
  if (c.plans.a.empty()) return out;
  return out +
         (c.plans.a == c.plans.b ? " " + c.plans.a : text(" ", c.plans.a, " and ", c.plans.b));
}

std::vector<Record> evidence(const Comparison& c) {
  const std::vector<Dimension> where{
      {"task", c.task}, {"metric", c.metric}, {"plan_a", c.plans.a}, {"plan_b", c.plans.b}};
  std::vector<Record> out;
  const auto add = [&](const char* name, Value value, const char* unit) -> Record& {
    Record& record = out.emplace_back();
    record.name = name;
    record.dimensions = where;
    record.value = std::move(value);
    record.unit = unit;
    return record;
  };
  add("questions", c.counts.questions(), "1");
  add("accuracy_a", c.accuracy_a, "1").interval = c.interval_a;
  add("accuracy_b", c.accuracy_b, "1").interval = c.interval_b;
  add("accuracy_difference", c.difference, "1").interval = c.deciding();
  add("mcnemar_p", c.p, "1");
  add("mcnemar_p_holm", c.p_holm, "1");
  if (c.log_share)
    add("log_share_difference", c.log_share->mean, "nats").interval =
        c.log_share->clustered && !c.fixed_groups ? *c.log_share->clustered : c.log_share->interval;
  return out;
}

void decide(Comparison& c, const CompareOptions& options) {
  const double limit = -options.margin;
  const std::string found =
      text(number_text(c.accuracy_a), " of A, ", number_text(c.accuracy_b),
           " of B: ", number_text(c.difference, 3), " ", interval_text(c.deciding()), " over ",
           c.counts.questions(), " questions; ");
  Verdict& verdict = c.verdict;
  if (c.non_inferiority.shown) {
    verdict.kind = VerdictKind::kPass;
    verdict.reason = text(found, "lower bound ", number_text(c.non_inferiority.lower_bound, 3),
                          " is above ", limit);
    return;
  }
  if (c.p_inferior_holm <= options.alpha) {
    verdict.kind = VerdictKind::kFail;
    verdict.reason = text(found, "upper bound ", number_text(c.upper_bound, 3), " is below ", limit,
                          ", p = ", number_text(c.p_inferior_holm, 2), " after Holm");
    verdict.next_step = "B answers fewer questions right; a wider --margin has to be argued for";
    return;
  }
  verdict.kind = VerdictKind::kInconclusive;
  verdict.reason =
      c.p_inferior <= options.alpha
          ? text(found, "below ", limit,
                 " on its own, but with p = ", number_text(c.p_inferior_holm, 2),
                 " after Holm over all comparisons")
          : text(found, "bounds ", number_text(c.non_inferiority.lower_bound, 3), " and ",
                 number_text(c.upper_bound, 3), " are on both sides of ", limit);
  verdict.next_step = c.more_questions
                          ? text("about ", *c.more_questions,
                                 " more questions, answered as these were, would decide")
                          : "no number of questions would decide: the difference is at the margin";
}

}  // namespace

void judge(Comparison& c, const CompareOptions& options) {
  Verdict& verdict = c.verdict;
  verdict.title = title(c);
  verdict.claim = "compare";
  for (const std::string& part : {c.task, c.metric, c.plans.a, c.plans.b})
    if (!part.empty()) verdict.claim += "." + part;
  verdict.statement =
      text("The accuracy of B is below that of A by less than ", options.margin, ": the one-sided ",
           number_text(100 * (1 - options.alpha)),
           " % bounds of the paired difference B - A (Tango's score, cluster-robust where the log "
           "has a sample of clusters) lie above ",
           -options.margin, " (PASS) or below it, after Holm over all comparisons (FAIL).");
  verdict.source = "paired answers of both logs";
  if (c.metric.empty()) return;
  verdict.evidence = evidence(c);
  decide(c, options);
}

}  // namespace plumb::harness
