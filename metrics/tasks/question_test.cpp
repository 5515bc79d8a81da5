#include "metrics/tasks/question.h"

#include <gmock/gmock.h>

#include <set>

#include "metrics/tasks/tasks_testing.h"

namespace plumb::metrics {
namespace {

using plumb::testing::error_of;
using testing::changed;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Json;
using testing::task;

const std::string kGood = R"({"question": "q", "choices": ["a", "b"], "answer": 0})"
                          "\n";

struct Row {
  std::string line;
  std::string said;
};

TEST(Questions, NameTheLineAndWhatIsWrongWithIt) {
  const auto row = [](const std::string& choices, const std::string& answer) {
    return R"({"question": "q", "choices": )" + choices + R"(, "answer": )" + answer + "}";
  };
  const std::string two = R"(["a", "b"])";
  std::string many = "[";
  for (int i = 0; i < 27; ++i) many += (i == 0 ? "\"c" : ", \"c") + std::to_string(i) + "\"";
  const Row rows[] = {
      {"", "is blank"},
      {" \t\r", "is blank"},
      {"{", "not JSON at byte"},
      {"[1]", "the row is array; needed is an object"},
      {"\"q\"", "the row is \"q\""},
      {"{}", "'question' is missing; needed is that field; the row has none"},
      {row(two, "NaN"), "not JSON at byte"},
      {row(two, "-NaN"), "not JSON at byte"},
      {row(two, "Infinity"), "not JSON at byte"},
      {row(two, "null"), "'answer' is null; needed is an integer from 0 to 1"},
      {row(two, "1.0"), "'answer' is 1.0"},
      {row(two, "1e0"), "'answer' is 1.0"},
      {row(two, "true"), "'answer' is true"},
      {row(two, "\"B\""), "'answer' is \"B\""},
      {row(two, "[0]"), "'answer' is array"},
      {row(two, "2"), "'answer' is 2; needed is an integer from 0 to 1"},
      {row(two, "-1"), "'answer' is -1"},
      {row(two, "18446744073709551615"), "'answer' is 18446744073709551615"},
      {row(two, "99999999999999999999999"), "e+22; needed is an integer from 0 to 1"},
      {row("[]", "0"), "'choices' has 0 entries; needed is 2 to 26"},
      {row("[\"a\"]", "0"), "'choices' has 1 entries"},
      {row(many + "]", "0"), "'choices' has 27 entries"},
      {row("\"ab\"", "0"), "'choices' is \"ab\"; needed is a list of texts"},
      {row("[\"a\", 1]", "0"), "'choices[1]' is 1; needed is a text"},
      {row("[\"a\", null]", "0"), "'choices[1]' is null"},
      {row("[\"a\", \"\"]", "0"), "'choices[1]' is empty"},
      {row("[\" \\n\", \"b\"]", "0"), "'choices[0]' is empty"},
      {row("[\"a\", \"b\", \"a\"]", "0"), "'choices' has the same text at 0 and 2"},
      {R"({"question": "", "choices": ["a", "b"], "answer": 0})", "'question' is empty"},
      {R"({"question": null, "choices": ["a", "b"], "answer": 0})", "'question' is null"},
      {R"({"question": ["q"], "choices": ["a", "b"], "answer": 0})", "'question' is array"},
      {R"({"question": 1.5, "choices": ["a", "b"], "answer": 0})", "'question' is 1.5"},
      {R"({"question": "q", "answer": 0})", "'choices' is missing"},
      {R"({"question": "q", "choices": ["a", "b"]})", "'answer' is missing"},
      {R"({"question": "q", "question": "r", "choices": ["a", "b"], "answer": 0})",
       "the key \"question\" occurs twice"},
      {kGood.substr(0, kGood.size() - 1) + " x", "not JSON at byte"},
      {"{\"question\": \"\xC3\", \"choices\": [\"a\", \"b\"], \"answer\": 0}", "is no valid UTF-8"},
      {"{\"question\": \"\xED\xA0\x80\", \"choices\": [\"a\", \"b\"], \"answer\": 0}",
       "no valid UTF-8"},
      {std::string("{\"question\": \"a\0\"}", 16), "is NUL"},
      {R"({"question": "\ud800", "choices": ["a", "b"], "answer": 0})", "not JSON at byte"},
  };
  for (const Row& wrong : rows) {
    const Error error = error_of([&] {
      parse_questions(task("multiple_choice"), kGood + wrong.line + "\n" + kGood, "own.jsonl");
    });
    EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("own.jsonl: ")) << wrong.line;
    EXPECT_THAT(error.what(), HasSubstr("line 2")) << wrong.line;
    EXPECT_THAT(error.what(), HasSubstr(wrong.said)) << wrong.line;
  }
}

// A byte changed, taken out or put in at any place: a row is read or refused in one line, and nothing else happens.
TEST(Questions, AreReadOrRefusedWhateverHappensToAByte) {
  const Task& own = task("multiple_choice");
  const std::string foreign("\0\n\"\\{}[],:0-e\xC3\xFF ", 17);
  size_t refused = 0;
  for (size_t at = 0; at < kGood.size(); ++at)
    for (const char c : foreign)
      for (const size_t taken : {0, 1, 9}) {
        std::string bytes = kGood;
        bytes.replace(at, taken, 1, c);
        try {
          parse_questions(own, bytes, "f");
        } catch (const Error& error) {
          ++refused;
          ASSERT_EQ(error.kind(), ErrorKind::kInput) << bytes;
          ASSERT_EQ(std::string(error.what()).find('\n'), std::string::npos) << bytes;
        }
      }
  EXPECT_GT(refused, kGood.size() * foreign.size());
}

TEST(Questions, AreOneALineWhetherTheLastLineEndsOrNot) {
  const Task& own = task("multiple_choice");
  EXPECT_EQ(parse_questions(own, kGood + kGood, "f").questions.size(), 2u);
  const auto file = parse_questions(own, (kGood + kGood).substr(0, 2 * kGood.size() - 1), "f");
  EXPECT_EQ(file.questions.size(), 2u);
  EXPECT_EQ(file.questions[1].line, 2);
  const Error none = error_of([&] { parse_questions(own, "", "f"); });
  EXPECT_THAT(none.what(), HasSubstr("'f' holds no question"));
  EXPECT_THAT(error_of([&] { parse_questions(own, kGood + "\n", "f"); }).what(),
              HasSubstr("line 2: is blank"));
  // Only 0x0A ends a line: these are white space within JSON or part of a text.
  const std::string carriage = kGood.substr(0, kGood.size() - 1) + "\r\n";
  EXPECT_EQ(parse_questions(own, carriage, "f").questions.size(), 1u);
  const auto separated = parse_questions(
      own, "{\"question\": \"a\u2028b\", \"choices\": [\"a\", \"b\"], \"answer\": 0}", "f");
  EXPECT_EQ(separated.questions[0].field("question"), "a\u2028b");
}

TEST(Questions, KeepTheFieldsThatTheTaskUses) {
  const Task own = changed("multiple_choice", {{"cluster", "page"}, {"prompt", "{text}?"}});
  const QuestionFile file = testing::file_of(
      own,
      Json::parse(
          R"([{"other": {"a": [1.5]}, "page": 7, "text": "q", "choices": ["a", "b"], "answer": 1},
                           {"page": 9, "text": "r", "choices": ["a", "b"], "answer": 0},
                           {"page": 7, "text": "s", "choices": ["a", "b"], "answer": 0}])"));
  EXPECT_EQ(file.questions[0].field("page"), "7");
  EXPECT_EQ(file.questions[0].field("text"), "q");
  EXPECT_EQ(error_of([&] { file.questions[0].field("other"); }).kind(), ErrorKind::kInvariant);
  EXPECT_THAT(clusters(own, file.questions), ElementsAre(0, 1, 0));
  const Task without = changed("multiple_choice", {{"prompt", "{text}?"}});
  EXPECT_THAT(clusters(without, file.questions), ElementsAre(0, 1, 2));
}

TEST(Questions, MayRepeatChoicesWhereTheTaskSaysSo) {
  const Json rows = Json::parse(
      R"([{"subject": "s", "question": "q", "choices": ["a", "b", "a", "a"], "answer": 0}])");
  EXPECT_EQ(testing::file_of(task("mmlu"), rows).repeated_choices, 1);
}

// Counts of the data sets' cards, their clusters and their chance levels.
TEST(Questions, OfTheDataSetsAreAllRead) {
  const auto data = testing::from_environment("PLUMB_TEST_DATA");
  if (data.empty()) GTEST_SKIP() << "PLUMB_TEST_DATA names no folder";
  struct Known {
    const char* name;
    size_t rows, clusters;
    int64_t repeated;
    double chance;
  };
  // ARC-easy: 11 questions have 3 (7) or 5 (4) choices. BoolQ: 2,033 of 3,270 answers are yes.
  const double arc = ((2376 - 11) / 4.0 + 7 / 3.0 + 4 / 5.0) / 2376;
  for (const Known& known :
       {Known{"mmlu", 14042, 57, 9, 0.25}, Known{"boolq", 3270, 2939, 0, 2033 / 3270.0},
        Known{"hellaswag", 10042, 10042, 0, 0.25}, Known{"arc_easy", 2376, 2376, 0, arc}}) {
    const Task& one = task(known.name);
    if (!std::filesystem::exists(question_path(one, data)))
      GTEST_SKIP() << known.name << " is not there";
    const QuestionFile file = read_questions(one, question_path(one, data));
    EXPECT_EQ(file.questions.size(), known.rows) << known.name;
    const auto numbers = clusters(one, file.questions);
    EXPECT_EQ(std::set<int64_t>(numbers.begin(), numbers.end()).size(), known.clusters)
        << known.name;
    EXPECT_EQ(file.repeated_choices, known.repeated) << known.name;
    EXPECT_NEAR(chance_level(one, file), known.chance, 1e-12) << known.name;
  }
}

TEST(ShotPool, GivesTheFirstOfTheQuestionsGroup) {
  const Task& mmlu = task("mmlu");
  Json rows = Json::array();
  for (int i = 0; i < 6; ++i)
    rows.push_back({{"subject", i % 2 == 0 ? "even" : "odd"},
                    {"question", std::to_string(i)},
                    {"choices", {"a", "b", "c", "d"}},
                    {"answer", 0}});
  const QuestionFile file = testing::file_of(mmlu, rows);
  const ShotPool pool(mmlu, file.questions);
  const auto at = [&](size_t i) { return &file.questions[i]; };
  Question asked = file.questions[1];
  asked.doc_hash = "another";
  EXPECT_THAT(pool.first(asked, 2), ElementsAre(at(1), at(3)));
  EXPECT_THAT(pool.first(*at(1), 2), ElementsAre(at(3), at(5)));
  EXPECT_TRUE(pool.first(asked, 0).empty());
  const Error error = error_of([&] { pool.first(asked, 4); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("there are 3 shots with subject \"odd\", asked for are 4"));
}

TEST(SmokeQuestions, AreManyDistinctAndBalanced) {
  const Task& smoke = task("smoke");
  const QuestionFile file = built_in_question_file(smoke);
  EXPECT_GE(file.questions.size(), 200u);
  std::set<std::string> asked;
  std::vector<size_t> answers(4);
  for (const Question& question : file.questions) {
    EXPECT_TRUE(asked.insert(question.field("question")).second) << question.field("question");
    ASSERT_EQ(question.choices.size(), 4u) << question.line;
    ++answers[static_cast<size_t>(question.answer)];
    EXPECT_EQ(stripped(question.field("question")), question.field("question")) << question.line;
    for (const std::string& choice : question.choices) EXPECT_EQ(stripped(choice), choice);
  }
  for (const size_t count : answers) EXPECT_EQ(count, file.questions.size() / 4);
  const auto numbers = clusters(smoke, file.questions);
  EXPECT_GE(std::set<int64_t>(numbers.begin(), numbers.end()).size(), 15u);
  EXPECT_EQ(error_of([] { built_in_question_file(task("mmlu")); }).kind(), ErrorKind::kUsage);
  EXPECT_EQ(error_of([&] { question_path(smoke, "d"); }).kind(), ErrorKind::kUsage);
}

}  // namespace
}  // namespace plumb::metrics
