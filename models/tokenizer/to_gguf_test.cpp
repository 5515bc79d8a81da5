// Tokenizers of folders as GGUF metadata: what is written is read back to the same ids, or refused by what GGUF cannot say.

#include "models/tokenizer/to_gguf.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/testing.h"
#include "models/formats/model_file.h"
#include "models/tokenizer/testing.h"

namespace plumb::models {
namespace {

using nlohmann::json;
using plumb::testing::error_of;
using plumb::testing::TemporaryFolder;
using ::testing::HasSubstr;

const json& families() {
  static const json parsed =
      json::parse(read_file(PLUMB_SOURCE_DIR "/fixtures/golden/tokenizer_families.json"));
  return parsed.at("families");
}

class ToGguf : public ::testing::Test {
 protected:
  /// The family's files and nothing else.
  void put(const std::string& family) {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      std::filesystem::remove(entry);
    for (const auto& [name, content] : families().at(family).at("files").items())
      write_file_atomically(folder_ / name,
                            content.is_string()
                                ? content.get<std::string>()
                                : testing::from_base64(content.at("base64").get<std::string>()));
  }
  json file(const std::string& name) const { return json::parse(read_file(folder_ / name)); }
  GgufFields fields(int64_t rows) const {
    ModelConfig config;
    config.vocabulary_size = rows;
    return gguf_tokenizer(folder_.path(), config);
  }
  /// Written into a file without tensors, and read from there.
  Tokenizer read_back(const GgufFields& metadata) const {
    const auto path = folder_ / "written.gguf";
    std::filesystem::remove(path);
    GgufWriter writer(path, metadata, {});
    writer.finish();
    return Tokenizer::open(path);
  }
  void expect_same_ids(const Tokenizer& a, const Tokenizer& b) const {
    for (const std::string& text : testing::mixtures())
      for (const bool special : {false, true})
        ASSERT_EQ(a.encode(text, special), b.encode(text, special)) << text;
  }

  TemporaryFolder folder_;
};

TEST_F(ToGguf, ByteLevelTokenizersKeepTheirIds) {
  for (const char* name : {"llama-3", "qwen2", "phi-2", "smollm", "llama.cpp default"}) {
    SCOPED_TRACE(name);
    put(name);
    const Tokenizer before = Tokenizer::open(folder_ / "tokenizer.json");
    const auto written = fields(before.vocabulary_size());
    expect_same_ids(read_back(written), before);
  }
}

TEST_F(ToGguf, SentencePieceTokenizersKeepTheirIds) {
  for (const char* name : {"tokenizer.model, legacy", "tokenizer.model, gemma"}) {
    SCOPED_TRACE(name);
    put(name);
    const Tokenizer before = Tokenizer::open(folder_ / "tokenizer.model");
    expect_same_ids(read_back(fields(before.vocabulary_size())), before);
  }
}

TEST_F(ToGguf, RowsWithoutATokenGetOneThatIsUnused) {
  put("qwen2");
  const Tokenizer before = Tokenizer::open(folder_ / "tokenizer.json");
  const int64_t rows = before.vocabulary_size() + 3;
  const Tokenizer after = read_back(fields(rows));
  EXPECT_EQ(after.vocabulary_size(), rows);
  expect_same_ids(after, before);
  const Error error = error_of([&] { fields(before.vocabulary_size() - 1); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("write safetensors"));
}

TEST_F(ToGguf, BosAndEosComeFromTheConfigWhereTheTokenizerNamesNone) {
  put("smollm");
  ModelConfig config;
  config.vocabulary_size = Tokenizer::open(folder_ / "tokenizer.json").vocabulary_size();
  config.bos_token = 1;
  config.eos_token = config.vocabulary_size;  // beyond all tokens: of another model
  const auto written = gguf_tokenizer(folder_.path(), config);
  const auto has = [&](const char* key) {
    return std::ranges::count(written, key, [](const auto& field) { return field.first; });
  };
  EXPECT_EQ(has("tokenizer.ggml.bos_token_id"), 1);
  EXPECT_EQ(has("tokenizer.ggml.eos_token_id"), 0);
}

TEST_F(ToGguf, NothingOfAFolderWithoutATokenizer) { EXPECT_TRUE(fields(10).empty()); }

TEST_F(ToGguf, RefusesWhatGgufCannotSay) {
  const auto refused = [&](const std::string& said) {
    const Error error = error_of([&] { fields(1 << 20); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_THAT(error.what(), HasSubstr(said));
    EXPECT_THAT(error.what(), HasSubstr("safetensors"));
  };
  put("smollm");
  const json whole = file("tokenizer.json");
  const auto with = [&](const auto& change) {
    json changed = whole;
    change(changed);
    write_file_atomically(folder_ / "tokenizer.json", changed.dump());
  };
  with([](json& j) { j["pre_tokenizer"]["pretokenizers"][0]["individual_digits"] = false; });
  refused("pre-tokenizer is none that has a name");
  with([](json& j) { j["normalizer"] = {{"type", "Prepend"}, {"prepend", "x"}}; });
  refused("normaliser has no name");
  with([](json& j) { j["added_tokens"][0]["lstrip"] = true; });
  refused("takes spaces beside it");
  with([](json& j) { j["added_tokens"][0]["single_word"] = true; });
  refused("whole word alone");
  put("llama-2");
  refused("no tokenizer.model beside it");
}

}  // namespace
}  // namespace plumb::models
