// Prompts, continuations, hashes and ids against lm-eval's own task files and code.

#include <gmock/gmock.h>

#include <iostream>
#include <sstream>

#include "metrics/tasks/tasks_testing.h"

namespace plumb::metrics {
namespace {

using testing::golden;
using testing::Json;
using testing::kNoModel;
using testing::task;

/// What make_task_prompts.py hashes of the ids: each sequence with its context's length behind it, then the letters.
std::string ids_digest(const Request& request) {
  std::string bytes;
  const auto put = [&](int64_t value) {
    for (int shift = 0; shift < 32; shift += 8)
      bytes.push_back(static_cast<char>(static_cast<uint64_t>(value) >> shift & 0xFF));
  };
  for (const Sequence& sequence : request.sequences) {
    put(static_cast<int64_t>(sequence.ids.size()) + 1);
    for (const int32_t id : sequence.ids) put(id);
    put(sequence.context);
  }
  put(static_cast<int64_t>(request.letters.size()));
  for (const int32_t letter : request.letters) put(letter);
  return sha256_hex(bytes);
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

/// A question file as the golden file names it; none, with the reason, where it is not there or is another.
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

/// What was compared of a task.
struct Compared {
  int64_t rows = 0, dropped = 0, cut = 0;
};

/// One row against its line of the golden file.
void compare(const Task& one, const std::string& line, const QuestionFile& file,
             const ShotPool& pool, const RequestMaker& maker, Compared& compared) {
  size_t number = 0;
  int64_t shots = 0;
  std::string doc, prompt, target, texts, ids;
  std::istringstream(line) >> number >> shots >> doc >> prompt >> target >> texts >> ids;
  const Question& question = file.questions.at(number - 1);
  const std::string about = text(one.name, " ", number);
  const Request request = maker.make(question);
  const Prompt made = make_prompt(one, question, pool.first(question, request.shots));
  EXPECT_EQ(question.line, static_cast<int64_t>(number)) << about;
  EXPECT_EQ(request.shots, shots) << about;
  EXPECT_EQ(question.doc_hash.substr(0, 16), doc) << about;
  EXPECT_EQ(request.prompt_hash.substr(0, 16), prompt) << about;
  EXPECT_EQ(request.target_hash.substr(0, 16), target) << about;
  EXPECT_EQ(texts_digest(made).substr(0, 16), texts) << about;
  EXPECT_EQ(ids_digest(request).substr(0, 16), ids) << about;
  ++compared.rows;
  compared.dropped += request.shots_dropped;
  compared.cut += request.tokens_cut > 0 ? 1 : 0;
}

/// All rows of one file at one length of the model; why not, where they cannot be compared.
std::string compare_file(const Task& one, const Json& expected, const std::filesystem::path& data,
                         const models::Tokenizer& tokenizer, Compared& compared) {
  const DataFile questions = data_file(one, question_path(one, data), expected.at("sha256"));
  DataFile shots;
  if (one.shots.count > 0)
    shots = data_file(one, shot_path(one, data), golden().at("shots_sha256"));
  if (!questions.missing.empty() || !shots.missing.empty())
    return questions.missing.empty() ? shots.missing : questions.missing;
  const ShotPool pool(one, shots.file.questions);
  const RequestMaker maker(one, tokenizer, pool, {.max_tokens = expected.at("positions")});
  for (const Json& line : expected.at("rows"))
    compare(one, line.get<std::string>(), questions.file, pool, maker, compared);
  return "";
}

// Two lengths of the model: one that few prompts are too long for, and one that a part of MMLU's is.
TEST(TaskPromptsGolden, AreThePeersForRowsOfEveryDataSet) {
  const auto data = testing::from_environment("PLUMB_TEST_DATA");
  const auto tokenizer = testing::smollm2();
  if (data.empty()) GTEST_SKIP() << "PLUMB_TEST_DATA names no folder";
  if (!tokenizer) GTEST_SKIP() << kNoModel;
  std::string missing;
  for (const auto& [name, files] : golden().at("data").items()) {
    Compared compared;
    for (const Json& expected : files)
      if (const auto why = compare_file(task(name), expected, data, *tokenizer, compared);
          !why.empty())
        missing += (missing.empty() ? "" : "; ") + why;
    if (compared.rows == 0) continue;
    std::cout << name << ": " << compared.rows << " prompts compared, " << compared.dropped
              << " shots dropped, " << compared.cut << " prompts cut\n";
    EXPECT_TRUE(name != "mmlu" || compared.dropped > 0) << "no prompt was too long";
    EXPECT_TRUE(name != "mmlu_lm_eval" || compared.cut > 0) << "no prompt was too long";
  }
  if (!missing.empty()) GTEST_SKIP() << missing;
}

}  // namespace
}  // namespace plumb::metrics
