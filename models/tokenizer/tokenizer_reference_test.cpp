#include <gmock/gmock.h>

#include <fstream>

#include "base/testing.h"
#include "models/tokenizer/testing.h"

namespace plumb::models {
namespace {

using nlohmann::json;
using testing::documents;
using testing::from_environment;
using testing::golden;
using testing::IdDigest;
using testing::lines_of;

// `expected` holds [count, digest] of each `size` texts.
void expect_groups(const Tokenizer& tokenizer, const std::vector<std::string>& texts, size_t size,
                   const json& expected) {
  ASSERT_EQ((texts.size() + size - 1) / size, expected.size());
  IdDigest digest;
  for (size_t i = 0; i < texts.size(); ++i) {
    digest.add(tokenizer.encode(texts[i]));
    if ((i + 1) % size != 0 && i + 1 != texts.size()) continue;
    const json& group = expected.at(i / size);
    EXPECT_EQ(digest.count(), group.at(0).get<size_t>()) << "texts up to " << i;
    EXPECT_EQ(digest.take(), group.at(1).get<std::string>()) << "texts up to " << i;
  }
}

void expect_edge_texts(const Tokenizer& tokenizer, const json& expected) {
  const auto texts = golden().at("texts").get<std::vector<std::string>>();
  ASSERT_EQ(texts.size(), expected.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(json(tokenizer.encode(texts[i])), expected.at(i)) << "text " << i << ": " << texts[i];
  }
}

void expect_mixtures(const Tokenizer& tokenizer, const json& expected) {
  const auto size = golden().at("mixtures").at("per_digest").get<size_t>();
  const auto texts = testing::mixtures();
  ASSERT_EQ(texts.size(), size * expected.size());
  IdDigest digest;
  for (size_t i = 0; i < texts.size(); ++i) {
    digest.add(tokenizer.encode(texts[i]));
    if ((i + 1) % size == 0) {
      EXPECT_EQ(digest.take(), expected.at(i / size)) << "texts up to " << i;
    }
  }
}

void expect_code_points(const Tokenizer& tokenizer, const json& expected) {
  const auto size = golden().at("points_per_digest").get<size_t>();
  const auto points = testing::all_code_points();
  IdDigest digest;
  for (size_t i = 0; i < points.size(); ++i) {
    if (!testing::is_tested(i / size)) continue;
    const std::string c = testing::utf8(points[i]);
    digest.add(tokenizer.encode("a" + c + " " + c + "1" + c + c + "."));
    if ((i + 1) % size == 0 || i + 1 == points.size()) {
      EXPECT_EQ(digest.take(), expected.at(i / size)) << "code points up to " << points[i];
    }
  }
}

// One of the reference's tokenizers, and what it needs.
struct Source {
  const char* name;      // of the reference's section
  const char* variable;  // environment variable of the model or of the data's folder
  const char* file;      // within that folder
};
void PrintTo(const Source& source, std::ostream* out) {
  *out << source.name << " of " << (*source.file == '\0' ? "the model" : source.file);
}

class FromSource : public ::testing::TestWithParam<Source> {
 protected:
  void SetUp() override {
    const auto path = from_environment(GetParam().variable, GetParam().file);
    if (path.empty() || !std::filesystem::exists(path))
      GTEST_SKIP() << GetParam().variable << " names no " << GetParam().name
                   << " tokenizer's file here";
    tokenizer_ = open(path);
    expected_ = golden().at(GetParam().name);
  }
  // GPT-2's vocabulary under the name that GGUF files of another family carry.
  static Tokenizer open(const std::filesystem::path& path) {
    if (path.extension() == ".json" || std::string(GetParam().name) == "smollm")
      return Tokenizer::open(path);
    const MappedFile file(path);
    GgufHeader header = parse_gguf(file.bytes());
    header.metadata["tokenizer.ggml.pre"] = std::string_view(GetParam().name);
    return Tokenizer::from_gguf(header);
  }
  void expect_corpora(const Tokenizer& tokenizer) const {
    const auto c4 = from_environment("PLUMB_TEST_DATA", "c4/c4_en_validation.jsonl");
    const auto wikitext = from_environment("PLUMB_TEST_DATA", "wikitext2/wiki.test.raw");
    if (c4.empty() || !std::filesystem::exists(c4) || !std::filesystem::exists(wikitext))
      GTEST_SKIP() << "PLUMB_TEST_DATA names no folder with C4 and WikiText-2";
    ASSERT_EQ(sha256_of_file(c4), golden().at("files").at("c4").at("sha256"));
    ASSERT_EQ(sha256_of_file(wikitext), golden().at("files").at("wikitext").at("sha256"));
    expect_groups(tokenizer, documents(read_file(c4)), expected_.at("c4_per_digest"),
                  expected_.at("c4"));
    const std::string whole = read_file(wikitext);
    expect_groups(tokenizer, {whole}, 1, json::array({expected_.at("wikitext")}));
    expect_groups(tokenizer, lines_of(whole), golden().at("lines_per_digest"),
                  expected_.at("wikitext_lines"));
  }
  void expect_own_texts(const Tokenizer& tokenizer) const {
    expect_edge_texts(tokenizer, expected_.at("texts"));
    expect_mixtures(tokenizer, expected_.at("mixtures"));
    expect_code_points(tokenizer, expected_.at("code_points"));
  }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  // What `tokenizers` would be given beside a checkpoint that Plumb wrote, read back.
  Tokenizer reread() const {
    const plumb::testing::TemporaryFolder folder;
    write_file_atomically(folder / "tokenizer.json", tokenizer_->to_json());
    write_file_atomically(folder / "tokenizer_config.json", tokenizer_->to_config_json());
    return Tokenizer::open(folder.path());
  }

 private:
  std::optional<Tokenizer> tokenizer_;
  json expected_;
};

std::string name_of(const ::testing::TestParamInfo<Source>& info) {
  std::string name;
  for (const char* c = info.param.name; *c != '\0'; ++c)
    if (std::isalnum(static_cast<unsigned char>(*c)) != 0) name += *c;
  return name + (std::string(info.param.file).ends_with(".json") ? "Json" : "Gguf");
}

class TokenizerSmolLm2 : public FromSource {};
class TokenizerGolden : public FromSource {};

TEST_P(TokenizerSmolLm2, GivesTheReferencesIdsOfOwnTextsAndOfEveryCodePoint) {
  expect_own_texts(tokenizer());
}
TEST_P(TokenizerSmolLm2, GivesTheReferencesIdsOfEveryDocumentOfC4AndOfWikiText) {
  expect_corpora(tokenizer());
}
TEST_P(TokenizerSmolLm2, GivesTheSameIdsFromTheTokenizerJsonThatItWrites) {
  const Tokenizer again = reread();
  EXPECT_EQ(again.vocabulary_size(), tokenizer().vocabulary_size());
  expect_own_texts(again);
  expect_corpora(again);
}
TEST_P(TokenizerSmolLm2, WritesATokenizerJsonThatThePeerReadsToTheSameIds) {
  const auto python = plumb::testing::peer_python("tokenizers");
  if (!python.missing.empty()) GTEST_SKIP() << python.missing;
  const plumb::testing::TemporaryFolder folder;
  write_file_atomically(folder / "tokenizer.json", tokenizer().to_json());
  write_file_atomically(folder / "tokenizer_config.json", tokenizer().to_config_json());
  const std::string command = text(
      "'", python.path, "' '", PLUMB_SOURCE_DIR, "/fixtures/golden/load_tokenizer.py' --folder '",
      folder.path().string(), "' --out '", (folder / "ids.json").string(), "' 2>&1");
  ASSERT_EQ(std::system(command.c_str()), 0);
  const json written = json::parse(read_file(folder / "ids.json"));
  EXPECT_EQ(written.at("tokenizers"), golden().at("smollm").at("texts"));
  if (!written.contains("transformers"))
    GTEST_SKIP() << "tokenizers gave the same ids; PLUMB_TEST_PYTHON has no transformers";
  EXPECT_EQ(written.at("transformers"), golden().at("smollm").at("texts"));
}
// Of the bytes that UTF-8 can hold, SmolLM2's vocabulary has no token for these; `tokenizers` drops
// them, and so does Plumb.
TEST_P(TokenizerSmolLm2, DecodesWhatItEncodedToTheSameBytesButForThoseWithoutAToken) {
  const std::string without_token = "\x04\x06\x13\x14\x16\x1d\xf1\xf2";
  auto texts = testing::mixtures();
  for (const auto& text : golden().at("texts").get<std::vector<std::string>>())
    texts.push_back(text);
  for (std::string text : texts) {
    const std::string back = tokenizer().decode(tokenizer().encode(text));
    std::erase_if(text, [&](char c) { return without_token.find(c) != std::string::npos; });
    ASSERT_EQ(back, text);
  }
}
INSTANTIATE_TEST_SUITE_P(From, TokenizerSmolLm2,
                         ::testing::Values(Source{"smollm", "PLUMB_TEST_MODEL", ""}), name_of);

TEST_P(TokenizerGolden, GivesTheReferencesIdsOfOwnTextsAndOfEveryCodePoint) {
  expect_own_texts(tokenizer());
}
TEST_P(TokenizerGolden, GivesTheReferencesIdsOfEveryDocumentOfC4AndOfWikiText) {
  expect_corpora(tokenizer());
}
TEST_P(TokenizerGolden, GivesTheSameIdsFromTheTokenizerJsonThatItWrites) {
  const Tokenizer again = reread();
  expect_edge_texts(again, golden().at(GetParam().name).at("texts"));
  expect_mixtures(again, golden().at(GetParam().name).at("mixtures"));
}
INSTANTIATE_TEST_SUITE_P(
    From, TokenizerGolden,
    ::testing::Values(Source{"gpt-2", "PLUMB_TEST_DATA", "tokenizers/gpt2_tokenizer.json"},
                      Source{"gpt-2", "PLUMB_TEST_DATA", "tokenizers/ggml-vocab-gpt-2.gguf"},
                      Source{"llama-bpe", "PLUMB_TEST_DATA", "tokenizers/ggml-vocab-gpt-2.gguf"},
                      Source{"qwen2", "PLUMB_TEST_DATA", "tokenizers/ggml-vocab-gpt-2.gguf"}),
    name_of);

// The vocabularies' own vectors, which another project published beside them.
class VectorsGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(VectorsGolden, AreReproduced) {
  const auto base =
      from_environment("PLUMB_TEST_DATA", std::string("tokenizers/ggml-vocab-") + GetParam());
  if (base.empty() || !std::filesystem::exists(base))
    GTEST_SKIP() << "PLUMB_TEST_DATA names no folder with tokenizers/ggml-vocab-" << GetParam();
  const Tokenizer tokenizer = Tokenizer::open(base);
  std::string texts = read_file(base.string() + ".inp");
  const auto rows = lines_of(read_file(base.string() + ".out"));
  const std::string marker = "\n__ggml_vocab_test__\n";
  size_t row = 0;
  for (size_t end; (end = texts.find(marker)) != std::string::npos; ++row) {
    std::vector<int32_t> expected;
    std::istringstream in(rows.at(row));
    for (int32_t id; in >> id;) expected.push_back(id);
    EXPECT_EQ(tokenizer.encode(texts.substr(0, end)), expected) << "text " << row;
    texts.erase(0, end + marker.size());
  }
  EXPECT_EQ(row, 46u);
}
INSTANTIATE_TEST_SUITE_P(Of, VectorsGolden, ::testing::Values("gpt-2.gguf", "llama-spm.gguf"));

}  // namespace
}  // namespace plumb::models
