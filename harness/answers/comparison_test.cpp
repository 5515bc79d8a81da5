#include "harness/answers/comparison.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "base/testing.h"
#include "harness/answers/answers_testing.h"

namespace plumb::harness::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

const Json& golden() {
  static const Json json =
      parse_json(read_file(PLUMB_SOURCE_DIR "/fixtures/golden/comparison.json"));
  return json;
}

size_t best(const std::vector<double>& values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

/// One of the golden logs: of each plan and question the values, and what they answer.
AnswerLog golden_log(const std::string& which) {
  std::string lines;
  for (const auto& [n, values] : golden().at("values").at(which).items())
    for (const size_t q : golden().at("asked").at(which)) {
      const auto choices = values[q].get<std::vector<double>>();
      auto normalised = choices;
      for (size_t i = 0; i < choices.size(); ++i)
        normalised[i] /= golden().at("lengths")[q][i].get<double>();
      const auto target = golden().at("target")[q].get<size_t>();
      lines += log_line(static_cast<int>(q), best(choices) == target,
                        {{"n", std::stoi(n)},
                         {"removed", ""},
                         {"target", target},
                         {"values", choices},
                         {"acc_norm", best(normalised) == target ? 1 : 0},
                         {"cluster", golden().at("passage")[q]}});
    }
  return log_of(lines);
}

std::vector<Comparison> compare(const AnswerLog& a, const AnswerLog& b,
                                const CompareOptions& options = {}) {
  return compare_logs(a, b, choose_pairs(a, b, options).pairs, options);
}

/// Roots that scipy finds to 1e-14, of scores whose own rounding is some 1e-14 more.
void expect_ends(const Interval& interval, const Json& ends) {
  EXPECT_NEAR(interval.low, ends[0].get<double>(), 1e-10);
  EXPECT_NEAR(interval.high, ends[1].get<double>(), 1e-10);
}

void expect_equal(const Comparison& found, const Json& expected) {
  EXPECT_EQ(found.counts.questions(), expected.at("questions"));
  EXPECT_EQ(found.counts.both, expected.at("both"));
  EXPECT_EQ(found.counts.only_second, expected.at("only_a"));
  EXPECT_EQ(found.counts.only_first, expected.at("only_b"));
  const auto near = [&](double value, const char* key) {
    EXPECT_NEAR(value, expected.at(key).get<double>(), 1e-11) << key;
  };
  near(found.accuracy_a, "accuracy_a");
  near(found.accuracy_b, "accuracy_b");
  near(found.difference, "difference");
  near(found.p, "p");
  near(found.p_holm, "p_holm");
  near(found.non_inferiority.p, "p_non_inferior");
  near(found.p_inferior_holm, "p_inferior_holm");
  ASSERT_TRUE(found.detectable.has_value());
  near(*found.detectable, "detectable");
  expect_ends(found.interval_a, expected.at("interval_a"));
  expect_ends(found.interval_b, expected.at("interval_b"));
  expect_ends(found.interval, expected.at("interval"));
  ASSERT_TRUE(found.clustered.has_value());
  expect_ends(*found.clustered, expected.at("clustered"));
  expect_ends({found.non_inferiority.lower_bound, found.upper_bound, 0.9, ""},
              expected.at("bounds"));
}

TEST(ComparisonGolden, AgreesWithScipyAndStatsmodels) {
  const auto found = compare(golden_log("a"), golden_log("b"));
  const Json& expected = golden().at("expected");
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    SCOPED_TRACE(found[i].plans.a + " " + found[i].metric);
    EXPECT_EQ(found[i].metric, expected[i].at("metric"));
    EXPECT_EQ(found[i].only_in_a, 6);
    EXPECT_EQ(found[i].only_in_b, 4);
    EXPECT_EQ(found[i].clusters, 40);
    expect_equal(found[i], expected[i]);
    ASSERT_EQ(found[i].log_share.has_value(), expected[i].contains("log_share"));
    if (!found[i].log_share) continue;
    const Json& share = expected[i].at("log_share");
    EXPECT_NEAR(found[i].log_share->mean, share.at("mean").get<double>(), 1e-12);
    expect_ends(*found[i].log_share->clustered, share.at("clustered"));
    // An end is a quantile of 10,000 draws, and scipy's of 200,000: its standard deviation is
    // sqrt(p (1 - p) / draws) / density, at p = 0.025 0.027 and 0.006 standard errors. 4.5 of both.
    const double reach =
        4.5 * std::hypot(0.0268, 0.0060) * share.at("standard_error").get<double>();
    EXPECT_NEAR(found[i].log_share->interval.low, share.at("bca")[0].get<double>(), reach);
    EXPECT_NEAR(found[i].log_share->interval.high, share.at("bca")[1].get<double>(), reach);
  }
}

TEST(Comparison, FlipsItsSignsWhereTheLogsChangePlaces) {
  const AnswerLog a = golden_log("a"), b = golden_log("b");
  const auto there = compare(a, b), back = compare(b, a);
  ASSERT_EQ(there.size(), back.size());
  for (size_t i = 0; i < there.size(); ++i) {
    EXPECT_EQ(there[i].counts.only_first, back[i].counts.only_second);
    EXPECT_EQ(there[i].only_in_a, back[i].only_in_b);
    EXPECT_EQ(there[i].accuracy_a, back[i].accuracy_b);
    EXPECT_EQ(there[i].interval_a.low, back[i].interval_b.low);
    EXPECT_EQ(there[i].difference, -back[i].difference);
    EXPECT_EQ(there[i].interval.low, -back[i].interval.high);
    EXPECT_EQ(there[i].clustered->low, -back[i].clustered->high);
    EXPECT_EQ(there[i].non_inferiority.lower_bound, -back[i].upper_bound);
    EXPECT_EQ(there[i].p, back[i].p);
    EXPECT_EQ(there[i].detectable, back[i].detectable);
    if (!there[i].log_share) continue;
    EXPECT_NEAR(there[i].log_share->mean, -back[i].log_share->mean, 1e-15);
    EXPECT_NEAR(there[i].log_share->interval.low, -back[i].log_share->interval.high, 1e-12);
  }
}

std::string repeated(const std::string& answers, int times) {
  std::string out;
  for (int k = 0; k < times; ++k) out += answers;
  return out;
}

TEST(Comparison, DecidesByBothBoundsOfTheDifference) {
  const auto verdict = [](const std::string& a, const std::string& b) {
    return compare(log_of(log_lines(a)), log_of(log_lines(b))).at(0).verdict;
  };
  const std::string half = repeated("01", 300);
  EXPECT_EQ(verdict(half, half).kind, VerdictKind::kPass);
  EXPECT_EQ(verdict(half, repeated("00", 100) + repeated("01", 200)).kind, VerdictKind::kFail);
  // 12 of 600 fewer: the margin itself.
  const Verdict at_the_margin = verdict(half, repeated("00", 12) + repeated("01", 288));
  EXPECT_EQ(at_the_margin.kind, VerdictKind::kInconclusive);
  EXPECT_THAT(at_the_margin.next_step, HasSubstr("no number of questions"));
  const Verdict few = verdict(repeated("01", 20), repeated("01", 20));
  EXPECT_EQ(few.kind, VerdictKind::kInconclusive);
  // The least n whose lower bound -z^2 / (n + z^2) without a discordant answer is above -0.02 at z
  // = 1.645.
  EXPECT_THAT(few.next_step, HasSubstr(text("about ", 133 - 40, " more questions")));
}

TEST(Comparison, AsManyQuestionsAsItAsksForDecide) {
  // 10 of 400 differ, all one way: -0.025 against a margin of 0.05.
  const auto counts = [](int64_t times) {
    return paired_evidence(
        {.both = 200 * times, .only_second = 10 * times, .neither = 190 * times});
  };
  const auto needed = questions_to_decide(counts(1), 0.05);
  ASSERT_TRUE(needed.has_value());
  // 80 % power: (1.6449 + 0.8416)^2 (0.025 - 0.025^2) / 0.025^2 = 241.1.
  EXPECT_EQ(*needed, 242);
  EXPECT_TRUE(non_inferiority(counts(1), 0.05).shown);
  EXPECT_FALSE(questions_to_decide(counts(1), 0.025).has_value());
}

TEST(Comparison, HolmKeepsOneOfManyFromFailing) {
  // Each plan alone would fail at p = 0.03; of 20 such, none is left but those that are far off.
  std::string a, b;
  for (int n = 0; n < 20; ++n) {
    a += log_lines(repeated("1", 200), 0, {{"n", n}});
    b += log_lines(repeated("0", 9) + repeated("1", 191), 0, {{"n", n}});
  }
  const auto all = compare(log_of(a), log_of(b));
  ASSERT_EQ(all.size(), 20u);
  EXPECT_LE(all[0].p_inferior, 0.05);
  EXPECT_GT(all[0].p_inferior_holm, 0.05);
  EXPECT_EQ(all[0].verdict.kind, VerdictKind::kInconclusive);
  EXPECT_THAT(all[0].verdict.reason, HasSubstr("after Holm over all comparisons"));
  EXPECT_EQ(compare(log_of(log_lines(repeated("1", 200))),
                    log_of(log_lines(repeated("0", 9) + repeated("1", 191))))[0]
                .verdict.kind,
            VerdictKind::kFail);
}

TEST(Comparison, ClustersWidenWhatTheyHold) {
  // Four questions of a cluster turn together.
  std::string a, b;
  for (int q = 0; q < 400; ++q) {
    const Json cluster = {{"cluster", q / 4}};
    a += log_line(q, q / 4 % 2 == 0, cluster);
    b += log_line(q, q / 4 % 10 == 0 ? (q / 40) % 2 == 0 : q / 4 % 2 == 0, cluster);
  }
  const Comparison found = compare(log_of(a), log_of(b)).at(0);
  EXPECT_EQ(found.clusters, 100);
  ASSERT_TRUE(found.clustered.has_value());
  EXPECT_LT(found.clustered->low, found.interval.low);
  EXPECT_THAT(found.clustered->method, HasSubstr("100 clusters"));
}

TEST(Comparison, SubjectsAreNoSampleAndPassagesAre) {
  const auto of = [](const char* task) {
    std::string a, b;
    for (int q = 0; q < 400; ++q) {
      const Json changed = {{"cluster", q / 4}, {"task", task}};
      a += log_line(q, q / 4 % 2 == 0, changed);
      b += log_line(q, q / 4 % 10 != 0 && q / 4 % 2 == 0, changed);
    }
    return compare(log_of(a), log_of(b)).at(0);
  };
  const Comparison subjects = of("mmlu"), passages = of("boolq");
  EXPECT_TRUE(subjects.fixed_groups);
  EXPECT_EQ(subjects.deciding().low, subjects.interval.low);
  EXPECT_FALSE(passages.fixed_groups);
  EXPECT_EQ(passages.deciding().low, passages.clustered->low);
  EXPECT_EQ(subjects.clustered->low, passages.clustered->low);
  EXPECT_LT(passages.non_inferiority.lower_bound, subjects.non_inferiority.lower_bound);
}

TEST(Comparison, NamesWhatIsIncomparable) {
  const auto expect = [](const std::string& a, const std::string& b, VerdictKind kind,
                         const std::string& what, size_t at = 0) {
    const auto all = compare(log_of(a), log_of(b));
    ASSERT_GT(all.size(), at);
    EXPECT_EQ(all[at].verdict.kind, kind);
    EXPECT_THAT(all[at].verdict.reason, HasSubstr(what));
    EXPECT_FALSE(all[at].verdict.next_step.empty());
  };
  const std::string own = log_lines("1010");
  constexpr auto kIncomparable = VerdictKind::kIncomparable;
  expect(own, log_lines("1010", 4), kIncomparable, "no question in common");
  expect(own, log_lines("1010", 0, {{"target_hash", sha256_hex("another")}}), kIncomparable,
         "right answers are not");
  expect(own, log_lines("10") + log_line(2, true, {{"prompt_hash", sha256_hex("another")}}),
         kIncomparable,
         "1 of 3 common questions were asked with another prompt, the first in row 2");
  expect(own + log_lines("10", 0, {{"task", "more"}}), own, kIncomparable,
         "log B has no answers to this task", 1);
  expect(own, own + log_lines("10", 0, {{"task", "more"}}), kIncomparable,
         "log A has no answers to this task", 1);
  const auto clustered = [](const std::string& names) {
    std::string lines;
    for (int q = 0; q < 4; ++q)
      lines += log_line(q, true, {{"cluster", names.substr(static_cast<size_t>(q), 1)}});
    return lines;
  };
  expect(clustered("xxyy"), clustered("xyyy"), VerdictKind::kInvalid,
         "1 of 4 common questions are clustered otherwise");
  expect(clustered("xxyy"), clustered("yyyy"), VerdictKind::kInvalid,
         "2 of 4 common questions are clustered otherwise");
  // Other names for the same clusters.
  EXPECT_EQ(compare(log_of(clustered("xxyy")), log_of(clustered("5500"))).at(0).clusters, 2);
  // Plans of one name that answered other questions.
  expect(log_lines("11") + log_lines("11", 2, {{"n", 8}}),
         log_lines("11", 2) + log_lines("11", 0, {{"n", 8}}), kIncomparable,
         "answered no question in common");
}

TEST(Comparison, MatchesRowsThatHoldTheSameQuestionInTheirOrder) {
  const auto twice = [](bool first, bool second, int row) {
    return log_of(log_line(3, first, {{"doc_id", row}}) +
                  log_line(3, second, {{"doc_id", row + 5}}));
  };
  const Comparison found = compare(twice(true, false, 0), twice(true, false, 20)).at(0);
  EXPECT_EQ(found.counts.both, 1);
  EXPECT_EQ(found.counts.neither, 1);
  EXPECT_EQ(found.only_in_a + found.only_in_b, 0);
}

TEST(PlanPairs, AreNamesakesUnlessOneIsNamed) {
  const AnswerLog one = log_of(log_lines("11"));
  const AnswerLog other = log_of(log_lines("11", 0, {{"strategy", "similarity"}}));
  const AnswerLog two = log_of(log_lines("11") + log_lines("11", 0, {{"n", 8}}));
  const AnswerLog three = log_of(log_lines("11", 0, {{"n", 9}}) + log_lines("11", 0, {{"n", 8}}));
  const auto names = [](const AnswerLog& a, const AnswerLog& b, const std::string& plan_a = "",
                        const std::string& plan_b = "") {
    std::string out;
    for (const PlanPair& pair : choose_pairs(a, b, {.plan_a = plan_a, .plan_b = plan_b}).pairs)
      out += pair.a + " " + pair.b + "; ";
    return out;
  };
  EXPECT_EQ(names(one, other), "simple:7 similarity:7; ");
  EXPECT_EQ(names(one, two), "simple:7 simple:7; ");
  EXPECT_EQ(names(two, two), "simple:7 simple:7; simple:8 simple:8; ");
  EXPECT_EQ(names(two, three), "simple:8 simple:8; ");
  EXPECT_EQ(names(two, two, "simple:7", "simple:8"), "simple:7 simple:8; ");
  EXPECT_EQ(names(two, two, "simple:8"), "simple:8 simple:8; ");
  EXPECT_EQ(choose_pairs(two, three, {}).only_in_a, std::vector<std::string>{"simple:7"});
  EXPECT_EQ(choose_pairs(two, three, {}).only_in_b, std::vector<std::string>{"simple:9"});

  const auto refused = [&](const AnswerLog& a, const AnswerLog& b, const std::string& plan_a,
                           const std::string& what) {
    const Error error = plumb::testing::error_of([&] { choose_pairs(a, b, {.plan_a = plan_a}); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.what(), HasSubstr(what));
  };
  refused(two, two, "simple:9", "log A has no plan 'simple:9'; it has simple:7, simple:8");
  refused(other, two, "", "name one with --plan-b");
  refused(log_of(log_lines("1") + log_lines("1", 0, {{"n", 6}})), three, "",
          "no plan of the same name");
}

}  // namespace
}  // namespace plumb::harness::testing
