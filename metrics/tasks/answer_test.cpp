#include "metrics/tasks/answer.h"

#include <gmock/gmock.h>

#include <cmath>

#include "metrics/tasks/tasks_testing.h"

namespace plumb::metrics {
namespace {

using plumb::testing::error_of;
using testing::changed;
using ::testing::HasSubstr;
using testing::Json;
using testing::task;

Question question_of(const Task& one, const Json& row) {
  return testing::file_of(one, Json::array({row})).questions[0];
}

TEST(Answer, IsTheLargestValueAndOfEqualOnesTheFirst) {
  const double values[] = {-3, -1, -2, -1};
  const Choice choice = largest(values, 1);
  EXPECT_EQ(choice.index, 1);
  EXPECT_EQ(choice.margin, 0);
  EXPECT_TRUE(choice.correct);
  const double clear[] = {2, -1, 0.5};
  EXPECT_EQ(largest(clear, 1).margin, 1.5);
  EXPECT_FALSE(largest(clear, 1).correct);
  const double zeros[] = {-0.0, 0.0};
  EXPECT_EQ(largest(zeros, 0).index, 0) << "both zeros are equal";
  const double one[] = {3};
  EXPECT_EQ(largest(one, 0).margin, std::numeric_limits<double>::infinity());
}

TEST(Answer, IsRefusedForWhatIsNoNumber) {
  for (const double wrong : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    const double values[] = {0, wrong};
    const Error error = error_of([&] { largest(values, 0); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_THAT(error.what(), HasSubstr("the value of choice 1 is"));
  }
  EXPECT_EQ(error_of([] { largest({}, 0); }).kind(), ErrorKind::kInput);
}

// Numbers chosen so that the sum prefers the short choice, the mean per character the long one, and the mean per byte another.
TEST(Answer, IsNormalisedByCharactersOfTheChoiceAlone) {
  const Task& one = task("arc_easy");
  const Question question =
      question_of(one, {{"question", "q"},
                        {"choices", {"ab", "abcdefgh", "\u00E9\u00E9\u00E9\u00E9"}},
                        {"answer", 1}});
  const double sums[] = {-4, -8.8, -5};  // per character -2, -1.1, -1.25; per byte -2, -1.1, -0.625
  const Answer answer = choose(one, question, sums);
  EXPECT_EQ(answer.best.index, 0);
  EXPECT_FALSE(answer.best.correct);
  ASSERT_TRUE(answer.normalised.has_value());
  EXPECT_EQ(answer.normalised->index, 1);
  EXPECT_TRUE(answer.normalised->correct);
  EXPECT_NEAR(answer.normalised->margin, 0.15, 1e-12);
  const Task without = changed("arc_easy", {{"metrics", {"acc"}}});
  EXPECT_FALSE(choose(without, question, sums).normalised.has_value());
  EXPECT_EQ(error_of([&] { choose(one, question, std::span(sums).first(2)); }).kind(),
            ErrorKind::kInvariant);
}

Task written_task(const Json& generate) {
  return changed("multiple_choice", {{"scoring", "generate"},
                                     {"metrics", {"exact_match"}},
                                     {"chance", nullptr},
                                     {"generate", generate}});
}

TEST(WrittenAnswer, IsExtractedBeforeTheStopAndCompared) {
  // A user's task in GSM8K's form: the number after ####, commas ignored.
  const Task sums = written_task({{"max_tokens", 99},
                                  {"stop", {"\nQuestion:", "</s>"}},
                                  {"extract", "(?<=#### )-?[0-9.,]+"},
                                  {"ignore", {",", "\\.$"}}});
  const Question question =
      question_of(sums, {{"question", "q"}, {"answer", "First 1,000 and then 234.\n#### 1,234"}});
  const auto said = [&](const std::string& text) { return judge(sums, question, text); };
  EXPECT_TRUE(said(" It is so.\n#### 1234.\n#### 7").correct);
  EXPECT_EQ(said("#### 1,2,34").extracted, "1,2,34");
  EXPECT_TRUE(said("#### 1,2,34").correct);
  EXPECT_FALSE(said("#### 12345").correct);
  EXPECT_FALSE(said("1234").found);
  EXPECT_FALSE(said("1234").correct);
  EXPECT_FALSE(said("it is\nQuestion: #### 1234").found) << "what follows a stop is not the answer";
  EXPECT_EQ(before_stop(*sums.generate, "a</s>b\nQuestion:"), "a");
}

TEST(WrittenAnswer, TakesTheFirstOrTheLastMatchOrTheWholeText) {
  const Question seven =
      question_of(written_task({{"max_tokens", 9}}), {{"question", "q"}, {"answer", "Seven"}});
  EXPECT_TRUE(judge(written_task({{"max_tokens", 9}}), seven, " Seven\n").correct);
  EXPECT_FALSE(judge(written_task({{"max_tokens", 9}}), seven, "seven").correct);
  EXPECT_TRUE(
      judge(written_task({{"max_tokens", 9}, {"ignore_case", true}}), seven, "sEVEN").correct);
  const Json words = {{"max_tokens", 9}, {"extract", "[A-Z][a-z]+"}};
  Json last = words;
  last["take"] = "last";
  EXPECT_EQ(judge(written_task(words), seven, "No, Six or Seven").extracted, "No");
  EXPECT_TRUE(judge(written_task(last), seven, "No, Six or Seven").correct);
  // A pattern that matches nothing at many places ends.
  EXPECT_FALSE(
      judge(written_task({{"max_tokens", 9}, {"extract", "x*"}}), seven, "\u8336\u8336").found);
  const Error error = error_of([&] {
    judge(written_task({{"max_tokens", 9}, {"extract", "(a"}}), seven, "a");
  });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("the expression '(a'"));
}

}  // namespace
}  // namespace plumb::metrics
