#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/file.h"
#include "harness/answers/answers_testing.h"
#include "harness/cli/program_testing.h"

namespace plumb::harness::testing {
namespace {

using ::testing::HasSubstr;

class Compare : public ::testing::Test {
 protected:
  std::string put(const std::string& name, const std::string& lines) const {
    fixtures::put(folder_ / name, lines);
    return folder_ / name;
  }
  ChildOutput compare(const std::string& a, const std::string& b,
                      std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"compare", a, b});
    return plumb(more);
  }
  /// `wrong` wrong answers, then right ones.
  static std::string answers(int wrong, int all = 600) {
    return std::string(static_cast<size_t>(wrong), '0') +
           std::string(static_cast<size_t>(all - wrong), '1');
  }
  std::string path(const std::string& name) const { return folder_ / name; }

 private:
  plumb::testing::TemporaryFolder folder_;
};

TEST_F(Compare, EndsWithTheCodeOfItsVerdict) {
  const std::string whole = put("whole", log_lines(answers(100)));
  const std::string alike = put("alike", log_lines(answers(101)));
  const std::string worse = put("worse", log_lines(answers(200)));
  const std::string unsure = put("unsure", log_lines(answers(110)));
  const std::string other = put("other", log_lines(answers(100), 600));
  EXPECT_EQ(compare(whole, alike).exit_code, 0);
  EXPECT_EQ(compare(whole, worse).exit_code, 1);
  EXPECT_EQ(compare(worse, whole).exit_code, 0);  // better is not worse
  EXPECT_EQ(compare(whole, unsure).exit_code, 3);
  EXPECT_EQ(compare(whole, unsure, {"--inconclusive", "0"}).exit_code, 0);
  EXPECT_EQ(compare(whole, unsure, {"--inconclusive", "1"}).exit_code, 1);
  EXPECT_EQ(compare(whole, unsure, {"--margin", "0.1"}).exit_code, 0);
  EXPECT_EQ(compare(whole, other).exit_code, 7);
  const auto halves = [](const char* second) {
    return log_lines(answers(50, 300), 0, {{"cluster", "a"}}) +
           log_lines(answers(50, 300), 300, {{"cluster", second}});
  };
  const std::string x = put("x", halves("a")), y = put("y", halves("b"));
  EXPECT_EQ(compare(x, y).exit_code, 7);  // INVALID
  // A failure is not hidden by what cannot be compared.
  const std::string more =
      put("more", log_lines(answers(100)) + log_lines(answers(100), 0, {{"task", "more"}}));
  EXPECT_EQ(compare(more, worse).exit_code, 1);
  EXPECT_EQ(compare(more, alike).exit_code, 7);
  EXPECT_EQ(compare(more, alike, {"--tasks", "own"}).exit_code, 0);
}

TEST_F(Compare, WritesEveryNumber) {
  const std::string whole = put("whole", log_lines(answers(100)));
  const std::string worse = put("worse", log_lines(answers(200)));
  const ChildOutput said = compare(whole, worse, {"--out", path("out"), "--format", "json"});
  EXPECT_EQ(said.exit_code, 1) << said.err;
  const auto json = nlohmann::json::parse(said.out);
  EXPECT_EQ(json, nlohmann::json::parse(read_file(path("out/compare.json"))));
  EXPECT_EQ(json.at("exit_code"), 1);
  EXPECT_EQ(json.at("a"), "whole");
  const auto& one = json.at("comparisons").at(0);
  EXPECT_EQ(one.at("right_in_a_alone"), 100);
  EXPECT_EQ(one.at("verdict"), "FAIL");
  EXPECT_TRUE(one.at("interval_clustered").is_null());
  const auto rows = parse_csv(read_file(path("out/compare.csv")));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1][4], "FAIL");
  EXPECT_EQ(rows[1].back(), "22-28");
  EXPECT_EQ(rows[1][16], shortest(one.at("difference").get<double>()));
  EXPECT_THAT(read_file(path("out/junit.xml")), HasSubstr("<failure"));
}

TEST_F(Compare, SaysItInWords) {
  const std::string whole = put("whole", log_lines(answers(100)));
  const ChildOutput said = compare(whole, put("worse", log_lines(answers(200))));
  EXPECT_THAT(said.out, HasSubstr("own acc simple:7: 0.8333 of A, 0.6667 of B"));
  EXPECT_THAT(said.out, HasSubstr("1 FAIL"));
  const ChildOutput unsure = compare(whole, put("unsure", log_lines(answers(110))));
  EXPECT_THAT(unsure.out, HasSubstr("more questions"));
  EXPECT_EQ(compare(whole, whole, {"--format", "quiet"}).out, "");
}

TEST_F(Compare, SaysWhatItCannotRead) {
  const std::string whole = put("whole", log_lines(answers(100)));
  const auto expect = [&](const ChildOutput& done, int code, const std::string& what) {
    EXPECT_EQ(done.exit_code, code);
    EXPECT_THAT(done.err, HasSubstr(what));
  };
  const std::string bad = put("bad", log_lines("11") + log_line(2, true, {{"acc", 3}}));
  expect(compare(whole, bad), 4, "bad: line 3: 'acc' is 3; needed is 0 (wrong) or 1 (right)");
  expect(compare(whole, put("twice", log_lines("11") + log_line(1, true))), 4,
         "line 3: question 1 of task 'own' was answered twice");
  expect(compare(whole, path("none")), 4, "none");
  expect(compare(whole, whole, {"--margin", "2"}), 2, "between 0 and 1");
  expect(compare(whole, whole, {"--plan-a", "simple:3"}), 2, "it has simple:7");
  expect(compare(whole, whole, {"--inconclusive", "2"}), 2, "needed 0, 1 or 3");
  expect(plumb({"compare", whole}), 2, "B is missing");
}

}  // namespace
}  // namespace plumb::harness::testing
