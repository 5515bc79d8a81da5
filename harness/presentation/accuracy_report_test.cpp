// What the report shows of accuracies.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "harness/pipeline/answered_testing.h"
#include "harness/pipeline/questions_stage.h"
#include "harness/presentation/presentation.h"
#include "harness/verify/claims_testing.h"

namespace plumb::harness {
namespace {

using namespace testing;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

/// The evaluation that these answers come from: the right choice is the first, and has the largest value where the plan
/// is right.
TaskEvaluation evaluated(const AnsweredTask& answered) {
  TaskEvaluation e;
  e.asked.task.name = answered.task;
  e.asked.task.metrics = {answered.metric};
  e.asked.chance = answered.chance;
  for (int64_t q = 0; q < answered.questions(); ++q) {
    metrics::Question question;
    question.line = q + 1;
    question.doc_hash = text("doc ", q);
    e.asked.questions.push_back(std::move(question));
    e.asked.requests.emplace_back();
    e.clusters.push_back(q % 7);
  }
  for (size_t p = 0; p < answered.plans.size(); ++p) {
    pruning::PruningPlan plan{answered.block_count, {}, answered.plans[p].strategy, "planted"};
    for (int64_t block = 0; block < answered.plans[p].n; ++block) plan.removed.push_back(block);
    e.plans.push_back(plan);
    e.scores.values.emplace_back();
    e.answers.emplace_back();
    for (const uint8_t right : answered.right[p]) {
      e.scores.values.back().push_back({right != 0 ? -1.25 : -3.0, -2.0 / 3});
      if (right != 0) e.scores.values.back().back()[1] = -7.5;
      e.answers.back().push_back({metrics::largest(e.scores.values.back().back(), 0), {}});
    }
  }
  return e;
}

QuestionsResult asked(const AnsweredTask& answered) {
  TaskAnswers task;
  task.facts.name = answered.task;
  task.facts.questions = task.facts.questions_in_file = answered.questions();
  task.facts.protocol = "plumb";
  task.facts.scoring = "continuation, delimiter ' '";
  task.facts.built_in = true;
  task.answered = {answered};
  QuestionsResult result;
  result.tasks = {task};
  result.evaluations = {evaluated(answered)};
  result.seconds = 1.5;
  return result;
}

Run run_of(const AnsweredTask& answered) {
  Run run;
  run.settings.set("statistics.draws", "100", "test");
  run.experiment = make_experiment(run.settings);
  run.model.block_count = 20;
  run.model.file = "model.gguf";
  run.profile =
      profile_of([](double n, double l, int64_t) { return 0.1 + 0.01 * n + 0.001 * l; }, 16, 20);
  run.sweep = sweep_of([](const std::string&, double n, int64_t) { return 3 + n; });
  run.sweep.vocabulary_size = 100;
  run.questions = asked(answered);
  run.accuracy = summarise_questions(*run.questions, 0);
  return run;
}

AnsweredTask two_strategies(const std::string& task = "smoke", int64_t questions = 240) {
  return joined(
      collapsing({.questions = questions, .task = task}),
      collapsing({.questions = questions, .centre = 0.2, .strategy = "simple", .task = task}));
}

TEST(AccuracyFigure, HasALineAStrategyChanceF0AndThePapersModels) {
  const harness::Run run = run_of(two_strategies());
  const Shown shown(run);
  const reports::LineFigure figure = accuracy_figure(shown, run.accuracy[0]);
  ASSERT_EQ(figure.series.size(), 2u);
  for (const reports::Series& series : figure.series) {
    EXPECT_EQ(series.points.size(), 20u);
    for (const reports::Point& point : series.points) {
      EXPECT_LE(*point.low, point.y);
      EXPECT_GE(*point.high, point.y);
    }
  }
  const auto has_band = [&](const std::string& label) {
    return std::any_of(figure.bands.begin(), figure.bands.end(),
                       [&](const reports::Band& band) { return band.label == label; });
  };
  EXPECT_TRUE(has_band("f0, similarity") && has_band("f0, simple"));
  EXPECT_TRUE(has_band("Llama-2 family, paper"));
  EXPECT_EQ(figure.references.front().value, 0.25);
  EXPECT_THAT(figure.caption, HasSubstr("smoke set"));
  EXPECT_THAT(figure.caption, HasSubstr("240 questions find"));
  for (const char* model :
       {"Llama-2 family 45-55", "Mistral-7B 35", "Phi-2 25", "Qwen 20", "arXiv"})
    EXPECT_THAT(figure.caption, HasSubstr(model));
}

TEST(AccuracyFigure, OfAModelAtChanceSaysWhyThereIsNoF0) {
  const harness::Run run = run_of(collapsing({.questions = 240, .upper = 0.25, .task = "smoke"}));
  const Shown shown(run);
  const reports::LineFigure figure = accuracy_figure(shown, run.accuracy[0]);
  EXPECT_EQ(figure.bands.size(), 1u);  // the paper's
  EXPECT_THAT(figure.caption, HasSubstr("No collapse is fitted: the whole model"));
  EXPECT_THAT(accuracy_warnings(run), Contains(HasSubstr("at chance")));
  EXPECT_THAT(collapse_table(shown).rows.at(0), Contains("not run"));
  for (const Record& record : accuracy_records(run))
    if (record.name == "f0" || record.name == "calibrated_accuracy") {
      EXPECT_TRUE(std::holds_alternative<std::monostate>(record.value)) << record.name;
      EXPECT_THAT(record.absent_reason, HasSubstr("chance is 0.25"));
    }
}

TEST(AccuracyTables, HaveEveryPlanAndEveryDifference) {
  const harness::Run run = run_of(two_strategies());
  const Shown shown(run);
  EXPECT_EQ(accuracy_table(shown, "smoke").rows.size(), 40u);
  const reports::Table differences = difference_table(run.accuracy[0]);
  EXPECT_EQ(differences.rows.size(), 38u);
  for (const auto& row : differences.rows) {
    ASSERT_EQ(row.size(), differences.columns.size());
    EXPECT_EQ(row[9].empty(), row[0] == "simple");
  }
  for (const auto& row : accuracy_table(shown, "smoke").rows)
    EXPECT_EQ(row.size(), accuracy_table(shown, "smoke").columns.size());
  EXPECT_EQ(collapse_table(shown).rows.size(), 2u);
}

TEST(AccuracyReport, FitsTheSchemaAndShowsEveryPart) {
  const harness::Run run = run_of(two_strategies());
  const reports::Report report = build_report(run, judge(run));
  reports::validate_results(reports::to_results_json(report));
  const std::string html = reports::to_html(report);
  for (const char* part : {"accuracy-smoke", "answers-smoke", "differences-smoke", "collapse",
                           "Accuracy of the whole model on smoke", "questions/smoke.jsonl"})
    EXPECT_THAT(html + reports::to_results_json(report), HasSubstr(part));
}

TEST(AccuracyWarnings, AnEasySetIsNoneAndAHardOneIs) {
  EXPECT_TRUE(
      accuracy_warnings(run_of(collapsing({.questions = 240, .upper = 0.9, .task = "smoke"})))
          .empty());
  EXPECT_THAT(
      accuracy_warnings(run_of(collapsing({.questions = 240, .upper = 0.5, .task = "smoke"}))),
      Contains(HasSubstr("too hard")));
  EXPECT_TRUE(
      accuracy_warnings(run_of(collapsing({.questions = 240, .upper = 0.5, .task = "mmlu"})))
          .empty());
}

TEST(QuestionsResult, ReadsBackAsItWas) {
  const QuestionsResult before = asked(two_strategies());
  const auto json = to_json(before);
  const QuestionsResult after = questions_from_json(nlohmann::ordered_json::parse(json.dump()));
  EXPECT_EQ(to_json(after), json);
  EXPECT_EQ(after.tasks[0].answered[0].right, before.tasks[0].answered[0].right);
  const auto file = [](const QuestionsResult& questions) {
    return accuracy_file(questions.evaluations, summarise_questions(questions, 0));
  };
  EXPECT_EQ(file(after), file(before));
  auto damaged = json;
  damaged["tasks"][0]["answered"][0]["plans"][3]["right"] = "012";
  EXPECT_THROW(questions_from_json(damaged), Error);
}

}  // namespace
}  // namespace plumb::harness
