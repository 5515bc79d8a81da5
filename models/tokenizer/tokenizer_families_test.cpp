#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "base/testing.h"
#include "models/tokenizer/sources.h"
#include "models/tokenizer/testing.h"

namespace plumb::models {
namespace {

using nlohmann::json;
using plumb::testing::TemporaryFolder;
using testing::documents;
using testing::from_environment;
using testing::IdDigest;
using testing::lines_of;

// fixtures/golden/make_tokenizer_families.py says what stands in it.
const json& committed() {
  static const json parsed =
      json::parse(read_file(PLUMB_SOURCE_DIR "/fixtures/golden/tokenizer_families.json"));
  return parsed;
}

std::string digest_of(const std::vector<int32_t>& ids) {
  IdDigest digest;
  digest.add(ids);
  return digest.take();
}

// The family's files in `folder`, opened as Plumb would find them there.
Tokenizer open_in(const TemporaryFolder& folder, const json& family) {
  for (const auto& [name, content] : family.at("files").items())
    write_file_atomically(folder / name,
                          content.is_string()
                              ? content.get<std::string>()
                              : testing::from_base64(content.at("base64").get<std::string>()));
  const bool gguf = family.at("files").contains("model.gguf");
  return Tokenizer::open(gguf ? folder / "model.gguf" : folder.path());
}

void expect_mixtures(const Tokenizer& tokenizer, const json& expected, const std::string& about) {
  if (expected.empty()) return;
  const auto texts = testing::mixtures();
  const size_t size = texts.size() / expected.size();
  IdDigest digest;
  for (size_t i = 0; i < texts.size(); ++i) {
    digest.add(tokenizer.encode(texts[i]));
    if ((i + 1) % size == 0) {
      EXPECT_EQ(digest.take(), expected.at(i / size)) << about << ": mixtures up to " << i;
    }
  }
}

void expect_edge_texts(const Tokenizer& tokenizer, const json& expected, bool special,
                       const std::string& about) {
  const auto texts = testing::golden().at("texts").get<std::vector<std::string>>();
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected.at(i).is_null()) continue;
    EXPECT_EQ(digest_of(tokenizer.encode(texts.at(i), special)), expected.at(i))
        << about << (special ? " with specials" : "") << ": text " << i << ": " << texts[i]
        << "\nfound " << json(tokenizer.encode(texts[i], special));
  }
}

void expect_family(const std::string& name, const json& family,
                   const std::vector<std::string>& corpora) {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = open_in(folder, family);
  expect_edge_texts(tokenizer, family.at("texts"), false, name);
  expect_edge_texts(tokenizer, family.at("special"), true, name);
  expect_mixtures(tokenizer, family.at("mixtures"), name);
  const json& expected = family.at("corpora");
  ASSERT_EQ(corpora.size(), expected.size());
  for (size_t i = 0; i < corpora.size(); ++i) {
    if (expected.at(i).is_null()) continue;
    ASSERT_EQ(digest_of(tokenizer.encode(corpora[i])), expected.at(i))
        << name << ": document " << i;
  }
}

TEST(TokenizerFamiliesGolden, GiveTheReferencesIdsOfEveryText) {
  EXPECT_EQ(committed().at("families").size(), 24u);
  for (const auto& [name, family] : committed().at("families").items())
    expect_family(name, family, {});
}

// What a GGUF without a named pre-tokenizer is read as.
TEST(TokenizerFamiliesGolden, HoldLlamaCppsDefaultToTheStepsOfTheFamily) {
  const json& files = committed().at("families").at("llama.cpp default").at("files");
  const auto family = definition_from_json(files.at("tokenizer.json").get<std::string>(), "");
  const auto& known = known_pre_tokenizers().front();
  EXPECT_EQ(known.name, "default");
  ASSERT_EQ(known.steps.size(), family.steps.size());
  for (size_t i = 0; i < known.steps.size(); ++i) {
    EXPECT_EQ(known.steps[i].kind, family.steps[i].kind);
    EXPECT_EQ(known.steps[i].pattern, family.steps[i].pattern);
    EXPECT_EQ(known.steps[i].behaviour, family.steps[i].behaviour);
    EXPECT_EQ(known.steps[i].invert, family.steps[i].invert);
  }
}

TEST(TokenizerFamiliesGolden, GiveTheSameIdsFromTheTokenizerJsonThatPlumbWrites) {
  for (const char* name : {"llama-2", "mistral", "gemma", "qwen-1", "gguf llama",
                           "tokenizer.model, legacy", "gguf llama without a first space"}) {
    const json& family = committed().at("families").at(name);
    const TemporaryFolder folder, written;
    const Tokenizer first = open_in(folder, family);
    write_file_atomically(written / "tokenizer.json", first.to_json());
    const Tokenizer again = Tokenizer::open(written.path());
    EXPECT_EQ(again.vocabulary_size(), first.vocabulary_size());
    for (const std::string& text : testing::mixtures())
      ASSERT_EQ(again.encode(text, true), first.encode(text, true)) << name << ": " << text;
  }
}

TEST(TokenizerFamiliesGolden, DecodeWhatTheyEncoded) {
  for (const char* name : {"llama-2", "mistral", "gemma", "qwen-1", "gguf llama",
                           "tokenizer.model, legacy", "tokenizer.model, gemma", "llama-3"}) {
    const TemporaryFolder folder;
    const Tokenizer tokenizer = open_in(folder, committed().at("families").at(name));
    for (const std::string text :
         {"two  spaces", "caf\u00e9 \u6df1\U0001f30a", "", "line\n\ttab", "x "})
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text) << name;
  }
}

// A word of a megabyte, and a text of as many words: quadratic work would take hours.
TEST(TokenizerFamiliesGolden, TakeMegabytesWithOrWithoutSpaces) {
  for (const char* name : {"llama-2", "gguf llama", "tokenizer.model, legacy", "qwen-1"}) {
    const TemporaryFolder folder;
    const Tokenizer tokenizer = open_in(folder, committed().at("families").at(name));
    const std::string word(size_t{1} << 20, 'e');
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(word)), word) << name;
    std::string words;
    while (words.size() < word.size()) words += "the the";
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(words)), words) << name;
  }
}

// Runs the script that made the committed file, on other text and with larger vocabularies.
void expect_what_the_peers_train(const std::string& options,
                                 const std::vector<std::string>& corpora) {
  const auto python = plumb::testing::peer_python("gguf, sentencepiece, tiktoken, tokenizers");
  if (!python.missing.empty()) GTEST_SKIP() << python.missing;
  const TemporaryFolder folder;
  const std::string run =
      text("'", python.path, "' '", PLUMB_SOURCE_DIR,
           "/fixtures/golden/make_tokenizer_families.py' --full-normaliser ", options, " --out '",
           (folder / "made.json").string(), "' > '", (folder / "log").string(), "' 2>&1");
  ASSERT_EQ(std::system(run.c_str()), 0) << read_file(folder / "log");
  const json made = json::parse(read_file(folder / "made.json"));
  EXPECT_EQ(made.at("families").size(), committed().at("families").size());
  for (const auto& [name, family] : made.at("families").items())
    expect_family(name, family, corpora);
}

TEST(TokenizerFamiliesGolden, GiveTheIdsOfTokenizersThatThePeersTrainNow) {
  const auto data = from_environment("PLUMB_TEST_DATA");
  if (data.empty() || !std::filesystem::exists(data / "c4"))
    GTEST_SKIP() << "PLUMB_TEST_DATA names no folder with C4";
  auto sample = documents(read_file(data / "c4/c4_en_validation.jsonl"));
  sample.resize(60);
  expect_what_the_peers_train(
      text("--size 1500 --text '", (data / "c4/c4_en_train.jsonl").string(), "' --lines 60 ",
           "--evaluate '", (data / "c4/c4_en_validation.jsonl").string(), "' --evaluate-lines 60"),
      sample);
}

TEST(TokenizerFamiliesLong, GiveTheIdsOfAllOfC4WithLargerVocabularies) {
  const auto data = from_environment("PLUMB_TEST_DATA");
  if (data.empty() || !std::filesystem::exists(data / "c4"))
    GTEST_SKIP() << "PLUMB_TEST_DATA names no folder with C4";
  const auto validation = data / "c4/c4_en_validation.jsonl";
  expect_what_the_peers_train(text("--size 8000 --text '", (data / "c4/c4_en_train.jsonl").string(),
                                   "' --evaluate '", validation.string(), "'"),
                              documents(read_file(validation)));
}

void expect_groups(const Tokenizer& tokenizer, const std::vector<std::string>& texts, size_t size,
                   const json& expected) {
  ASSERT_EQ((texts.size() + size - 1) / size, expected.size());
  IdDigest digest;
  for (size_t i = 0; i < texts.size(); ++i) {
    digest.add(tokenizer.encode(texts[i]));
    if ((i + 1) % size != 0 && i + 1 != texts.size()) continue;
    EXPECT_EQ(digest.take(), expected.at(i / size).at(1)) << "texts up to " << i;
  }
}

// A file of the data's folder and the committed ids of it; none where the folder is not there.
std::optional<Tokenizer> published(const std::filesystem::path& data, const std::string& file,
                                   const std::string& reference) {
  const auto tokenizers = data / "tokenizers";
  if (data.empty() || !std::filesystem::exists(tokenizers / file)) return std::nullopt;
  EXPECT_EQ(sha256_of_file(tokenizers / reference),
            committed().at("published").at(reference).at("sha256"));
  return Tokenizer::open(tokenizers / file);
}

// Llama 2's vocabulary from the file that libsentencepiece reads, and from llama.cpp's, whose
// merges are Plumb's own work.
class SentencePieceGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(SentencePieceGolden, GivesTheReferencesIdsOfC4WikiTextAndOwnTexts) {
  const auto data = from_environment("PLUMB_TEST_DATA");
  const char* reference = "llama2_tokenizer.model";
  const auto tokenizer = published(data, GetParam(), reference);
  if (!tokenizer) GTEST_SKIP() << "PLUMB_TEST_DATA names no folder with " << GetParam();
  const json& expected = committed().at("published").at(reference);
  expect_edge_texts(*tokenizer, expected.at("texts"), false, GetParam());
  expect_mixtures(*tokenizer, expected.at("mixtures"), GetParam());
  expect_groups(*tokenizer, documents(read_file(data / "c4/c4_en_validation.jsonl")), 50,
                expected.at("c4"));
  const std::string wikitext = read_file(data / "wikitext2/wiki.test.raw");
  expect_groups(*tokenizer, {wikitext}, 1, expected.at("wikitext"));
  expect_groups(*tokenizer, lines_of(wikitext),
                testing::golden().at("lines_per_digest").get<size_t>(),
                expected.at("wikitext_lines"));
}
INSTANTIATE_TEST_SUITE_P(Of, SentencePieceGolden,
                         ::testing::Values("llama2_tokenizer.model", "ggml-vocab-llama-spm.gguf"));

// Of unigram segmentations that weigh the same, versions of the library choose differently: such
// lines are null.
TEST(UnigramGolden, GivesTheReferencesIdsOfLinesOfWikiText) {
  const auto data = from_environment("PLUMB_TEST_DATA");
  const char* file = "t5_trax_sentencepiece.model";
  const auto tokenizer = published(data, file, file);
  if (!tokenizer) GTEST_SKIP() << "PLUMB_TEST_DATA names no folder with " << file;
  const json& expected = committed().at("published").at(file).at("lines");
  size_t at = 0, compared = 0;
  for (const std::string& line : lines_of(read_file(data / "wikitext2/wiki.test.raw"))) {
    const auto is_start = [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; };
    if (std::count_if(line.begin(), line.end(), is_start) >= 800 || at == expected.size()) continue;
    const json& digest = expected.at(at++);
    if (digest.is_null()) continue;
    ++compared;
    EXPECT_EQ(digest_of(tokenizer->encode(line)), digest) << line;
  }
  EXPECT_EQ(at, expected.size());
  EXPECT_GT(compared, 200u);
}

// Of a tokenizer.json Plumb can write what libsentencepiece reads only where it is plain BPE.
TEST(UnigramGolden, IsRefusedByNameWhereATokenizerJsonIsToBeWritten) {
  const TemporaryFolder folder;
  const Tokenizer tokenizer =
      open_in(folder, committed().at("families").at("tokenizer.model, unigram"));
  EXPECT_THAT(plumb::testing::error_of([&] { tokenizer.to_json(); }).what(),
              ::testing::HasSubstr("it is unigram; copy the tokenizer.model instead"));
}

}  // namespace
}  // namespace plumb::models
