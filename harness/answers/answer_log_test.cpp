#include "harness/answers/answer_log.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/corpus_testing.h"
#include "base/file.h"
#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "harness/answers/answers_testing.h"
#include "harness/answers/fuzz_target.h"

namespace plumb::harness::testing {
namespace {

namespace fs = std::filesystem;
using plumb::testing::error_of;
using plumb::testing::TemporaryFolder;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

TEST(AnswerLine, HoldsWhatTheLineSays) {
  const AnswerLine line = parse_answer_line(
      log_line(5, true, {{"cluster", "passage"}, {"acc_norm", 0}, {"of_a_later_release", {1, 2}}}));
  EXPECT_EQ(line.task, "own");
  EXPECT_EQ(line.strategy, "simple");
  EXPECT_EQ(line.n, 7);
  EXPECT_EQ(line.removed, "22-28");
  EXPECT_EQ(line.doc_id, 5);
  EXPECT_EQ(line.cluster, "passage");
  EXPECT_TRUE(line.right);
  ASSERT_TRUE(line.right_normalised.has_value());
  EXPECT_FALSE(*line.right_normalised);
  // ln of e^-1.25 / (e^-1.25 + e^-3.5); three roundings of numbers below 4.
  ASSERT_TRUE(line.right_log_share.has_value());
  EXPECT_NEAR(*line.right_log_share, -std::log1p(std::exp(-2.25)), 3 * 4 * 1.2e-16);
}

TEST(AnswerLine, TakesALogOfAnEarlierRelease) {
  const AnswerLine line =
      parse_answer_line(log_line(5, false, {{"values", nullptr}, {"target", nullptr}}));
  EXPECT_EQ(line.cluster, "");
  EXPECT_FALSE(line.right_normalised.has_value());
  EXPECT_FALSE(line.right_log_share.has_value());
}

TEST(AnswerLine, SharesDoNotDependOnAnOffsetOfTheLogits) {
  const auto share = [](double offset) {
    return *parse_answer_line(
                log_line(0, true, {{"values", {1.5 + offset, 3 + offset, -800 + offset}}}))
                .right_log_share;
  };
  EXPECT_EQ(share(0), share(1024));  // sums of so few bits are exact
}

TEST(AnswerLine, RefusesWhatIsNone) {
  const auto expect = [](const std::string& line, const std::string& what) {
    const Error error = error_of([&] { parse_answer_line(line); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput) << line;
    EXPECT_THAT(error.what(), HasSubstr(what));
  };
  expect("", "not JSON");
  expect("[]", "needed is an object");
  for (const char* key : {"task", "strategy", "n", "removed", "doc_id", "doc_hash", "prompt_hash",
                          "target_hash", "acc"})
    expect(log_line(0, true, {{key, nullptr}}), "'" + std::string(key) + "' is missing");
  expect(log_line(0, true, {{"task", 1}}), "needed is a task's name");
  expect(log_line(0, true, {{"n", -1}}), "'n' is -1");
  expect(log_line(0, true, {{"doc_id", 1.5}}), "'doc_id' is 1.5");
  expect(log_line(0, true, {{"doc_hash", std::string(64, 'A')}}), "'doc_hash'");
  expect(log_line(0, true, {{"prompt_hash", "ab"}}), "a text of 2 bytes");
  expect(log_line(0, true, {{"acc", 2}}), "'acc' is 2");
  expect(log_line(0, true, {{"acc", true}}), "0 (wrong) or 1 (right)");
  expect(log_line(0, true, {{"acc_norm", 0.5}}), "'acc_norm' is 0.5");
  expect(log_line(0, true, {{"target", 2}}), "2 with 2 values");
  expect(log_line(0, true, {{"values", {0.5, "x"}}}), "finite numbers");
  expect(log_line(0, true, {{"values", 0.5}}), "finite numbers");
  expect(log_line(0, true, {{"values", {1e308, -1e308}}}), "too far apart");
  expect(log_line(0, true, {{"cluster", Json::array()}}), "a text or a whole number");
}

TEST(AnswerLogs, KeepsEveryPlanOfEveryTask) {
  const AnswerLog log = log_of(log_lines("101") + log_lines("011", 0, {{"n", 8}}) +
                               log_lines("11", 1, {{"task", "other"}}));
  ASSERT_EQ(log.tasks.size(), 2u);
  ASSERT_EQ(log.tasks[0].plans.size(), 2u);
  EXPECT_EQ(log.tasks[0].questions.size(), 3u);
  EXPECT_EQ(log.tasks[0].plans[1].name(), "simple:8");
  EXPECT_EQ(log.tasks[0].plans[1].right, (std::vector<uint8_t>{0, 1, 1}));
  EXPECT_EQ(log.tasks[1].task, "other");
  EXPECT_EQ(log.tasks[1].questions[0].doc_id, 1);
}

TEST(AnswerLogs, TakesAQuestionThatAFileHoldsTwice) {
  const AnswerLog log = log_of(
      log_line(3, true) + log_line(3, false, {{"doc_id", 9}}));  // the same hashes in another row
  EXPECT_EQ(log.tasks[0].questions.size(), 2u);
}

TEST(AnswerLogs, RefusesLinesThatContradictEarlierOnes) {
  const auto expect = [](const std::string& lines, const std::string& what) {
    const Error error = error_of([&] { log_of(lines); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_THAT(error.what(), HasSubstr(what));
  };
  expect(log_line(3, true) + log_line(4, true) + log_line(3, true),
         "question 3 of task 'own' was answered twice by plan simple:7");
  expect(log_line(3, true) + log_line(3, true, {{"n", 8}, {"prompt_hash", sha256_hex("other")}}),
         "two prompts");
  expect(log_line(3, true, {{"cluster", "a"}}) + log_line(3, true, {{"n", 8}, {"cluster", "b"}}),
         "two clusters");
  expect(log_line(3, true) + log_line(4, true, {{"removed", "21-27"}}), "other blocks removed");
  expect(log_line(3, true) + log_line(4, true, {{"acc_norm", 1}}), "has acc_norm");
  expect(log_line(3, true) + log_line(4, true, {{"values", nullptr}}), "has no values");
}

TEST(AnswerLogs, AreReadFromFilesAndFolders) {
  const TemporaryFolder folder;
  const auto put = [&](const std::string& name, const std::string& bytes) {
    fs::create_directories((folder / name).parent_path());
    fixtures::put(folder / name, bytes);
  };
  put("eval/questions/a.jsonl", log_lines("10"));
  put("eval/questions/b.jsonl", log_lines("1", 0, {{"task", "other"}}));
  put("earlier/answers.jsonl", log_lines("10"));
  EXPECT_EQ(read_answer_log(folder / "eval").tasks.size(), 2u);
  EXPECT_EQ(read_answer_log(folder / "eval/questions/a.jsonl").tasks.size(), 1u);
  EXPECT_EQ(read_answer_log(folder / "earlier").tasks.size(), 1u);

  const auto expect = [&](const std::string& name, const std::string& what) {
    const Error error = error_of([&] { read_answer_log(folder / name); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_THAT(error.what(), HasSubstr(what));
  };
  put("bad.jsonl", log_lines("10") + "{\"task\": 1\n");
  expect("bad.jsonl", "bad.jsonl: line 3: not JSON at byte");
  put("blank.jsonl", log_lines("1") + "\n" + log_lines("1", 1));
  expect("blank.jsonl", "line 2");
  put("empty.jsonl", "");
  expect("empty.jsonl", "holds no answers");
  put("text.txt", std::string("a\0b", 3));
  expect("text.txt", "text.txt");
  fs::create_directories(folder / "none");
  expect("none", "holds no questions/*.jsonl");
  expect("missing.jsonl", "missing.jsonl");
}

// The seeds of the fuzzer, as they are and changed a little; cmake/fuzz searches for more.
TEST(AnswerLogs, AreReadOrRefusedWhateverChanges) {
  const auto seeds = plumb::testing::corpus(PLUMB_SOURCE_DIR "/fixtures", "answers");
  ASSERT_GE(seeds.size(), 6u);
  plumb::testing::expect_read_or_refused(seeds, 2000, 9, fuzz::answers);
}

}  // namespace
}  // namespace plumb::harness::testing
