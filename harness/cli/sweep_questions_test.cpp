// `plumb sweep --tasks`: the files that scripts read, and what is refused.

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/csv.h"
#include "base/file.h"
#include "harness/cli/program_testing.h"

namespace plumb::harness::testing {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::string>;

class SweepQuestions : public TinyCase {
 protected:
  void SetUp() override {
    TinyCase::SetUp();
    fixtures::put(path("own.jsonl"), tiny_questions());
    fixtures::put(path("data/arc/arc_easy_test.jsonl"), tiny_questions(7));
    fixtures::put(path("other.jsonl"), tiny_questions(5));
  }
  ChildOutput run(const std::string& command, const std::string& out, const Words& more) const {
    Words words{command, "--model", model(), "--strategies", "simple,random",
                "--n",   "0-6:2",   "--out", path(out)};
    words.insert(words.end(), more.begin(), more.end());
    return plumb(words);
  }
  Words documents() const {
    return {"--documents", text_file(), "--max-tokens", "32", "--limit", "16"};
  }
  Words tasks() const {
    return {"--tasks", "arc_easy,multiple_choice",
            "--data",  path("data"),
            "--data",  "multiple_choice=" + path("own.jsonl")};
  }
  static Words both(Words a, const Words& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }
  size_t lines(const std::string& file) const {
    const std::string bytes = read_file(path(file));
    return static_cast<size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  }
};

TEST_F(SweepQuestions, WritesTheFilesOfEvalBesideItsLosses) {
  ASSERT_EQ(run("sweep", "loss", documents()).exit_code, 0);
  ASSERT_EQ(run("eval", "eval", tasks()).exit_code, 0);
  const ChildOutput done = run("sweep", "both", both(documents(), tasks()));
  ASSERT_EQ(done.exit_code, 0) << done.err;
  for (const char* file :
       {"accuracy.csv", "questions/arc_easy.jsonl", "questions/multiple_choice.jsonl"})
    EXPECT_TRUE(read_file(path(std::string("both/") + file)) ==
                read_file(path(std::string("eval/") + file)))
        << file;
  for (const char* file : {"loss.csv", "loss_documents.csv"})
    EXPECT_TRUE(read_file(path(std::string("both/") + file)) ==
                read_file(path(std::string("loss/") + file)))
        << file;
  // 2 strategies, 4 values of n, 7 and 12 questions.
  EXPECT_EQ(lines("both/questions/arc_easy.jsonl"), 56u);
  EXPECT_EQ(lines("both/questions/multiple_choice.jsonl"), 96u);
  const auto json = nlohmann::json::parse(read_file(path("both/sweep.json")));
  EXPECT_EQ(json.at("tasks").size(), 2u);
  EXPECT_EQ(json.at("losses").size(), 8u);
}

TEST_F(SweepQuestions, HasARowForEveryStrategyNAndTask) {
  ASSERT_EQ(run("sweep", "out", tasks()).exit_code, 0);
  EXPECT_FALSE(fs::exists(path("out/loss.csv")));
  const auto rows = parse_csv(read_file(path("out/accuracy.csv")));
  const Words first{"strategy", "n", "task", "acc", "acc_norm", "low", "high", "questions"};
  ASSERT_GE(rows.at(0).size(), first.size());
  EXPECT_TRUE(std::equal(first.begin(), first.end(), rows[0].begin()));
  EXPECT_EQ(rows[0].back(), "removed");
  std::map<std::string, Words> by_key;
  for (size_t r = 1; r < rows.size(); ++r)
    EXPECT_TRUE(by_key.emplace(rows[r][0] + rows[r][1] + rows[r][2], rows[r]).second);
  EXPECT_EQ(by_key.size(), 16u);
  for (const char* task : {"arc_easy", "multiple_choice"}) {
    Words simple = by_key.at(std::string("simple0") + task);
    const Words random = by_key.at(std::string("random0") + task);
    EXPECT_EQ(simple[8], "");  // first
    simple[0] = "random";
    EXPECT_EQ(simple, random);  // nothing is removed in both
    EXPECT_EQ(by_key.at(std::string("simple2") + task)[8], "7");
    EXPECT_EQ(by_key.at(std::string("simple2") + task).back(), "7-8");
  }
  EXPECT_EQ(by_key.at("simple0arc_easy")[7], "7");
}

TEST_F(SweepQuestions, GivesEveryLineItsKeys) {
  ASSERT_EQ(run("sweep", "out", both(tasks(), {"--limit-questions", "3"})).exit_code, 0);
  std::istringstream all(read_file(path("out/questions/arc_easy.jsonl")));
  size_t count = 0;
  for (std::string line; std::getline(all, line); ++count) {
    const auto json = nlohmann::json::parse(line);
    for (const char* key :
         {"task", "strategy", "n", "removed", "doc_id", "doc_hash", "prompt_hash", "target_hash",
          "target", "values", "answer", "acc", "answer_norm", "acc_norm", "cluster"})
      EXPECT_TRUE(json.contains(key)) << key;
    EXPECT_EQ(json.at("doc_id"), static_cast<int>(count % 3));
    EXPECT_EQ(json.at("cluster"), static_cast<int>(count % 3));
  }
  EXPECT_EQ(count, 24u);
}

TEST_F(SweepQuestions, TakesAFileForOneTaskInPlaceOfTheFolders) {
  const Words words{"--tasks",    "arc_easy", "--data",
                    path("data"), "--data",   "arc_easy=" + path("other.jsonl")};
  ASSERT_EQ(run("sweep", "out", words).exit_code, 0);
  EXPECT_EQ(lines("out/questions/arc_easy.jsonl"), 40u);
  ASSERT_EQ(run("sweep", "alone", {"--tasks", "arc_easy", "--data", words.back()}).exit_code, 0);
  EXPECT_TRUE(read_file(path("out/accuracy.csv")) == read_file(path("alone/accuracy.csv")));
}

// The model's own words, judged by the task's expression: what is counted is what the lines say.
TEST_F(SweepQuestions, JudgesWrittenAnswers) {
  fixtures::put(path("sums.json"), R"({"name": "sums", "version": 1, "protocol": "own",
      "scoring": "generate", "prompt": "Q: {question}\nA:", "metrics": ["exact_match"],
      "generate": {"stop": ["Q:"], "max_tokens": 6, "extract": "[a-z]", "take": "first"}})");
  std::string rows;
  for (const char answer : {'a', 'e', 'o', 't', 'n', 's', 'w', 'h'})
    rows += std::string(R"({"question": "say )") + answer + R"(", "answer": ")" + answer + "\"}\n";
  fixtures::put(path("sums.jsonl"), rows);
  const Words words{"--tasks", path("sums.json"), "--data",
                    path("sums.json") + "=" + path("sums.jsonl")};
  const ChildOutput done = run("sweep", "out", words);
  ASSERT_EQ(done.exit_code, 0) << done.err;

  std::map<std::string, double> right;
  std::istringstream in(read_file(path("out/questions/sums.jsonl")));
  size_t count = 0, found = 0;
  for (std::string line; std::getline(in, line); ++count) {
    const auto json = nlohmann::json::parse(line);
    const auto written = json.at("written").get<std::string>();
    const size_t letter = written.find_first_of("abcdefghijklmnopqrstuvwxyz");
    ASSERT_EQ(json.at("extracted").is_null(), letter == written.npos) << line;
    if (letter != written.npos) {
      ++found;
      EXPECT_EQ(json.at("extracted"), written.substr(letter, 1)) << line;
    }
    EXPECT_EQ(json.at("acc") == 1, json.at("extracted") == json.at("target")) << line;
    right[json.at("strategy").get<std::string>() + json.at("n").dump()] += json.at("acc") == 1;
  }
  EXPECT_EQ(count, 2u * 4u * 8u);
  EXPECT_GT(found, 0u);
  const auto table = parse_csv(read_file(path("out/accuracy.csv")));
  for (size_t row = 1; row < table.size(); ++row)
    EXPECT_EQ(std::stod(table[row][3]), right.at(table[row][0] + table[row][1]) / 8);
  ASSERT_EQ(run("sweep", "again", words).exit_code, 0);
  EXPECT_TRUE(read_file(path("again/questions/sums.jsonl")) ==
              read_file(path("out/questions/sums.jsonl")));
}

TEST_F(SweepQuestions, SaysWhatItCannotAsk) {
  const auto expect = [&](const Words& more, const std::string& what) {
    const auto before = everything();
    const ChildOutput done = run("sweep", "none", more);
    EXPECT_EQ(done.exit_code, 2) << done.err;
    EXPECT_THAT(done.err, HasSubstr(what));
    EXPECT_EQ(everything(), before) << what;
  };
  const std::string own = "multiple_choice=" + path("own.jsonl");
  expect({}, "needed --documents FILE for their loss, --tasks LIST for their answers, or both");
  expect({"--sample", "3", "--documents", text_file()}, "--sample is about questions");
  expect({"--tasks", "arc_easy"}, "task arc_easy needs --data DIR");
  expect({"--tasks", "arc_easy", "--data", "piqa=file"}, "piqa is none of the tasks");
  expect({"--tasks", "multiple_choice", "--data", own, "--data", own}, "names two files");
  expect({"--tasks", "smoke,smoke"}, "two tasks are called smoke");
  fixtures::put(path("law.jsonl"),
                R"({"subject": "law", "question": "?", "choices": ["a", "b"], "answer": 0})");
  expect({"--tasks", "mmlu", "--data", "mmlu=" + path("law.jsonl")}, "--shots 0");
  fixtures::put(path("bad.json"), R"({"name": "../up", "version": 1, "protocol": "own",
      "scoring": "continuation", "prompt": "{question}", "metrics": ["acc"], "chance": "uniform"})");
  expect({"--tasks", path("bad.json"), "--data", path("bad.json") + "=" + path("own.jsonl")},
         "which is to be a file's name");
}

}  // namespace
}  // namespace plumb::harness::testing
