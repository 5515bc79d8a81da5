// Malformed tokenizer files, each opened as a user's would be: in a folder. malformed_tokenizer_test.cpp has the same for
// changes of the families' real files.

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/testing.h"
#include "fixtures/formats/safetensors_file.h"
#include "models/formats/malformed.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;
using fixtures::put;
using nlohmann::json;
using testing::MalformedCase;
using Words = std::vector<std::string>;

json token(int64_t id, const std::string& content) { return {{"id", id}, {"content", content}}; }

/// Byte-level BPE of 256 bytes, two merges and one added token.
json sound() {
  json vocabulary = json::object();
  for (int byte = 0; byte < 256; ++byte) vocabulary[byte_symbol(static_cast<uint8_t>(byte))] = byte;
  vocabulary["th"] = 256;
  vocabulary["the"] = 257;
  return {{"added_tokens", {token(258, "<end>")}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"t h", "th e"}}}}};
}

MalformedCase file(const std::string& name, const std::string& of,
                   std::function<std::string()> make, Words words) {
  words.push_back(of);
  return {name, [of, make](const fs::path& folder) { put(folder / of, make()); }, std::move(words)};
}
MalformedCase whole(const std::string& name, const std::string& bytes, Words words) {
  return file(
      name, "tokenizer.json", [bytes] { return bytes; }, std::move(words));
}
MalformedCase changed(const std::string& name, std::function<void(json&)> change, Words words) {
  return file(
      name, "tokenizer.json",
      [change] {
        json all = sound();
        change(all);
        return all.dump();
      },
      std::move(words));
}
MalformedCase beside(const std::string& name, const std::string& of, const std::string& bytes,
                     Words words) {
  words.push_back(of);
  return {name,
          [of, bytes](const fs::path& folder) {
            put(folder / "tokenizer.json", sound().dump());
            put(folder / of, bytes);
          },
          std::move(words)};
}

std::vector<MalformedCase> texts() {
  return {
      whole("Empty", "", {"not valid JSON"}),
      whole("CutShort", sound().dump().substr(0, 500), {"not valid JSON at byte 501"}),
      whole("JunkAfter", sound().dump() + "x", {"not valid JSON at byte"}),
      whole("NotUtf8", "{\"\xff\":1}", {"not valid JSON at byte"}),
      whole("LoneSurrogate", R"({"\ud800":1})", {"not valid JSON at byte"}),
      whole("WithNul", std::string("{}\0", 3), {"a NUL at byte 2"}),
      whole("ByteOrderMark", "\xEF\xBB\xBF{}", {"a byte-order mark"}),
      whole("KeyTwice", R"({"model":1,"model":2})", {"key 'model' twice in an object"}),
      whole("TooDeep", std::string(100'000, '['), {"nested deeper than 64 levels"}),
      whole("AnArray", "[]", {"an object is needed, found array"}),
      whole("AnEmptyObject", "{}", {"tokenizer: 'model' is missing"}),
      whole("PointerOfGitLfs", "version https://git-lfs.github.com/spec/v1\n", {"byte 1"}),
      file("MillionZeros", "tokenizer.json",
           [] {
             std::string zeros = "{\"model\":[0";
             for (int i = 0; i < 1'000'000; ++i) zeros += ",0";
             return text(zeros, "]}");
           },
           {"tokenizer.model: an object is needed, found array"}),
      file("HundredThousandPiecesOfATemplate", "tokenizer.json",
           [] {
             json all = sound();
             all["post_processor"] = {
                 {"type", "TemplateProcessing"},
                 {"single", json(100'000, json{{"SpecialToken", {{"id", "e"}}}})},
                 {"special_tokens", {{"e", {{"ids", {258}}}}}}};
             return all.dump();
           },
           {"a template of more than 1024 tokens"}),
      {"Of65Megabytes",
       [](const fs::path& folder) {
         put(folder / "tokenizer.json", "{");
         fs::resize_file(folder / "tokenizer.json", 65 << 20);
       },
       {"68157440 bytes", "more than 67108864 bytes is refused"}},
  };
}

std::vector<MalformedCase> models() {
  const auto vocabulary = [](const std::string& name, const std::string& token, const json& id,
                             Words words) {
    return changed(
        name, [=](json& t) { t["model"]["vocab"][token] = id; }, std::move(words));
  };
  const auto merges = [](const std::string& name, const json& list, Words words) {
    return changed(
        name, [=](json& t) { t["model"]["merges"] = list; }, std::move(words));
  };
  const auto model = [](const std::string& name, const std::string& key, const json& value,
                        Words words) {
    return changed(
        name, [=](json& t) { t["model"][key] = value; }, std::move(words));
  };
  return {
      model("TypeUnknown", "type", "Neural", {"type 'Neural' is not supported; Plumb reads BPE"}),
      model("TypeUnigram", "type", "Unigram", {"type 'Unigram' is not supported"}),
      model("VocabularyAList", "vocab", json::array(), {"'vocab' must be an object"}),
      model("VocabularyEmpty", "vocab", json::object(), {"the vocabulary is empty"}),
      model("Dropout", "dropout", 0.1, {"dropout makes ids random; it must be null"}),
      model("SuffixOfWords", "end_of_word_suffix", "</w>",
            {"'end_of_word_suffix' is not supported"}),
      vocabulary("IdBeyondTheVocabulary", "x1", 100'000, {"'x1' has id 100000", "holes"}),
      vocabulary("IdNegative", "x1", -1, {"'-1' is not a token id"}),
      vocabulary("IdOfTwoToThe31", "x1", int64_t{1} << 31, {"'2147483648' is not a token id"}),
      vocabulary("IdOfTwoToThe64", "x1", ~uint64_t{0}, {"is not a token id"}),
      vocabulary("IdAReal", "x1", 258.0, {"'258.0' is not a token id"}),
      vocabulary("IdAText", "x1", "258", {"is not a token id"}),
      vocabulary("IdTwice", "x1", 257, {"share id 257"}),
      vocabulary("TokenEmpty", "", 258, {"token 258 is empty"}),
      vocabulary("TokenOf70000Bytes", std::string(70'000, 'x'), 258,
                 {"has 70000 bytes, more than"}),
      changed("IdsWithAHole", [](json& t) { t["model"]["vocab"].erase("th"); }, {"holes"}),
      merges("MergeOfUnknownTokens", {"q \u2603"}, {"merge 0", "'\u2603'", "does not have"}),
      merges("MergeWhoseResultIsUnknown", {"h t"}, {"merge 0 ('h' 't') needs token 'ht'"}),
      merges("MergeOfOneToken", {"th"}, {"merge 0 must be two tokens, found"}),
      merges("MergeOfThreeTokens", json::array({json::array({"t", "h", "e"})}),
             {"merge 0 must be two tokens, found"}),
      merges("MergeOfNothing", json::array({json::array({"th", ""})}),
             {"merge 0 must be two tokens, found"}),
      merges("MergeOfNumbers", json::array({json::array({1, 2})}),
             {"merge 0 must be two tokens, found '[1,2]'"}),
      merges("MergeTwice", {"t h", "th e", "t h"}, {"merges 0 and 2 are the same: 't' 'h'"}),
      merges("MergesAnObject", json::object(), {"'merges' must be an array"}),
      file("SameMergeHundredThousandTimes", "tokenizer.json",
           [] {
             json all = sound();
             all["model"]["merges"] = json(100'000, "t h");
             return all.dump();
           },
           {"merges 0 and 1 are the same: 't' 'h'"}),
      file("HundredThousandTokensOfOneId", "tokenizer.json",
           [] {
             json all = sound();
             for (int i = 0; i < 100'000; ++i) all["model"]["vocab"][text("x", i)] = 258;
             return all.dump();
           },
           {"share id 258"}),
  };
}

std::vector<MalformedCase> parts() {
  const auto added = [](const std::string& name, const json& tokens, Words words) {
    return changed(
        name, [=](json& t) { t["added_tokens"] = tokens; }, std::move(words));
  };
  const auto part = [](const std::string& name, const std::string& key, const json& value,
                       Words words) {
    return changed(
        name, [=](json& t) { t[key] = value; }, std::move(words));
  };
  const auto split = [&](const std::string& name, const std::string& pattern, Words words) {
    return part(name, "pre_tokenizer",
                {{"type", "Sequence"},
                 {"pretokenizers",
                  {{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}},
                   {{"type", "ByteLevel"}, {"use_regex", false}}}}},
                std::move(words));
  };
  return {
      added("AddedTokenFarAway", json::array({token(1'000'000, "zz")}),
            {"has id 1000000 where 258 is the next"}),
      added("AddedTokenEmpty", json::array({token(258, "")}), {"token 258 is empty"}),
      added("AddedTokenTwice", json::array({token(258, "zz"), token(259, "zz")}),
            {"'zz'", "twice"}),
      added("AddedTokenInAnothersPlace", json::array({token(5, "zz")}),
            {"'zz' has id 5, but the vocabulary holds"}),
      added("AddedTokenWithoutContent", json::array({json{{"id", 258}}}),
            {"added_tokens[0]: 'content' is missing"}),
      added("AddedTokensAnObject", json::object(), {"'added_tokens' must be an array"}),
      file("SeventyThousandAddedTokens", "tokenizer.json",
           [] {
             json all = sound();
             all["added_tokens"] = json(70'000, json::object());
             return all.dump();
           },
           {"70000 added tokens, more than 65536"}),
      file("AddedTokensOfFiveMegabytes", "tokenizer.json",
           [] {
             json all = sound();
             for (int i = 0; i < 100; ++i)
               all["added_tokens"].push_back(token(259 + i, text(i, std::string(50'000, 'x'))));
             return all.dump();
           },
           {"added tokens of more than 4194304 bytes together"}),
      part("NormalizerUnknown", "normalizer", {{"type", "Emoji"}},
           {"type 'Emoji' is not supported"}),
      part("NormalizerWithoutAType", "normalizer", json::object(),
           {"normalizer: 'type' is missing"}),
      part("PreTokenizerUnknown", "pre_tokenizer", {{"type", "Magic"}}, {"type 'Magic' is not"}),
      part("DecoderUnknown", "decoder", {{"type", "WordPiece"}}, {"type 'WordPiece'"}),
      part("PostProcessorUnknown", "post_processor", {{"type", "RobertaProcessing"}},
           {"type 'RobertaProcessing' is not supported"}),
      split("PatternUnclosed", "(a", {"'(a' is not valid", "parenthes"}),
      split("PatternOfABackReference", "(a)\\1", {"pattern"}),
      split("PatternOf70000Bytes", std::string(70'000, 'a'), {"has 70000 bytes, more than 65536"}),
      split("PatternNestedTenThousandDeep", std::string(10'000, '(') + std::string(10'000, ')'),
            {"is not valid"}),
      split("PatternThatRepeatsBillions", "(?:(?:a{60000}){60000})", {"is not valid"}),
      beside("ConfigNoJson", "tokenizer_config.json", "{", {"not valid JSON at byte"}),
      beside("ConfigAList", "tokenizer_config.json", "[]", {"an object is needed, found array"}),
      beside("ConfigWantsABosThatIsNot", "tokenizer_config.json",
             R"({"add_bos_token":true,"bos_token":"<nowhere>"})",
             {"a BOS token is to begin each text, but none is named"}),
      beside("ConfigBosANumber", "tokenizer_config.json", R"({"bos_token":7})",
             {"'bos_token' must be a string, found number"}),
  };
}

std::vector<MalformedCase> other_files() {
  const auto ranks = [](const std::string& name, const std::string& lines, Words words) {
    return file(
        name, "qwen.tiktoken", [lines] { return lines; }, std::move(words));
  };
  const auto model = [](const std::string& name, std::function<std::string()> bytes, Words words) {
    return file(name, "tokenizer.model", std::move(bytes), std::move(words));
  };
  return {
      ranks("TiktokenEmpty", "", {"the vocabulary is empty"}),
      ranks("TiktokenRankBeyondTheFile", "YQ== 4194303\n", {"rank 4194303 in a file of 2 lines"}),
      ranks("TiktokenRankNegative", "YQ== -1\n", {"a token in base64, a space and its rank"}),
      ranks("TiktokenRankTwice", "YQ== 0\nYg== 0\n", {"line 2: rank 0 stands twice"}),
      ranks("TiktokenNoBase64", "Y*== 0\n", {"line 1: 'Y*==' is no base64"}),
      ranks("TiktokenWithoutAllBytes", "YQ== 0\n", {"no token is the single byte 0"}),
      model("SentencePieceEmpty", [] { return std::string(); }, {"the file is empty"}),
      model("SentencePieceLengthThatLies",
            [] { return std::string("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"); },
            {"a field of 9223372036854775807 bytes where 0 are left"}),
      model("SentencePieceVarintThatNeverEnds", [] { return std::string(100, '\xFF'); },
            {"a number of more than ten bytes"}),
      // Two bytes each, of which a piece in memory takes fifty.
      model("MillionEmptyPieces",
            [] {
              std::string pieces;
              for (int i = 0; i < 1'000'000; ++i) pieces += std::string("\x0A\0", 2);
              return pieces;
            },
            {"token 0 is empty"}),
      model("HundredThousandSamePieces",
            [] {
              std::string pieces;
              for (int i = 0; i < 300'000; ++i) pieces += "\x0A\x03\x0A\x01x";
              return pieces;
            },
            {"'x' stands twice"}),
  };
}

std::vector<MalformedCase> all() {
  std::vector<MalformedCase> cases;
  for (auto group : {texts, models, parts, other_files})
    for (MalformedCase& one : group()) cases.push_back(std::move(one));
  return cases;
}

class MalformedTokenizer : public ::testing::TestWithParam<MalformedCase> {};
TEST_P(MalformedTokenizer, IsRefusedByName) {
  testing::expect_refused(
      GetParam(), [](const fs::path& folder) { Tokenizer::open(folder); },
      testing::kTokenizerBuffers);
}
INSTANTIATE_TEST_SUITE_P(Cases, MalformedTokenizer, ::testing::ValuesIn(all()), testing::case_name);

TEST(SoundTokenizer, IsWhatTheTableChanges) {
  const plumb::testing::TemporaryFolder folder;
  put(folder / "tokenizer.json", sound().dump());
  EXPECT_THAT(Tokenizer::open(folder.path()).encode("the<end>"), ::testing::ElementsAre(257, 258));
}

}  // namespace
}  // namespace plumb::models
