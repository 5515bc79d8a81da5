// Prompts, continuations, hashes and ids against lm-eval's own task files and code.

#include <gmock/gmock.h>

#include <map>

#include "metrics/tasks/tasks_testing.h"

namespace plumb::metrics {
namespace {

using testing::golden;
using testing::Json;
using testing::kNoModel;
using testing::task;

/// What make_task_prompts.py hashes of the ids: each sequence with its context's length behind it, then the letters.
std::string ids_digest(const Request& request, const std::vector<std::vector<int32_t>>& kept) {
  std::string bytes;
  const auto put = [&](int64_t value) {
    for (int shift = 0; shift < 32; shift += 8)
      bytes.push_back(static_cast<char>(static_cast<uint64_t>(value) >> shift & 0xFF));
  };
  for (size_t i = 0; i < kept.size(); ++i) {
    put(static_cast<int64_t>(kept[i].size()) + 1);
    for (const int32_t id : kept[i]) put(id);
    put(request.sequences[i].context);
  }
  put(static_cast<int64_t>(request.letters.size()));
  for (const int32_t letter : request.letters) put(letter);
  return sha256_hex(bytes);
}

std::string ids_digest(const Request& request) {
  std::vector<std::vector<int32_t>> kept;
  for (const Sequence& sequence : request.sequences) kept.push_back(sequence.ids);
  return ids_digest(request, kept);
}

std::string texts_digest(const Prompt& prompt) {
  std::string texts;
  for (size_t i = 0; i < prompt.continuations.size(); ++i)
    texts += (i == 0 ? std::string() : std::string(1, '\0')) +
             prompt.contexts[prompt.contexts.size() == 1 ? 0 : i] + '\0' + prompt.continuations[i];
  return sha256_hex(texts);
}

std::vector<const Question*> all_of(const QuestionFile& file) {
  std::vector<const Question*> out;
  for (const Question& question : file.questions) out.push_back(&question);
  return out;
}

TEST(TaskPromptsGolden, AreThePeersForRowsOfOurOwnOfEveryTask) {
  for (const auto& [name, rows] : golden().at("own").items()) {
    const Task& one = task(name);
    const bool shot = one.shots.count > 0;
    const QuestionFile shots =
        shot ? testing::file_of(one, golden().at("own_shots")) : QuestionFile();
    for (const Json& row : rows) {
      const QuestionFile file = testing::file_of(one, Json::array({row.at("row")}));
      const Question& question = file.questions[0];
      const Prompt prompt = make_prompt(one, question, all_of(shots));
      EXPECT_EQ(Json(prompt.contexts), row.at("contexts")) << name;
      EXPECT_EQ(Json(prompt.continuations), row.at("continuations")) << name;
      EXPECT_EQ(prompt_hash(prompt), row.at("prompt_hash")) << name;
      EXPECT_EQ(target_hash(one, question), row.at("target_hash")) << name;
      EXPECT_EQ(question.doc_hash, row.at("doc_hash")) << name;
    }
  }
}

TEST(TaskPromptsGolden, HaveThePeersIdsForRowsOfOurOwn) {
  const auto tokenizer = testing::smollm2();
  if (!tokenizer) GTEST_SKIP() << kNoModel;
  for (const auto& [name, rows] : golden().at("own").items()) {
    const Task& one = task(name);
    const bool shot = one.shots.count > 0;
    const QuestionFile shots =
        shot ? testing::file_of(one, golden().at("own_shots")) : QuestionFile();
    const RequestMaker maker(one, *tokenizer, ShotPool(one, shots.questions),
                             {.max_tokens = golden().at("positions")});
    for (const Json& row : rows) {
      const QuestionFile file = testing::file_of(one, Json::array({row.at("row")}));
      const Request request = maker.make(file.questions[0]);
      EXPECT_EQ(Json(request.letters), row.at("letters")) << name;
      ASSERT_EQ(request.sequences.size(), row.at("sequences").size()) << name;
      for (size_t i = 0; i < request.sequences.size(); ++i) {
        EXPECT_EQ(Json(request.sequences[i].ids), row.at("sequences").at(i)) << name;
        EXPECT_EQ(Json(request.sequences[i].context), row.at("context_lengths").at(i)) << name;
      }
      EXPECT_EQ(request.prompt_hash, row.at("prompt_hash")) << name;
      EXPECT_EQ(request.target_hash, row.at("target_hash")) << name;
    }
  }
}

/// A question file of --data as the golden file names it; none, with the reason, where it is not there or another.
struct DataFile {
  QuestionFile file;
  std::string missing;
};
DataFile data_file(const Task& one, const std::filesystem::path& path, const Json& sha256) {
  if (!std::filesystem::exists(path))
    return {{}, path.filename().string() + " is not below PLUMB_TEST_DATA"};
  DataFile out{read_questions(one, path), ""};
  if (Json(out.file.sha256) != sha256)
    out.missing = out.file.name + " is not the one that the golden file was made from";
  return out;
}

TEST(TaskPromptsGolden, AreThePeersForRowsOfEveryDataSet) {
  const auto data = testing::from_environment("PLUMB_TEST_DATA");
  const auto tokenizer = testing::smollm2();
  if (data.empty()) GTEST_SKIP() << "PLUMB_TEST_DATA names no folder";
  if (!tokenizer) GTEST_SKIP() << kNoModel;
  std::map<std::string, int64_t> rows, dropped, cut;
  for (const auto& [name, files] : golden().at("data").items()) {
    const Task& one = task(name);
    for (const Json& expected : files) {
      const DataFile questions = data_file(one, question_path(one, data), expected.at("sha256"));
      ASSERT_EQ(questions.missing, "");
      const DataFile shots =
          one.shots.count == 0 ? DataFile()
                               : data_file(one, shot_path(one, data), golden().at("shots_sha256"));
      ASSERT_EQ(shots.missing, "");
      const RequestMaker maker(one, *tokenizer, ShotPool(one, shots.file.questions),
                               {.max_tokens = expected.at("positions")});
      for (const Json& line : expected.at("rows")) {
        size_t number = 0, shown = 0;
        char doc[17], prompt[17], target[17], texts[17], ids[17];
        ASSERT_EQ(std::sscanf(line.get<std::string>().c_str(), "%zu %zu %16s %16s %16s %16s %16s",
                              &number, &shown, doc, prompt, target, texts, ids),
                  7);
        const Question& question = questions.file.questions.at(number - 1);
        const std::string about = text(name, " ", number);
        const Request request = maker.make(question);
        auto taken = ShotPool(one, shots.file.questions).first(question, maker.shots());
        taken.resize(static_cast<size_t>(request.shots));
        const Prompt made = make_prompt(one, question, taken);
        EXPECT_EQ(static_cast<size_t>(request.shots), shown) << about;
        EXPECT_EQ(question.line, static_cast<int64_t>(number)) << about;
        EXPECT_EQ(question.doc_hash.substr(0, 16), doc) << about;
        EXPECT_EQ(request.prompt_hash.substr(0, 16), prompt) << about;
        EXPECT_EQ(request.target_hash.substr(0, 16), target) << about;
        EXPECT_EQ(texts_digest(made).substr(0, 16), texts) << about;
        EXPECT_EQ(ids_digest(request).substr(0, 16), ids) << about;
        ++rows[name];
        dropped[name] += request.shots_dropped;
        cut[name] += request.tokens_cut > 0 ? 1 : 0;
      }
    }
  }
  for (const auto& [name, count] : rows)
    std::printf("%s: %ld prompts compared, %ld shots dropped, %ld prompts cut\n", name.c_str(),
                static_cast<long>(count), static_cast<long>(dropped[name]),
                static_cast<long>(cut[name]));
  EXPECT_GT(dropped["mmlu"], 0) << "nothing was too long, so dropping was not compared";
  EXPECT_GT(cut["mmlu_lm_eval"], 0) << "nothing was too long, so cutting was not compared";
}

}  // namespace
}  // namespace plumb::metrics
