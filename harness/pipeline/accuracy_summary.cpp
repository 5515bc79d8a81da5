#include "harness/pipeline/accuracy_summary.h"

#include <algorithm>
#include <map>
#include <span>

#include "base/error.h"
#include "base/statistics/answers.h"
#include "base/statistics/proportion.h"
#include "harness/cli/console.h"

namespace plumb::harness {
namespace {

constexpr double kAlpha = 0.05;

void require_whole(const AnsweredTask& a) {
  const size_t needed = a.right.empty() ? 0 : a.right[0].size();
  bool fits = needed > 0 && a.right.size() == a.plans.size() && a.block_count > 0;
  for (const auto& row : a.right) fits = fits && row.size() == needed;
  if (a.role != ClusterRole::kNone) fits = fits && a.clusters.size() == needed;
  if (!fits)
    throw Error(ErrorKind::kInvariant,
                text("the answers to task ", a.task, " are ", a.right.size(), " rows for ",
                     a.plans.size(), " plans, of unequal length or empty; needed is one a plan"));
}

/// A task whose clusters are one, or one a question, has none that matter.
void drop_idle_clusters(AnsweredTask& a) {
  if (a.role == ClusterRole::kNone) return;
  auto sorted = a.clusters;
  std::sort(sorted.begin(), sorted.end());
  const auto count = std::unique(sorted.begin(), sorted.end()) - sorted.begin();
  if (count < 2 || count == static_cast<std::ptrdiff_t>(sorted.size())) a.role = ClusterRole::kNone;
}

std::vector<GroupCount> groups_of(const AnsweredTask& a, const std::vector<uint8_t>& right) {
  std::map<int64_t, GroupCount> groups;
  for (size_t q = 0; q < right.size(); ++q) {
    GroupCount& group = groups[a.role == ClusterRole::kGroups ? a.clusters[q] : 0];
    group.right += right[q];
    ++group.questions;
  }
  std::vector<GroupCount> out;
  for (const auto& [cluster, group] : groups) out.push_back(group);
  return out;
}

PlanAccuracy accuracy_of(const AnsweredTask& a, size_t plan, std::optional<size_t> whole,
                         const SummaryOptions& options) {
  const std::vector<uint8_t>& right = a.right[plan];
  require_answers(right);
  PlanAccuracy out;
  out.right = std::count(right.begin(), right.end(), uint8_t{1});
  out.averages = averages(groups_of(a, right));
  out.accuracy = out.averages.micro;
  out.interval = accuracy_interval(out.right, a.questions());
  if (a.role != ClusterRole::kNone)
    out.other_interval = clustered_accuracy_interval(right, a.clusters);
  if (a.role == ClusterRole::kSample) std::swap(out.interval, *out.other_interval);
  out.p_above_chance = p_not_above_chance(out.right, a.questions(), a.chance);
  if (whole)
    out.calibrated = calibrated_accuracy(right, a.right[*whole], a.chance,
                                         {.draws = options.draws, .seed = options.seed});
  return out;
}

/// Why the whole model is not above chance, or empty.
std::string chance_reason(const AccuracySummary& s, std::optional<size_t> whole) {
  if (!whole)
    return "the whole model (n = 0) was not asked, so nothing says where the curve begins";
  const AnsweredTask& a = s.answered;
  const PlanAccuracy& plan = s.plans[*whole];
  const std::string found =
      text("the whole model answers ", plan.right, " of ", a.questions(), " right, ",
           number_text(plan.accuracy, 3), ", and chance is ", number_text(a.chance, 3));
  if (plan.p_above_chance > kAlpha)
    return text(found, " (one-sided p = ", number_text(plan.p_above_chance, 3),
                "): what is at chance cannot collapse");
  if (a.role != ClusterRole::kSample) return "";
  const double low = clustered_accuracy_interval(a.right[*whole], a.clusters, 1 - 2 * kAlpha).low;
  return low > a.chance ? ""
                        : text(found, "; with questions of one ", a.cluster_field,
                               " taken together its lower bound is ", number_text(low, 3),
                               ": what is at chance cannot collapse");
}

/// Clusters that intervals take into account.
std::span<const int64_t> dependent(const AnsweredTask& a) {
  if (a.role != ClusterRole::kSample) return {};
  return a.clusters;
}

PlanComparison compare(const AnsweredTask& a, size_t plan, size_t against) {
  return {plan, against, summarise_pair(a.right[plan], a.right[against], dependent(a))};
}

/// The comparisons from `begin` on are one family.
void adjust(std::vector<PlanComparison>& comparisons, size_t begin) {
  std::vector<PairedSummary*> family;
  for (size_t i = begin; i < comparisons.size(); ++i) family.push_back(&comparisons[i].pair);
  adjust_family(family);
}

std::vector<std::string> strategies_of(const AnsweredTask& a) {
  std::vector<std::string> out;
  for (const AnsweredPlan& plan : a.plans)
    if (std::find(out.begin(), out.end(), plan.strategy) == out.end()) out.push_back(plan.strategy);
  return out;
}

std::vector<size_t> plans_by_n(const AnsweredTask& a, const std::string& strategy) {
  std::map<int64_t, size_t> by_n;
  for (size_t i = 0; i < a.plans.size(); ++i)
    if (a.plans[i].strategy == strategy) by_n.emplace(a.plans[i].n, i);
  std::vector<size_t> out;
  for (const auto& [n, plan] : by_n) out.push_back(plan);
  return out;
}

void compare_strategy(AccuracySummary& s, const AccuracyCurve& curve, std::optional<size_t> whole,
                      const std::vector<size_t>& simple) {
  const AnsweredTask& a = s.answered;
  const size_t first_whole = s.against_whole.size(), first_simple = s.against_simple.size();
  for (const size_t plan : curve.plans) {
    if (a.plans[plan].n == 0) continue;
    if (whole) s.against_whole.push_back(compare(a, plan, *whole));
    for (const size_t other : simple)
      if (a.plans[other].n == a.plans[plan].n && a.plans[other].removed != a.plans[plan].removed)
        s.against_simple.push_back(compare(a, plan, other));
  }
  adjust(s.against_whole, first_whole);
  adjust(s.against_simple, first_simple);
}

/// [questions, points] of a curve.
std::vector<uint8_t> answers_of(const AnsweredTask& a, const std::vector<size_t>& plans) {
  std::vector<uint8_t> out;
  out.reserve(static_cast<size_t>(a.questions()) * plans.size());
  for (size_t q = 0; q < static_cast<size_t>(a.questions()); ++q)
    for (const size_t plan : plans) out.push_back(a.right[plan][q]);
  return out;
}

void fit(AccuracyCurve& curve, const AccuracySummary& s, const SummaryOptions& options) {
  const AnsweredTask& a = s.answered;
  curve.not_run = s.not_above_chance;
  if (!curve.not_run.empty()) return;
  if (curve.plans.size() < kLeastPoints) {
    curve.not_run = text(curve.plans.size(), " values of n were asked, needed at least ",
                         kLeastPoints, " for a curve");
    return;
  }
  const std::vector<uint8_t> right = answers_of(a, curve.plans);
  const auto points = static_cast<int64_t>(curve.plans.size());
  Answers answers{right, points};
  std::vector<double> removed;
  for (const size_t plan : curve.plans) removed.push_back(s.fraction(plan));
  curve.falling = falling_test(answers, options.draws, options.seed);
  if (s.over_groups()) answers.groups = a.clusters;
  CollapseOptions collapse;
  collapse.draws = options.draws;
  collapse.seed = options.seed;
  curve.collapse = fit_collapse(removed, answers, collapse);
  for (const PlanComparison& c : s.against_whole) {
    if (a.plans[c.plan].strategy != curve.strategy) continue;
    if (!c.pair.flat.shown) break;
    curve.flat_to = a.plans[c.plan].n;
  }
}

}  // namespace

std::optional<size_t> AnsweredTask::whole() const {
  for (size_t i = 0; i < plans.size(); ++i)
    if (plans[i].n == 0) return i;
  return std::nullopt;
}

const AccuracyCurve* AccuracySummary::curve(const std::string& strategy) const {
  for (const AccuracyCurve& c : curves)
    if (c.strategy == strategy) return &c;
  return nullptr;
}

bool AccuracySummary::over_groups() const { return answered.role == ClusterRole::kGroups; }

double AccuracySummary::fraction(size_t plan) const {
  return static_cast<double>(answered.plans[plan].n) / static_cast<double>(answered.block_count);
}

AccuracySummary summarise(AnsweredTask answered, const SummaryOptions& options) {
  require_whole(answered);
  drop_idle_clusters(answered);
  AccuracySummary s;
  s.answered = std::move(answered);
  const std::optional<size_t> whole = s.answered.whole();
  for (size_t plan = 0; plan < s.answered.plans.size(); ++plan)
    s.plans.push_back(accuracy_of(s.answered, plan, whole, options));
  s.not_above_chance = chance_reason(s, whole);
  s.above_chance = s.not_above_chance.empty();
  const std::vector<size_t> simple = plans_by_n(s.answered, "simple");
  for (const std::string& strategy : strategies_of(s.answered)) {
    AccuracyCurve curve{.strategy = strategy, .plans = plans_by_n(s.answered, strategy)};
    compare_strategy(s, curve, whole, simple);
    fit(curve, s, options);
    s.curves.push_back(std::move(curve));
  }
  return s;
}

std::vector<const AccuracySummary*> first_metrics(const std::vector<AccuracySummary>& all) {
  std::vector<const AccuracySummary*> out;
  for (const AccuracySummary& s : all)
    if (out.empty() || out.back()->answered.task != s.answered.task) out.push_back(&s);
  return out;
}

}  // namespace plumb::harness
