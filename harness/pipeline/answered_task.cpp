#include "harness/pipeline/answered_task.h"

namespace plumb::harness {
namespace {

ClusterRole role_of(const metrics::Task& task) {
  if (task.cluster.empty()) return ClusterRole::kNone;
  return task.has_fixed_groups() ? ClusterRole::kGroups : ClusterRole::kSample;
}

/// [cluster], by first appearance.
std::vector<std::string> names_of(const AskedTask& asked, const std::vector<int64_t>& clusters) {
  std::vector<std::string> names;
  for (size_t q = 0; q < clusters.size(); ++q)
    if (clusters[q] == static_cast<int64_t>(names.size()))
      names.push_back(asked.questions[q].field(asked.task.cluster));
  return names;
}

AnsweredTask without_answers(const TaskEvaluation& e) {
  const metrics::Task& task = e.asked.task;
  AnsweredTask out;
  out.task = task.name;
  out.chance = e.asked.chance;
  out.role = role_of(task);
  out.cluster_field = task.cluster;
  if (out.role != ClusterRole::kNone) out.clusters = e.clusters;
  if (out.role == ClusterRole::kGroups) out.cluster_names = names_of(e.asked, out.clusters);
  for (const pruning::PruningPlan& plan : e.plans) {
    out.block_count = plan.block_count;
    out.plans.push_back({plan.strategy, plan.removed_count(), plan.removed_text()});
  }
  return out;
}

}  // namespace

std::vector<AnsweredTask> answered_tasks(const TaskEvaluation& evaluation) {
  std::vector<AnsweredTask> out;
  for (const std::string& metric : evaluation.asked.task.metrics) {
    AnsweredTask answered = without_answers(evaluation);
    answered.metric = metric;
    for (const auto& answers : evaluation.answers) {
      std::vector<uint8_t> right;
      for (const metrics::Answer& answer : answers)
        right.push_back(metric == "acc_norm" ? answer.normalised->correct : answer.best.correct);
      answered.right.push_back(std::move(right));
    }
    out.push_back(std::move(answered));
  }
  return out;
}

std::vector<AccuracySummary> summarise_all(const std::vector<TaskEvaluation>& evaluations,
                                           uint64_t seed) {
  std::vector<AccuracySummary> out;
  for (const TaskEvaluation& evaluation : evaluations)
    for (AnsweredTask& answered : answered_tasks(evaluation))
      out.push_back(summarise(std::move(answered), {.seed = seed}));
  return out;
}

}  // namespace plumb::harness
