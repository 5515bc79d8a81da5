// Every claim about accuracies reaches every verdict that it can reach, on answers whose collapse is planted.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/pipeline/answered_testing.h"
#include "harness/verify/claims.h"
#include "harness/verify/verdict_testing.h"

namespace plumb::harness {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using ::testing::Not;
using enum VerdictKind;

/// With these answers as those of the unhealed plans, or of the healed ones.
Verdict judged(Judge judge, const std::vector<AnsweredTask>& answered,
               const std::vector<AccuracySummary>* Measurements::*side = &Measurements::accuracy) {
  std::vector<AccuracySummary> accuracy;
  for (const AnsweredTask& a : answered)
    accuracy.push_back(summarise(a, {.draws = 300, .seed = 1}));
  Measurements m;
  m.block_count = 20;
  m.*side = &accuracy;
  return verdict_of(judge, m);
}

/// Falls along a straight line from 0.7 to 0.3.
AnsweredTask along_a_line() {
  AnsweredTask a = collapsing({.questions = 4000});
  std::vector<double> accuracy;
  for (int n = 0; n < 20; ++n) accuracy.push_back(0.7 - 0.02 * n);
  const auto rows = plumb::testing::latent_answers(4000, accuracy, 0.7, 3);
  for (size_t n = 0; n < 20; ++n)
    for (size_t q = 0; q < 4000; ++q) a.right[n][q] = rows[q * 20 + n];
  return a;
}

AnsweredTask at_chance() { return collapsing({.upper = 0.25}); }

TEST(AccuracyCollapses, IsFoundRefusedOrLeftOpen) {
  const Verdict planted = judged(judge_accuracy_collapses, {collapsing()});
  EXPECT_EQ(planted.kind, kPass) << planted.reason;
  ASSERT_EQ(planted.evidence.size(), 2u);
  EXPECT_LE(planted.evidence[0].interval->low, 0.5);
  EXPECT_GE(planted.evidence[0].interval->high, 0.5);
  EXPECT_VERDICT(judged(judge_accuracy_collapses, {along_a_line()}), kFail,
                 "no collapse: its width");
  // A fall that only begins within the range: f0 is anywhere near its end.
  EXPECT_VERDICT(judged(judge_accuracy_collapses, {collapsing({.centre = 1.1, .width = 0.08})}),
                 kInconclusive, "no collapse stands out");
}

TEST(AccuracyCollapses, OneTaskThatFailsIsAFailureOfAll) {
  AnsweredTask line = along_a_line();
  line.task = "line";
  EXPECT_VERDICT(judged(judge_accuracy_collapses, {collapsing(), line}), kFail, "planted");
}

TEST(AccuracyClaims, OfAModelAtChanceNoneIsRun) {
  for (const Judge judge : {judge_accuracy_collapses, judge_flat_before_collapse,
                            judge_accuracy_falls, judge_similarity_answers_better})
    EXPECT_VERDICT(judged(judge, {at_chance()}), kNotRun, "chance is 0.25");
}

TEST(AccuracyClaims, WithoutQuestionsNoneIsRun) {
  for (const Judge judge : {judge_accuracy_collapses, judge_flat_before_collapse,
                            judge_accuracy_falls, judge_similarity_answers_better}) {
    EXPECT_VERDICT(judged(judge, {}), kNotRun, "no questions");
    Verdict verdict;
    judge({}, verdict);
    EXPECT_EQ(verdict.kind, kNotRun);
  }
}

TEST(AccuracyClaims, OfTheSmokeSetSayWhatItsSizeCanShow) {
  const auto smoke = collapsing({.questions = 240, .task = "smoke"});
  EXPECT_THAT(judged(judge_accuracy_collapses, {smoke}).reason,
              HasSubstr("a smoke set of easy sentences, no benchmark: its 240 questions find "
                        "differences from 0.04"));
  EXPECT_THAT(judged(judge_accuracy_collapses, {collapsing()}).reason, Not(HasSubstr("smoke")));
}

Verdict judged_healed(Judge judge, const std::vector<AnsweredTask>& answered) {
  return judged(judge, answered, &Measurements::healed_accuracy);
}

TEST(HealedAccuracyCollapses, IsJudgedOfHealedPlansAlone) {
  const Verdict planted = judged_healed(judge_healed_accuracy_collapses, {collapsing()});
  EXPECT_EQ(planted.kind, kPass) << planted.reason;
  EXPECT_VERDICT(judged_healed(judge_healed_accuracy_collapses, {along_a_line()}), kFail,
                 "no collapse: its width");
  EXPECT_VERDICT(judged_healed(judge_healed_flat_before_collapse, {collapsing({.questions = 300})}),
                 kInconclusive, "shown to lose less than 0.02");
  for (const Judge judge : {judge_healed_accuracy_collapses, judge_healed_flat_before_collapse})
    EXPECT_VERDICT(judged(judge, {collapsing()}), kNotRun, "no healed model was asked");
}

TEST(HealedAccuracyCollapses, SaysHowManyHealedValuesItNeeds) {
  AnsweredTask few = collapsing();
  few.plans.resize(3);
  few.right.resize(3);
  const Verdict verdict = judged_healed(judge_healed_accuracy_collapses, {few});
  EXPECT_EQ(verdict.kind, kNotRun);
  EXPECT_THAT(verdict.reason, HasSubstr("3 values of n were asked, needed at least 5"));
  EXPECT_THAT(verdict.next_step, HasSubstr("name 4 or more values in heal.n"));
}

TEST(FlatBeforeCollapse, NeedsEnoughQuestions) {
  EXPECT_VERDICT(judged(judge_flat_before_collapse, {collapsing({.questions = 30000})}), kPass,
                 "shown to lose less than 0.02 at");
  const Verdict few = judged(judge_flat_before_collapse, {collapsing({.questions = 300})});
  EXPECT_EQ(few.kind, kInconclusive) << few.reason;
  EXPECT_THAT(few.next_step, HasSubstr("questions: so many show a loss below 0.02"));
}

TEST(FlatBeforeCollapse, AClearLossBeforeItFails) {
  AnsweredTask a = collapsing({.questions = 6000});
  for (size_t q = 0; q < 600; ++q) a.right[2][q] = 0;  // n = 2 loses about 7 %
  EXPECT_VERDICT(judged(judge_flat_before_collapse, {a}), kFail, "n = 2 is worse by 0.0");
}

TEST(FlatBeforeCollapse, WithoutACollapseThereIsNoBefore) {
  EXPECT_VERDICT(judged(judge_flat_before_collapse, {along_a_line()}), kNotRun,
                 "no collapse was shown");
}

TEST(AccuracyFalls, UnlessItRises) {
  EXPECT_VERDICT(judged(judge_accuracy_falls, {collapsing()}), kPass, "Mann-Kendall");
  AnsweredTask a = collapsing();
  std::swap(a.right[3], a.right[14]);
  EXPECT_VERDICT(judged(judge_accuracy_falls, {a}), kFail, "isotonic");
  EXPECT_VERDICT(judged(judge_accuracy_falls, {collapsing({.lower = 0.7})}), kInconclusive,
                 "Mann-Kendall");
}

TEST(SimilarityAnswersBetter, ComparesTheSameQuestionsAtTheSameN) {
  const auto similarity = collapsing();
  const auto simple = collapsing({.centre = 0.2, .strategy = "simple"});
  EXPECT_VERDICT(judged(judge_similarity_answers_better, {joined(similarity, simple)}), kPass,
                 "of 10 values of n, worse at 0");
  AnsweredTask late = collapsing({.strategy = "simple"});
  const auto early = collapsing({.centre = 0.2});
  EXPECT_VERDICT(judged(judge_similarity_answers_better, {joined(early, late)}), kFail, "worse at");
  auto same = collapsing({.strategy = "simple"});
  same.right = similarity.right;
  EXPECT_VERDICT(judged(judge_similarity_answers_better, {joined(similarity, same)}), kInconclusive,
                 "better than simple at 0");
  EXPECT_VERDICT(judged(judge_similarity_answers_better, {similarity}), kNotRun, "not asked");
}

}  // namespace
}  // namespace plumb::harness
