// What the summary composes; its functions are compared with peers in base/statistics.

#include "harness/pipeline/accuracy_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "base/statistics/proportion.h"
#include "harness/pipeline/accuracy_json.h"
#include "harness/pipeline/answered_testing.h"

namespace plumb::harness {
namespace {

using testing::collapsing;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

const Json& golden_cases() {
  static const Json golden =
      parse_json(read_file(PLUMB_SOURCE_DIR "/fixtures/golden/accuracy_summary.json"));
  EXPECT_EQ(golden.at("cases").size(), 2u);
  return golden.at("cases");
}

AnsweredTask answered_of(const Json& c) {
  AnsweredTask a{.task = "words", .metric = "acc", .chance = c.at("chance"), .block_count = 8};
  a.role = ClusterRole::kGroups;
  a.cluster_field = "topic";
  for (const char digit : c.at("groups").get<std::string>()) a.clusters.push_back(digit - '0');
  const auto most = *std::max_element(a.clusters.begin(), a.clusters.end());
  for (int64_t g = 0; g <= most; ++g) a.cluster_names.push_back(text("topic", g));
  for (const Json& plan : c.at("plans")) {
    a.plans.push_back({plan.at("strategy"), plan.at("n"), plan.at("removed")});
    a.right.emplace_back();
    for (const char digit : plan.at("right").get<std::string>())
      a.right.back().push_back(digit == '1');
  }
  return a;
}

AccuracySummary summary_of(AnsweredTask answered, int64_t draws = 300) {
  return summarise(std::move(answered), {.draws = draws, .seed = 1});
}

/// Peers compute in doubles from the same counts: 1e-9 of a number's size is far above their
/// rounding, and is what lm-eval's error is promised to.
void expect_same(double found, const Json& peer) {
  EXPECT_NEAR(found, peer.get<double>(), 1e-9 * std::max(1e-3, std::abs(peer.get<double>())));
}

TEST(AccuracySummary, TakesThePeersIntervalOfEachPlan) {
  for (const Json& c : golden_cases()) {
    const AccuracySummary s = summary_of(answered_of(c));
    for (size_t i = 0; i < s.plans.size(); ++i) {
      const Json& peer = c.at("plans").at(i);
      const PlanAccuracy& plan = s.plans[i];
      EXPECT_THAT(plan.interval.method,
                  HasSubstr(peer.at("exact") ? "Clopper-Pearson" : "Wilson, "));
      expect_same(plan.interval.low, peer.at("low"));
      expect_same(plan.interval.high, peer.at("high"));
      expect_same(plan.p_above_chance, peer.at("p_above_chance"));
      expect_same(plan.averages.macro, peer.at("macro"));
      ASSERT_TRUE(plan.other_interval);
      EXPECT_THAT(plan.other_interval->method, HasSubstr("cluster-robust"));
    }
  }
}

TEST(AccuracySummary, AdjustsWithinEachStrategyInTheOrderOfThePlans) {
  const auto expect_family = [](const std::vector<PlanComparison>& found, const Json& peer) {
    ASSERT_EQ(found.size(), peer.size());
    for (size_t i = 0; i < found.size(); ++i) {
      expect_same(found[i].pair.p, peer.at(i).at("p"));
      expect_same(found[i].pair.p_holm, peer.at(i).at("holm"));
      expect_same(found[i].pair.p_bh, peer.at(i).at("bh"));
    }
  };
  for (const Json& c : golden_cases()) {
    const AccuracySummary s = summary_of(answered_of(c));
    expect_family(s.against_whole, c.at("against_whole"));
    expect_family(s.against_simple, c.at("against_simple"));
    for (const PlanComparison& pair : s.against_simple) {
      EXPECT_EQ(s.answered.plans[pair.against].strategy, "simple");
      EXPECT_EQ(s.answered.plans[pair.against].n, s.answered.plans[pair.plan].n);
    }
  }
}

TEST(AccuracySummary, WritesLmEvalsErrorUnderItsKeys) {
  for (const Json& c : golden_cases()) {
    const AccuracySummary s = summary_of(answered_of(c));
    for (size_t i = 0; i < s.plans.size(); ++i) {
      const Json& peer = c.at("plans").at(i);
      const Json alone = lm_eval_results(s, i, false), group = lm_eval_results(s, i, true);
      EXPECT_EQ(alone.size(), 1u);
      expect_same(alone.at("words").at("acc_stderr,none"), peer.at("acc_stderr"));
      expect_same(group.at("words").at("acc_stderr,none"), peer.at("pooled_stderr"));
      EXPECT_EQ(alone.at("words").at("acc,none"), s.plans[i].accuracy);
      EXPECT_EQ(group.size(), 1 + s.answered.cluster_names.size());
      EXPECT_TRUE(group.contains("words_topic3"));
    }
  }
}

TEST(AccuracySummary, FindsAPlantedCollapseAndTheFlatPartBeforeIt) {
  // 20,000 questions of which a quarter is answered differently: the one-sided bound is about
  // 1.65 sqrt(0.25 / 20000) = 0.006 below the difference, which is 0.003 at n = 7 (five widths
  // before f0), 0.016 at n = 8 and 0.07 at n = 9.
  const AccuracySummary s = summary_of(collapsing({.questions = 20000, .run = 1}), 500);
  ASSERT_TRUE(s.above_chance) << s.not_above_chance;
  const AccuracyCurve& curve = s.curves.at(0);
  ASSERT_TRUE(curve.collapse);
  EXPECT_TRUE(curve.collapse->shown);
  EXPECT_LE(curve.collapse->f0.low, 0.5);
  EXPECT_GE(curve.collapse->f0.high, 0.5);
  EXPECT_LE(curve.collapse->width.low, 0.03);
  EXPECT_GE(curve.collapse->width.high, 0.03);
  EXPECT_GE(curve.flat_to, 7);
  EXPECT_LE(curve.flat_to, 8);
  EXPECT_GT(curve.falling->p, 0.05);
  EXPECT_EQ(s.against_whole.size(), 19u);
  EXPECT_TRUE(s.against_simple.empty());
  const Json row = curves_json(s).at(0);
  EXPECT_TRUE(row.at("not_run").is_null());
  EXPECT_EQ(row.at("collapse").at("f0"), curve.collapse->logistic.centre);
  // What is left of knowledge at the end is none, at the beginning all.
  EXPECT_EQ(s.plans[0].calibrated->value, 1);
  EXPECT_LE(s.plans[19].calibrated->interval->low, 0);
}

TEST(AccuracySummary, ACollapseOfGroupsIsThatOfTheirMean) {
  AnsweredTask a = collapsing({.questions = 1200, .run = 2});
  a.cluster_field = "subject";
  for (int64_t q = 0; q < 1200; ++q) a.clusters.push_back(q < 100 ? 0 : 1);
  a.cluster_names = {"small", "large"};
  a.role = ClusterRole::kGroups;
  // The small group collapses earlier: what stands at n = 5 is what stands at 12.
  for (size_t n = 5; n < 12; ++n) std::copy_n(a.right[12].begin(), 100, a.right[n].begin());
  AnsweredTask alone = a;
  alone.role = ClusterRole::kNone;
  const AccuracySummary macro = summary_of(std::move(a)), micro = summary_of(std::move(alone));
  EXPECT_TRUE(macro.over_groups());
  EXPECT_LT(macro.curves.at(0).collapse->logistic.centre,
            micro.curves.at(0).collapse->logistic.centre - 0.05);
  EXPECT_EQ(curves_json(macro).at(0).at("average"), "macro");
  EXPECT_EQ(curves_json(micro).at(0).at("average"), "micro");
}

TEST(AccuracySummary, RisingAccuracyIsNotTakenForAFallingOne) {
  AnsweredTask a = collapsing({.questions = 1000});
  std::swap(a.right[3], a.right[14]);
  EXPECT_LE(summary_of(std::move(a)).curves.at(0).falling->p, 0.01);
}

TEST(AccuracySummary, OfAModelAtChanceNothingIsFitted) {
  const AccuracySummary s = summary_of(collapsing({.questions = 400, .upper = 0.25}));
  EXPECT_FALSE(s.above_chance);
  for (const std::string& reason : {s.not_above_chance, s.curves.at(0).not_run})
    EXPECT_THAT(reason, HasSubstr("at chance cannot collapse"));
  EXPECT_FALSE(s.curves[0].collapse || s.curves[0].falling);
  const Json row = curves_json(s).at(0);
  EXPECT_TRUE(row.at("collapse").is_null() && row.at("flat_to_n").is_null());
  EXPECT_THAT(row.at("not_run").get<std::string>(), HasSubstr("chance is 0.25"));
  for (const Json& plan : accuracies_json(s))
    if (plan.at("n") > 0) {
      EXPECT_FALSE(plan.at("against_whole").contains("no_worse"));
    }
}

TEST(AccuracySummary, WithoutTheWholeModelOrEnoughPlansItSaysWhatIsMissing) {
  AnsweredTask a = collapsing({.questions = 400});
  a.plans.erase(a.plans.begin());
  a.right.erase(a.right.begin());
  const AccuracySummary headless = summary_of(a);
  EXPECT_THAT(headless.curves.at(0).not_run, HasSubstr("n = 0"));
  EXPECT_TRUE(headless.against_whole.empty());
  AnsweredTask few = collapsing({.questions = 400});
  few.plans.resize(4);
  few.right.resize(4);
  EXPECT_THAT(summary_of(few).curves.at(0).not_run, HasSubstr("4 values of n"));
}

TEST(AccuracySummary, QuestionsOfOnePassageWidenEveryInterval) {
  AnsweredTask a = collapsing({.questions = 600});
  // Five questions of each passage are answered alike.
  for (auto& row : a.right)
    for (size_t q = 0; q < row.size(); ++q) row[q] = row[q - q % 5];
  for (int64_t q = 0; q < 600; ++q) a.clusters.push_back(q / 5);
  const AccuracySummary alone = summary_of(a);
  a.role = ClusterRole::kSample;
  const AccuracySummary together = summary_of(a);
  const auto width = [](const Interval& i) { return i.high - i.low; };
  for (size_t i = 0; i < alone.plans.size(); ++i) {
    // Five equal answers count as one: wider by sqrt(5), less what a score interval's shape takes.
    EXPECT_GT(width(together.plans[i].interval), 1.8 * width(alone.plans[i].interval));
    EXPECT_EQ(together.plans[i].other_interval->low, alone.plans[i].interval.low);
    EXPECT_FALSE(alone.plans[i].other_interval);
  }
  for (size_t i = 0; i < alone.against_whole.size(); ++i)
    EXPECT_GE(width(together.against_whole[i].pair.interval),
              width(alone.against_whole[i].pair.interval));
}

TEST(AccuracySummary, ClustersThatAreOneOrOneAQuestionAreNone) {
  AnsweredTask a = collapsing({.questions = 200});
  a.role = ClusterRole::kSample;
  a.clusters.assign(200, 0);
  EXPECT_EQ(summary_of(a).answered.role, ClusterRole::kNone);
  std::iota(a.clusters.begin(), a.clusters.end(), 0);
  EXPECT_EQ(summary_of(a).answered.role, ClusterRole::kNone);
}

TEST(AccuracySummary, RefusesRowsThatDoNotFit) {
  AnsweredTask a = collapsing({.questions = 100});
  a.right[3].pop_back();
  EXPECT_THROW(summary_of(a), Error);
  a.right.clear();
  EXPECT_THROW(summary_of(a), Error);
}

TEST(PairedSummary, OfEqualAnswersHasAnIntervalAndNothingToDetect) {
  const std::vector<uint8_t> answers(240, 1);
  const PairedSummary pair = summarise_pair(answers, answers);
  EXPECT_EQ(pair.difference, 0);
  EXPECT_EQ(pair.p, 1);
  EXPECT_FALSE(pair.detectable);
  // Tango without discordant pairs: z^2 / (n + z^2) on both sides, 3.8415 / 243.8415.
  EXPECT_NEAR(pair.interval.high, 0.0157540, 1e-6);
  EXPECT_TRUE(pair.flat.shown);
}

TEST(PairedSummary, NamesTheLeastDifferenceOfASet) {
  // (1.95996 + 0.84162) sqrt(0.05 / 240) = 0.0404, and so on: the table of planned sizes.
  EXPECT_THAT(detectable_text(240),
              HasSubstr("240 questions find a difference in accuracy of 0.04"));
  EXPECT_THAT(detectable_text(14042), HasSubstr("0.0053, 0.0075 or 0.011"));
}

}  // namespace
}  // namespace plumb::harness
