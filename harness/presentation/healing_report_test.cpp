// What the report shows of a run that has healed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/pipeline/answered_testing.h"
#include "harness/pipeline/questions_stage.h"
#include "harness/presentation/presentation.h"
#include "harness/verify/claims_testing.h"

namespace plumb::harness {
namespace {

using namespace testing;
using ::testing::HasSubstr;

/// Two strategies, n = 2 and 4 healed; at n = 4 both chose the same blocks, so one training was both's.
Run healed_run() {
  Run run;
  run.settings.set("statistics.draws", "100", "test");
  run.settings.set("heal.n", "2,4", "test");
  run.settings.set("heal.documents", "training.jsonl", "test");
  run.experiment = make_experiment(run.settings);
  run.model.block_count = kBlocks;
  run.model.file = "model.gguf";
  run.profile = profile_of([](double n, double l, int64_t) { return 0.1 + 0.01 * n + 0.001 * l; });
  run.sweep = sweep_of([](const std::string&, double n, int64_t d) {
    return 3 + n + 0.01 * static_cast<double>(d % 5);
  });
  run.sweep.vocabulary_size = 100;
  HealResult heal;
  for (auto& plan : run.sweep.plans) {
    if (plan.removed_count() == 4) plan.removed = {3, 4, 5, 6};
    if (plan.removed_count() != 2 && plan.removed_count() != 4) continue;
    TrainedPlan trained;
    trained.plan = plan;
    trained.rows = {{5, 1, 0, 0.5}, {4.5, 1, 1e-3, 0.5}, {4, 1, 5e-4, 0.5}};
    trained.documents = {"training.jsonl", "00"};
    trained.tokens = 300;
    trained.frozen_bytes = static_cast<uint64_t>(100 * (kBlocks - plan.removed_count()));
    heal.trained.push_back(trained);
    HealedPlan healed{plan, {}, {}, {}, 0};
    for (int64_t d = 0; d < kDocuments; ++d)
      healed.loss_nats.push_back(3.25 + 0.01 * static_cast<double>(d % 3));
    heal.healed.push_back(healed);
  }
  heal.whole = {400 * kBlocks, 100 * kBlocks, 0};
  run.heal = heal;
  return run;
}

TEST(HealedLossFigure, HasEveryUnhealedPlanAndTheHealedOnesBesideThem) {
  const harness::Run run = healed_run();
  const Shown shown(run);
  const reports::LineFigure figure = healed_loss_figure(shown);
  ASSERT_EQ(figure.series.size(), 4u);
  for (const size_t i : {0u, 2u}) {
    EXPECT_THAT(figure.series[i].label, HasSubstr(", unhealed"));
    EXPECT_EQ(figure.series[i].points.size(), 6u);
    const reports::Series& healed = figure.series[i + 1];
    EXPECT_THAT(healed.label, HasSubstr(", healed"));
    ASSERT_EQ(healed.points.size(), 2u);
    EXPECT_DOUBLE_EQ(healed.points[0].x, 2.0 / kBlocks);
    EXPECT_NEAR(healed.points[0].y, shown.gains[i].healed.normalised, 0);
    EXPECT_LT(healed.points[0].y, figure.series[i].points[1].y);
    EXPECT_LE(*healed.points[0].low, healed.points[0].y);
  }
  EXPECT_THAT(figure.caption, HasSubstr("200 steps of 4 x 256 tokens of training.jsonl"));
}

TEST(TrainingFigure, HasALineATraining) {
  const harness::Run run = healed_run();
  const reports::LineFigure figure = training_figure(Shown(run));
  ASSERT_EQ(figure.series.size(), 3u) << "one was both strategies'";
  EXPECT_EQ(figure.series[0].points.size(), 3u);
  EXPECT_EQ(figure.series[0].points[2].y, 4);
}

TEST(HealingTables, HaveARowAPlanAndWhatLlamaTakes) {
  const harness::Run run = healed_run();
  const Shown shown(run);
  const reports::Table healing = healing_table(shown);
  ASSERT_EQ(healing.rows.size(), 4u);
  for (const auto& row : healing.rows) EXPECT_EQ(row.size(), healing.columns.size());
  const reports::Table composition = composition_table(shown);
  ASSERT_EQ(composition.rows.size(), 5u);  // three different plans, Llama twice
  EXPECT_EQ(composition.rows[0][4], composition.rows[0][5]) << "the product is both's";
  EXPECT_EQ(composition.rows[3].back(), "18.7 GB");
  EXPECT_EQ(composition.rows[4].back(), "17.5 GB");
}

TEST(HealingReport, FitsTheSchemaAndNamesWhatWasTrainedOn) {
  const harness::Run run = healed_run();
  const reports::Report report = build_report(run, judge(run));
  reports::validate_results(reports::to_results_json(report));
  EXPECT_THAT(reports::to_provenance_json(report), HasSubstr("healing sha256"));
  bool found = false;
  for (const auto& [name, value] : report.run)
    if (name == "heal similarity 2 tokens per second") found = value == "200";
  EXPECT_TRUE(found);
}

// Answers healed and unhealed are compared question by question, in the accuracy's own figure too.
TEST(HealedAccuracies, ArePairedWithTheSamePlans) {
  harness::Run run = healed_run();
  run.model.block_count = 20;
  AnsweredTask answered = joined(collapsing({.questions = 100, .task = "planted"}),
                                 collapsing({.questions = 100, .strategy = "simple"}));
  TaskAnswers task;
  task.facts.name = "planted";
  task.answered = {answered};
  run.questions.emplace();
  run.questions->tasks = {task};
  run.accuracy = summarise_questions(*run.questions, 0);
  for (HealedPlan& healed : run.heal->healed)
    healed.answers = {{"planted", "acc", std::vector<uint8_t>(100, 1)}};
  const Shown shown(run);
  ASSERT_EQ(shown.healed_accuracies.size(), 4u);
  for (const HealedAccuracy& a : shown.healed_accuracies) {
    EXPECT_EQ(a.accuracy, 1);
    EXPECT_DOUBLE_EQ(a.gain.difference, 1 - a.unhealed);
    EXPECT_LE(a.gain.interval.low, a.gain.difference);
    EXPECT_GE(a.gain.p_holm, a.gain.p);
  }
  const reports::LineFigure figure = accuracy_figure(shown, run.accuracy[0]);
  ASSERT_EQ(figure.series.size(), 4u);
  EXPECT_EQ(figure.series[1].label, "similarity, healed");
  EXPECT_EQ(figure.series[1].points.size(), 2u);
  EXPECT_EQ(healed_accuracy_table(shown).rows.size(), 4u);
}

// A healed curve is the whole model's point and the healed plans' own answers, in the order of n.
TEST(HealedSummaries, BeginWithTheWholeModelAndShowWhereHealedAnswersCollapse) {
  const AnsweredTask unhealed = collapsing({.questions = 2000, .centre = 0.2}),
                     healed = collapsing({.questions = 2000, .centre = 0.6});
  harness::Run run = healed_run();
  run.model.block_count = 20;
  run.heal->healed.clear();
  for (size_t n = 3; n < 18; n += 3) {
    pruning::PruningPlan plan{20, {}, "similarity", "planted"};
    for (size_t i = 0; i < n; ++i) plan.removed.push_back(static_cast<int64_t>(i));
    run.heal->healed.push_back({plan, {}, {}, {{"planted", "acc", healed.right[n]}}});
  }
  run.accuracy = {summarise(unhealed, {.draws = 100, .seed = 1})};
  run.healed_accuracy = healed_summaries(*run.heal, run.accuracy, {.draws = 100, .seed = 1});
  ASSERT_EQ(run.healed_accuracy.size(), 1u);
  const AccuracySummary& s = run.healed_accuracy[0];
  ASSERT_EQ(s.plans.size(), 6u);
  EXPECT_EQ(s.answered.right[0], unhealed.right[0]);
  EXPECT_EQ(s.answered.right[2], healed.right[6]);
  EXPECT_EQ(s.answered.plans[2].n, 6);
  ASSERT_TRUE(s.curves.at(0).collapse.has_value()) << s.curves[0].not_run;
  EXPECT_NEAR(s.curves[0].collapse->logistic.centre, 0.6, 0.1);
  std::set<std::string> names;
  for (const Record& record : accuracy_records(run)) names.insert(record.name);
  EXPECT_TRUE(names.contains("f0") && names.contains("healed_f0"));
  EXPECT_TRUE(healed_summaries({}, run.accuracy, {}).empty());
}

}  // namespace
}  // namespace plumb::harness
