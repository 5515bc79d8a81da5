#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/csv.h"
#include "base/file.h"
#include "harness/cli/program_testing.h"

namespace plumb::harness::testing {
namespace {

using ::testing::HasSubstr;

class Eval : public TinyCase {
 protected:
  void SetUp() override {
    TinyCase::SetUp();
    fixtures::put(path("own.jsonl"), tiny_questions());
  }

  /// `changed` flags replace those of the usual run.
  ChildOutput eval(const std::string& out,
                   const std::map<std::string, std::string>& changed) const {
    std::map<std::string, std::string> flags{{"--model", model()},
                                             {"--questions", path("own.jsonl")},
                                             {"--tasks", "multiple_choice"},
                                             {"--strategies", "simple,random"},
                                             {"--n", "0-6:3"},
                                             {"--out", path(out)}};
    for (const auto& [flag, value] : changed) flags[flag] = value;
    std::vector<std::string> words{"eval"};
    for (const auto& [flag, value] : flags) words.insert(words.end(), {flag, value});
    return plumb(words);
  }
};

TEST_F(Eval, LogsEveryAnswerThatItsAccuraciesCount) {
  const ChildOutput done = eval("eval", {});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  std::map<std::string, int64_t> right, asked;
  std::istringstream lines(read_file(path("eval/questions/multiple_choice.jsonl")));
  for (std::string line; std::getline(lines, line);) {
    const auto answer = nlohmann::json::parse(line);
    const std::string plan = answer.at("strategy").get<std::string>() + answer.at("n").dump();
    ++asked[plan];
    right[plan] += answer.at("acc").get<int64_t>();
    const auto values = answer.at("values").get<std::vector<double>>();
    ASSERT_EQ(values.size(), 4u);
    EXPECT_EQ(std::max_element(values.begin(), values.end()) - values.begin(),
              answer.at("answer").get<int64_t>());
    EXPECT_EQ(answer.at("acc") == 1, answer.at("answer") == answer.at("target"));
    EXPECT_EQ(answer.at("prompt_hash").get<std::string>().size(), 64u);
  }
  EXPECT_EQ(asked.size(), 6u);
  const auto rows = parse_csv(read_file(path("eval/accuracy.csv")));
  ASSERT_EQ(rows.size(), 7u);
  for (size_t r = 1; r < rows.size(); ++r) {
    const auto cell = [&](const std::string& name) {
      const auto column = std::find(rows[0].begin(), rows[0].end(), name);
      return rows[r].at(static_cast<size_t>(column - rows[0].begin()));
    };
    const std::string plan = cell("strategy") + cell("n");
    EXPECT_EQ(cell("right"), std::to_string(right.at(plan))) << plan;
    EXPECT_EQ(std::stod(cell("acc")), static_cast<double>(right.at(plan)) / 12);
    EXPECT_EQ(cell("questions"), "12");
    EXPECT_EQ(asked.at(plan), 12);
    EXPECT_LE(std::stod(cell("low")), std::stod(cell("acc")));
    EXPECT_GE(std::stod(cell("high")), std::stod(cell("acc")));
  }
}

TEST_F(Eval, GivesTheSameBytesWhateverTheThreadsAndThePlansBesideIt) {
  ASSERT_EQ(eval("a", {{"--threads", "1"}}).exit_code, 0);
  ASSERT_EQ(eval("b", {{"--threads", "2"}}).exit_code, 0);
  EXPECT_TRUE(read_file(path("a/questions/multiple_choice.jsonl")) ==
              read_file(path("b/questions/multiple_choice.jsonl")));
  ASSERT_EQ(eval("c", {{"--strategies", "simple"}}).exit_code, 0);
  const std::string both = read_file(path("a/questions/multiple_choice.jsonl"));
  EXPECT_TRUE(both.starts_with(read_file(path("c/questions/multiple_choice.jsonl"))));
}

TEST_F(Eval, DrawsASampleByTheSeed) {
  const auto lines = [&](const std::string& out, const std::string& seed) {
    EXPECT_EQ(
        eval(out, {{"--sample", "5"}, {"--seed", seed}, {"--strategies", "simple"}, {"--n", "0"}})
            .exit_code,
        0);
    std::set<int64_t> ids;
    std::istringstream log(read_file(path(out + "/questions/multiple_choice.jsonl")));
    for (std::string line; std::getline(log, line);)
      ids.insert(nlohmann::json::parse(line).at("doc_id").get<int64_t>());
    return ids;
  };
  const auto first = lines("a", "1"), again = lines("b", "1"), other = lines("c", "2");
  EXPECT_EQ(first.size(), 5u);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
}

TEST_F(Eval, HasEachPlanUnderLmEvalsKeysToo) {
  const ChildOutput done = eval("eval", {{"--sample", "10"}});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("10 of 12 questions; 10 questions find a difference"));
  const auto json = nlohmann::json::parse(read_file(path("eval/eval.json")));
  const auto& task = json.at("tasks").at(0);
  ASSERT_EQ(json.at("lm_eval").size(), 6u);
  size_t compared = 0;
  for (const auto& plan : json.at("lm_eval")) {
    const auto& result = plan.at("results").at("multiple_choice");
    EXPECT_EQ(plan.at("n-samples").at("multiple_choice").at("effective"), 10);
    EXPECT_EQ(plan.at("n-samples").at("multiple_choice").at("original"), 12);
    EXPECT_EQ(plan.at("n-shot").at("multiple_choice"), 0);
    EXPECT_TRUE(plan.at("versions").contains("multiple_choice"));
    for (const auto& row : task.at("accuracies")) {
      if (row.at("strategy") != plan.at("strategy") || row.at("n") != plan.at("n")) continue;
      const std::string metric = row.at("metric");
      const double accuracy = row.at("accuracy");
      EXPECT_EQ(result.at(metric + ",none"), accuracy);
      // lm-eval: the deviation with n - 1 over sqrt(n).
      EXPECT_NEAR(result.at(metric + "_stderr,none"), std::sqrt(accuracy * (1 - accuracy) / 9),
                  1e-9);
      EXPECT_EQ(row.at("against_whole").is_null(), row.at("n") == 0);
      ++compared;
    }
  }
  EXPECT_EQ(compared, task.at("accuracies").size());
  for (const auto& curve : task.at("curves"))
    EXPECT_EQ(curve.at("collapse").is_null(), !curve.at("not_run").is_null());
}

TEST_F(Eval, SaysWhatItCannotAsk) {
  const auto expect = [&](const std::map<std::string, std::string>& more, int code,
                          const std::string& what) {
    const ChildOutput done = eval("none", more);
    EXPECT_EQ(done.exit_code, code) << done.err;
    EXPECT_THAT(done.err, HasSubstr(what));
    EXPECT_FALSE(fs::exists(path("none/eval.json")));
  };
  expect({{"--tasks", "mmmlu"}}, 2, "known are mmlu");
  expect({{"--tasks", "smoke,multiple_choice"}}, 2, "--questions is for one task");
  expect({{"--sample", "13"}}, 2, "its file has 12");
  expect({{"--sample", "3"}, {"--limit", "3"}}, 2, "give one");
  fixtures::put(path("own.jsonl"), tiny_questions() + "{\n");
  expect({}, 4, "13");
}

}  // namespace
}  // namespace plumb::harness::testing
