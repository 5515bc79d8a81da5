#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/record.h"
#include "base/statistics/paired.h"
#include "base/statistics/paired_difference.h"
#include "base/verdict.h"
#include "harness/answers/answer_log.h"

namespace plumb::harness {

struct CompareOptions {
  std::string plan_a = {}, plan_b = {};  ///< "similarity:7"; empty: see `choose_pairs`
  std::vector<std::string> tasks = {};   ///< of both logs; none: all
  double margin = 0.02;                  ///< B may be worse by less
  double alpha = 0.05;                   ///< level of every test; intervals have 1 - alpha
  uint64_t seed = 0;                     ///< of the bootstrap
};

/// Names of a plan in log A and one in log B.
struct PlanPair {
  std::string a, b;
};
struct ChosenPairs {
  std::vector<PlanPair> pairs;
  std::vector<std::string> only_in_a, only_in_b;  ///< plans left out, where namesakes are paired
};

/// A plan that is named, else the log's only one, else its namesake in the other log; where neither
/// is named and neither log has one alone, every plan and its namesake. Error{kUsage} with both
/// lists where that leaves none.
ChosenPairs choose_pairs(const AnswerLog& a, const AnswerLog& b, const CompareOptions& options);

/// Mean over questions of the difference, B less A, of ln of the right choice's share: every
/// question tells something, not only those whose answer turned.
struct LogShareDifference {
  double mean = 0;                    ///< nats
  Interval interval;                  ///< BCa by question
  std::optional<Interval> clustered;  ///< mean and t errors of the clusters
};

/// What two plans' answers to the same questions of one task say, by one metric. Differences are B
/// less A.
struct Comparison {
  std::string task;
  std::string metric;  ///< "acc" or "acc_norm"; empty where nothing could be compared
  PlanPair plans;
  std::string removed_a, removed_b;
  int64_t only_in_a = 0, only_in_b = 0;  ///< questions, not compared
  PairedCounts counts;                   ///< first is B
  int64_t clusters = 0;                  ///< of the questions; 0: each stands alone
  /// Clusters that are the task's own and are all there, as MMLU's subjects: no sample of them, so that their interval is a
  /// check, and the one of questions that stand alone decides.
  bool fixed_groups = false;
  double accuracy_a = 0, accuracy_b = 0;
  Interval interval_a, interval_b;
  double difference = 0;
  Interval interval;                  ///< Tango's, of questions that stand alone
  std::optional<Interval> clustered;  ///< the same of the clusters
  double p = 1;                       ///< McNemar's mid-p, two-sided
  double p_holm = 1;                  ///< over all comparisons
  NonInferiority non_inferiority;     ///< of B to A
  double upper_bound = 1;             ///< one-sided, of the difference
  double p_inferior = 1;              ///< of "worse by the margin at most" against more
  double p_inferior_holm = 1;
  std::optional<double> detectable;       ///< with 80 % power; none without any discordant answer
  std::optional<int64_t> more_questions;  ///< that would decide with 80 % power, answered alike
  std::optional<LogShareDifference> log_share;
  Verdict verdict;

  /// The interval that goes with the verdict.
  const Interval& deciding() const { return clustered && !fixed_groups ? *clustered : interval; }
};

/// All tasks, metrics and pairs. Verdicts: PASS where the lower one-sided bound of the difference
/// is above -margin; FAIL where the upper one is below it and stays so after Holm's correction over
/// all comparisons; else INCONCLUSIVE. INCOMPARABLE, with what differs: tasks that one log has
/// alone, other prompts, no question or metric or plan in common. INVALID where both logs put a
/// question into different clusters.
std::vector<Comparison> compare_logs(const AnswerLog& a, const AnswerLog& b,
                                     const std::vector<PlanPair>& pairs,
                                     const CompareOptions& options);

/// Smallest number of independent questions at which `evidence`, its shares as they are, decides
/// about `margin` with probability `power`; none beyond 10^9, as where the difference is the
/// margin.
std::optional<int64_t> questions_to_decide(const PairedEvidence& evidence, double margin,
                                           double alpha = 0.05, double power = 0.8);

}  // namespace plumb::harness
