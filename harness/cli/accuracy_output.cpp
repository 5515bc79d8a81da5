#include <cstdio>

#include "base/error.h"
#include "harness/cli/asked_questions.h"
#include "harness/pipeline/accuracy_json.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

namespace {

/// lm-eval runs each subject as a task where a task's shots come from the question's own group.
bool is_group(const metrics::Task& task) {
  return !task.cluster.empty() && task.shots.same == task.cluster;
}

/// "similarity: f0 = 0.31 [0.28, 0.35] of the blocks removed, width 0.02 [0.01, 0.03]; ..."
std::string curve_text(const AccuracyCurve& curve) {
  if (!curve.not_run.empty())
    return text(curve.strategy, ": no collapse is fitted: ", curve.not_run);
  const Collapse& c = *curve.collapse;
  return text(
      curve.strategy, ": ",
      c.shown ? text("collapses at f0 = ", with_interval(c.logistic.centre, c.f0),
                     " of the blocks removed, width ", with_interval(c.logistic.width, c.width))
              : std::string("no collapse is shown; a line, or a fall that goes on, fits as well"),
      "; shown to lose less than ", kFlatMargin, " up to n = ", curve.flat_to,
      "; never rising: p = ", p_text(curve.falling->p));
}

std::string difference_text(const AccuracySummary& s, size_t plan) {
  for (const PlanComparison& c : s.against_whole)
    if (c.plan == plan)
      return text("  ", with_interval(c.pair.difference, c.pair.interval), ", p ",
                  p_text(c.pair.p_holm));
  return "";
}

}  // namespace

std::vector<Evaluated> with_summaries(const std::vector<TaskEvaluation>& evaluations,
                                      const std::vector<AccuracySummary>& summaries) {
  std::vector<Evaluated> out;
  std::span<const AccuracySummary> left = summaries;
  for (const TaskEvaluation& evaluation : evaluations) {
    const size_t metrics = evaluation.asked.task.metrics.size();
    out.push_back({evaluation, left.first(metrics)});
    left = left.subspan(metrics);
  }
  return out;
}

Json task_json(const Evaluated& task) {
  const TaskEvaluation& e = task.evaluation;
  const AskedTask& asked = e.asked;
  Json json = {{"task", asked.task.name},
               {"version", asked.task.version},
               {"task_sha256", asked.task.sha256},
               {"protocol", asked.task.protocol},
               {"scoring", metrics::scoring_name(asked.task.scoring)},
               {"target_delimiter", asked.task.target_delimiter},
               {"file", asked.file},
               {"file_sha256", asked.sha256},
               {"shots", asked.shots},
               {"shots_dropped", asked.shots_dropped()},
               {"questions_cut", asked.questions_cut()},
               {"questions", asked.questions.size()},
               {"questions_in_file", asked.questions_in_file},
               {"chance", asked.chance},
               {"block_evaluations", e.scores.block_evaluations},
               {"block_evaluations_alone", e.scores.block_evaluations_alone},
               {"plans_distinct", e.scores.plans_distinct},
               {"tokens_run", e.scores.tokens_run},
               {"tokens_alone", e.scores.tokens_alone}};
  json["accuracies"] = Json::array();
  json["curves"] = Json::array();
  for (const AccuracySummary& summary : task.summaries) {
    for (Json& row : accuracies_json(summary)) json["accuracies"].push_back(std::move(row));
    for (Json& row : curves_json(summary)) json["curves"].push_back(std::move(row));
  }
  return json;
}

Json lm_eval_json(const std::vector<Evaluated>& tasks) {
  Json plans = Json::array();
  const auto& asked_plans = tasks.front().evaluation.plans;
  for (size_t plan = 0; plan < asked_plans.size(); ++plan) {
    Json block = {{"strategy", asked_plans[plan].strategy},
                  {"n", asked_plans[plan].removed_count()},
                  {"removed", asked_plans[plan].removed_text()},
                  {"results", Json::object()}};
    for (const Evaluated& task : tasks) {
      const AskedTask& asked = task.evaluation.asked;
      const std::string& name = asked.task.name;
      for (const AccuracySummary& summary : task.summaries) {
        const Json results = lm_eval_results(summary, plan, is_group(asked.task));
        for (const auto& [key, values] : results.items()) block["results"][key].update(values);
        block["higher_is_better"][name][summary.answered.metric] = true;
      }
      block["n-shot"][name] = asked.shots;
      block["versions"][name] = asked.task.version;
      block["n-samples"][name] = {{"original", asked.questions_in_file},
                                  {"effective", asked.questions.size()}};
    }
    plans.push_back(std::move(block));
  }
  return plans;
}

void say_accuracies(const Evaluated& task, const Console& console) {
  const TaskEvaluation& e = task.evaluation;
  console.say(text(e.asked.task.name, ": ", e.asked.questions.size(), " questions, ", e.asked.shots,
                   " shots, chance ", number_text(e.asked.chance)));
  console.say(
      "strategy             n  removed       metric    accuracy  95 % interval   less the whole "
      "model [95 %], p after Holm");
  for (size_t p = 0; p < e.plans.size(); ++p)
    for (const AccuracySummary& s : task.summaries) {
      const PlanAccuracy& a = s.plans[p];
      char line[160];
      std::snprintf(line, sizeof line, "%-17s %4d  %-12.12s  %-8s  %8.4f  %.4f..%.4f",
                    e.plans[p].strategy.c_str(), static_cast<int>(e.plans[p].removed_count()),
                    e.plans[p].removed_text().c_str(), s.answered.metric.c_str(), a.accuracy,
                    a.interval.low, a.interval.high);
      console.say(line + difference_text(s, p));
    }
  for (const AccuracySummary& s : task.summaries)
    for (const AccuracyCurve& curve : s.curves)
      console.say(text(s.answered.metric, ", ", curve_text(curve)));
  console.say(text(e.scores.tokens_run, " tokens through ", e.scores.block_evaluations,
                   " blocks instead of ", e.scores.tokens_alone, " through ",
                   e.scores.block_evaluations_alone, ", in ", duration_text(e.seconds)));
}

}  // namespace plumb::harness
