#include "harness/answers/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/statistics/bootstrap.h"
#include "base/statistics/clusters.h"
#include "base/statistics/multiplicity.h"
#include "base/statistics/proportion.h"
#include "base/statistics/summary.h"
#include "harness/answers/comparison_verdict.h"
#include "harness/answers/matching.h"
#include "metrics/tasks/task.h"

namespace plumb::harness {
namespace {

constexpr double kPower = 0.8;
/// Beyond so many questions 2,000 draws take as long as 10,000 of fewer, and their ends' error is
/// small beside an interval that is as good as normal.
constexpr size_t kManyQuestions = 3000;

const LoggedPlan* find_plan(const TaskLog& log, const std::string& name) {
  const auto found = std::ranges::find(log.plans, name, &LoggedPlan::name);
  return found == log.plans.end() ? nullptr : &*found;
}

LogShareDifference log_share_difference(const SharedAnswers& answers, uint64_t seed) {
  std::vector<double> differences(answers.log_share_a.size());
  std::transform(answers.log_share_b.begin(), answers.log_share_b.end(),
                 answers.log_share_a.begin(), differences.begin(), std::minus<>());
  LogShareDifference out;
  out.mean = mean(differences);
  out.interval =
      bootstrap_mean(differences, {.draws = differences.size() > kManyQuestions ? 2000 : 10000,
                                   .seed = seed,
                                   .unit = "question"});
  if (answers.clusters == 0) return out;
  const ClusteredMean clustered = clustered_mean(differences, answers.cluster);
  const double reach = t_quantile(0.975, clustered.degrees_of_freedom) * clustered.standard_error;
  out.clustered = Interval{out.mean - reach, out.mean + reach, 0.95,
                           text("t, cluster-robust, ", clustered.clusters, " clusters")};
  return out;
}

void fill_accuracies(Comparison& c, const SharedAnswers& answers, const std::vector<uint8_t>& a,
                     const std::vector<uint8_t>& b, double level) {
  const int64_t n = c.counts.questions();
  const auto share = [&](int64_t right) {
    return static_cast<double>(right) / static_cast<double>(n);
  };
  const int64_t right_a = c.counts.both + c.counts.only_second;
  const int64_t right_b = c.counts.both + c.counts.only_first;
  c.accuracy_a = share(right_a);
  c.accuracy_b = share(right_b);
  if (answers.clusters > 0 && !c.fixed_groups) {
    c.interval_a = clustered_accuracy_interval(a, answers.cluster, level);
    c.interval_b = clustered_accuracy_interval(b, answers.cluster, level);
  } else {
    c.interval_a = accuracy_interval(right_a, n, level);
    c.interval_b = accuracy_interval(right_b, n, level);
  }
}

/// Everything of one metric but what the family of comparisons decides.
void fill(Comparison& c, const SharedAnswers& answers, const std::vector<uint8_t>& a,
          const std::vector<uint8_t>& b, const CompareOptions& options) {
  c.counts = count_pairs(b, a);
  c.clusters = answers.clusters;
  fill_accuracies(c, answers, a, b, 1 - options.alpha);
  const PairedEvidence alone = paired_evidence(c.counts);
  const PairedEvidence clustered =
      c.clusters > 0 ? clustered_paired_evidence(b, a, answers.cluster) : alone;
  const PairedEvidence& evidence = c.fixed_groups ? alone : clustered;
  c.difference = alone.difference();
  c.interval = difference_interval(alone, 1 - options.alpha);
  if (c.clusters > 0) c.clustered = difference_interval(clustered, 1 - options.alpha);
  c.p = mcnemar_p(c.counts);
  c.non_inferiority = non_inferiority(evidence, options.margin, options.alpha);
  c.upper_bound = difference_interval(evidence, 1 - 2 * options.alpha).high;
  c.p_inferior = 1 - c.non_inferiority.p;  // the same score, the other tail
  if (c.counts.discordant() > 0)
    c.detectable = minimum_detectable_difference(
        std::max<int64_t>(1, std::llround(evidence.questions)),
        static_cast<double>(c.counts.discordant()) / static_cast<double>(c.counts.questions()),
        options.alpha, kPower);
  if (const auto needed = questions_to_decide(evidence, options.margin, options.alpha, kPower)) {
    const double factor = static_cast<double>(*needed) / evidence.questions;
    c.more_questions = std::max<int64_t>(
        1, std::llround(std::ceil((factor - 1) * static_cast<double>(c.counts.questions()))));
  }
  if (!answers.log_share_a.empty()) c.log_share = log_share_difference(answers, options.seed);
}

/// A comparison that cannot be made, with its reason.
Comparison refused(Comparison c, VerdictKind kind, const std::string& reason,
                   const std::string& next_step) {
  c.verdict.kind = kind;
  c.verdict.reason = reason;
  c.verdict.next_step = next_step;
  return c;
}

/// What makes two logs of a task incomparable as a whole, as kind of verdict and reason.
std::optional<Comparison> refusal(const Comparison& c, const Matching& m) {
  if (m.matched == 0)
    return refused(c, VerdictKind::kIncomparable,
                   m.same_documents ? "the questions are the same, but their right answers are not"
                                    : "the logs have no question in common",
                   "ask both the same questions of the same file");
  if (m.other_prompts > 0)
    return refused(c, VerdictKind::kIncomparable,
                   text(m.other_prompts, " of ", m.matched,
                        " common questions were asked with another prompt, the first in row ",
                        m.first_other_prompt),
                   "ask both with the same protocol, examples and prompts");
  if (m.other_clusters > 0)
    return refused(c, VerdictKind::kInvalid,
                   text(m.other_clusters, " of ", m.matched,
                        " common questions are clustered otherwise in the other log"),
                   "make both logs by the same release and from the same question file");
  return std::nullopt;
}

void compare_plans(const TaskLog& a, const TaskLog& b, const Matching& matching, Comparison c,
                   const CompareOptions& options, std::vector<Comparison>& out) {
  const LoggedPlan* plan_a = find_plan(a, c.plans.a);
  const LoggedPlan* plan_b = find_plan(b, c.plans.b);
  if (plan_a == nullptr || plan_b == nullptr) {
    out.push_back(refused(c, VerdictKind::kIncomparable,
                          text("log ", plan_a == nullptr ? "A" : "B", " has no answers of plan ",
                               plan_a == nullptr ? c.plans.a : c.plans.b, " to this task"),
                          "ask this task of both plans"));
    return;
  }
  c.removed_a = plan_a->removed;
  c.removed_b = plan_b->removed;
  const SharedAnswers answers = shared_answers(a, *plan_a, b, *plan_b, matching);
  c.only_in_a = answers.only_in_a;
  c.only_in_b = answers.only_in_b;
  if (answers.right_a.empty()) {
    out.push_back(refused(c, VerdictKind::kIncomparable,
                          "the plans have answered no question in common",
                          "ask both the same questions of the same file"));
    return;
  }
  c.metric = "acc";
  out.push_back(c);
  fill(out.back(), answers, answers.right_a, answers.right_b, options);
  if (answers.normalised_a.empty()) return;
  c.metric = "acc_norm";
  out.push_back(c);
  fill(out.back(), answers, answers.normalised_a, answers.normalised_b, options);
  out.back().log_share.reset();  // of the values, not of what they were divided by
}

bool is_asked_for(const std::string& task, const CompareOptions& options) {
  return options.tasks.empty() || std::ranges::find(options.tasks, task) != options.tasks.end();
}

/// Tasks of both, in the order of A and then of B.
std::vector<std::string> tasks_of(const AnswerLog& a, const AnswerLog& b,
                                  const CompareOptions& options) {
  std::vector<std::string> names = options.tasks;
  for (const AnswerLog* log : {&a, &b})
    for (const TaskLog& task : log->tasks)
      if (is_asked_for(task.task, options) && std::ranges::find(names, task.task) == names.end())
        names.push_back(task.task);
  return names;
}

const TaskLog* find_task(const AnswerLog& log, const std::string& name) {
  const auto found = std::ranges::find(log.tasks, name, &TaskLog::task);
  return found == log.tasks.end() ? nullptr : &*found;
}

void correct_for_all(std::vector<Comparison>& all) {
  std::vector<double> differs, inferior;
  for (const Comparison& c : all) {
    if (c.metric.empty()) continue;
    differs.push_back(c.p);
    inferior.push_back(c.p_inferior);
  }
  const std::vector<double> differs_holm = holm(differs), inferior_holm = holm(inferior);
  size_t k = 0;
  for (Comparison& c : all) {
    if (c.metric.empty()) continue;
    c.p_holm = differs_holm[k];
    c.p_inferior_holm = inferior_holm[k++];
  }
}

}  // namespace

std::optional<int64_t> questions_to_decide(const PairedEvidence& evidence, double margin,
                                           double alpha, double power) {
  constexpr double kMost = 1e9;
  const double distance = evidence.difference() + margin;
  const double discordant = (evidence.only_first + evidence.only_second) / evidence.questions;
  const double variance = discordant - std::pow(evidence.difference(), 2);
  const double reach = normal_quantile(1 - alpha) + normal_quantile(power);
  const double by_power = std::pow(reach / distance, 2) * variance;
  if (!(by_power < kMost)) return std::nullopt;
  // Shares near 0 have little variance to go by; there the test itself says what it needs.
  const auto decides = [&](double questions) {
    PairedEvidence scaled = evidence;
    const double factor = questions / evidence.questions;
    scaled.only_first *= factor;
    scaled.only_second *= factor;
    scaled.questions = questions;
    const double p = non_inferiority(scaled, margin, alpha).p;
    return p <= alpha || 1 - p <= alpha;
  };
  double low = std::max(1.0, std::ceil(by_power)), high = low;
  while (!decides(high)) {
    low = high;
    high *= 2;
    if (high > kMost) return std::nullopt;
  }
  while (high - low > 1) {
    const double middle = std::floor((low + high) / 2);
    (decides(middle) ? high : low) = middle;
  }
  return std::llround(high);
}

std::vector<Comparison> compare_logs(const AnswerLog& a, const AnswerLog& b,
                                     const std::vector<PlanPair>& pairs,
                                     const CompareOptions& options) {
  std::vector<Comparison> all;
  for (const std::string& name : tasks_of(a, b, options)) {
    const TaskLog* in_a = find_task(a, name);
    const TaskLog* in_b = find_task(b, name);
    Comparison c;
    c.task = name;
    const metrics::Task* known = metrics::find_task(name);
    c.fixed_groups = known != nullptr && known->has_fixed_groups();
    if (in_a == nullptr || in_b == nullptr) {
      const char* which = in_a != nullptr   ? "log B has"
                          : in_b != nullptr ? "log A has"
                                            : "both logs have";
      all.push_back(refused(c, VerdictKind::kIncomparable, text(which, " no answers to this task"),
                            "ask it of both, or name the tasks to compare with --tasks"));
      continue;
    }
    const Matching matching = match_questions(*in_a, *in_b);
    if (auto whole = refusal(c, matching)) {
      all.push_back(std::move(*whole));
      continue;
    }
    for (const PlanPair& pair : pairs) {
      c.plans = pair;
      compare_plans(*in_a, *in_b, matching, c, options, all);
    }
  }
  correct_for_all(all);
  for (Comparison& c : all) judge(c, options);
  return all;
}

}  // namespace plumb::harness
