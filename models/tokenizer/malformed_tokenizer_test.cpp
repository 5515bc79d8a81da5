#include <gmock/gmock.h>

#include <cstring>
#include <functional>

#include "base/testing.h"
#include "models/tokenizer/sentencepiece.h"
#include "models/tokenizer/testing.h"

// Files that are wrong, each with the error that names why. None is measured; that each takes well
// under a second follows from limits on what is read: of vocabularies, added tokens, patterns and
// their steps, and of the bytes that a merge table hashes (definition.h, regex.cpp,
// merges_by_result.cpp).
namespace plumb::models {
namespace {

using nlohmann::json;
using plumb::testing::error_of;
using plumb::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::Not;

const json& family(const char* name) {
  static const json parsed =
      json::parse(read_file(PLUMB_SOURCE_DIR "/fixtures/golden/tokenizer_families.json"));
  return parsed.at("families").at(name).at("files");
}

// The message about a folder with one file, or about a text that it is to encode.
std::string refusal(const char* name, const std::string& content, const std::string& encoded = "",
                    const std::string& config = "") {
  const TemporaryFolder folder;
  write_file_atomically(folder / name, content);
  if (!config.empty()) write_file_atomically(folder / "tokenizer_config.json", config);
  const Error error = error_of([&] { Tokenizer::open(folder.path()).encode(encoded); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
  return error.what();
}

// Llama 2's pipeline, changed.
std::string json_refusal(const std::function<void(json&)>& change,
                         const std::string& encoded = "") {
  json whole = json::parse(family("llama-2").at("tokenizer.json").get<std::string>());
  change(whole);
  return refusal("tokenizer.json", whole.dump(), encoded);
}

TEST(MalformedTokenizerJson, NamesWhatIsWrongWithTokensAndMerges) {
  EXPECT_THAT(json_refusal([](json& t) { t["model"]["vocab"]["<0x-1>"] = 99999; }),
              HasSubstr("token '<0x-1>' has id 99999 in a vocabulary of"));
  EXPECT_THAT(json_refusal([](json& t) { t["model"]["vocab"].erase("<0x0A>"); }),
              HasSubstr("ids must not leave holes"));
  EXPECT_THAT(json_refusal([](json& t) { t["model"]["vocab"]["twin"] = 5; }),
              HasSubstr("share id 5"));
  EXPECT_THAT(json_refusal([](json& t) {
                t["model"]["merges"][0] = {"q", "\u2603"};
              }),
              HasSubstr("which the vocabulary does not have"));
  // A merge that makes its own part again, the only way to a cycle.
  EXPECT_THAT(json_refusal([](json& t) {
                t["model"]["merges"][0] = {"e", ""};
              }),
              HasSubstr("merge 0 must be two tokens"));
  EXPECT_THAT(
      json_refusal([](json& t) { t["model"]["merges"].push_back(t["model"]["merges"][3]); }),
      HasSubstr("are the same"));
  EXPECT_THAT(json_refusal([](json& t) {
                t["model"]["vocab"] = {{"whole", 0}}, t["model"]["merges"] = json::array(),
                t["model"]["unk_token"] = "whole", t["added_tokens"] = json::array(),
                t["post_processor"] = nullptr;
              }),
              HasSubstr("no token of a single character"));
}

TEST(MalformedTokenizerJson, NamesWhatIsWrongWithAddedTokens) {
  const auto many = [](size_t count, size_t length) {
    return json_refusal([&](json& t) {
      json& tokens = t["added_tokens"];
      const size_t first = t["model"]["vocab"].size();
      tokens = json::array();
      for (size_t i = 0; i < count; ++i)
        tokens.push_back(
            {{"id", first + i}, {"content", std::to_string(i) + std::string(length, 'x')}});
      t["post_processor"] = nullptr;
    });
  };
  EXPECT_THAT(many(70000, 1), HasSubstr("70000 added tokens, more than 65536"));
  EXPECT_THAT(many(100, 50000), HasSubstr("more than 4194304 bytes together"));
  EXPECT_THAT(many(1, 100000), HasSubstr("more than 65536"));
  EXPECT_THAT(json_refusal([](json& t) { t["added_tokens"][1]["id"] = -7; }),
              HasSubstr("is not a token id"));
  EXPECT_THAT(json_refusal([](json& t) { t["added_tokens"][1]["content"] = ""; }),
              HasSubstr("added token ''"));
}

TEST(MalformedTokenizerJson, NamesWhatIsWrongWithItsSteps) {
  const auto with = [](const char* part, const json& step) {
    return json_refusal([&](json& t) { t[part] = step; });
  };
  EXPECT_THAT(with("pre_tokenizer", {{"type", "Metaspace"}, {"replacement", ""}}),
              HasSubstr("Metaspace needs a replacement"));
  EXPECT_THAT(with("pre_tokenizer",
                   {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "last"}}),
              HasSubstr("prepend_scheme 'last' is not known"));
  EXPECT_THAT(with("pre_tokenizer", {{"type", "Metaspace"},
                                     {"replacement", "_"},
                                     {"add_prefix_space", false},
                                     {"prepend_scheme", "always"}}),
              HasSubstr("add_prefix_space is false"));
  EXPECT_THAT(
      with("normalizer", {{"type", "Replace"}, {"pattern", {{"Regex", "(a"}}}, {"content", ""}}),
      HasSubstr("is not valid"));
  EXPECT_THAT(with("normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "AAAA"}}),
              HasSubstr("type 'Precompiled' is not supported"));
  json nested = {{"type", "NFC"}};
  for (int i = 0; i < 100; ++i)
    nested = {{"type", "Sequence"}, {"normalizers", json::array({nested})}};
  EXPECT_THAT(with("normalizer", nested), HasSubstr("nested deeper than 64 levels"));
}

// Twice as many steps with each letter: stopped after a million, whatever the text's length.
TEST(MalformedTokenizerJson, GivesUpOnAPatternThatExplodes) {
  EXPECT_THAT(json_refusal(
                  [](json& t) {
                    t["normalizer"] = {{"type", "Replace"},
                                       {"pattern", {{"Regex", "(?:a+)+b|(?:a|a)+c"}}},
                                       {"content", "x"}};
                  },
                  std::string(60, 'a')),
              HasSubstr("gave up on a text of 60 bytes"));
}

TEST(MalformedTokenizerJson, NamesABosTokenThatTheConfigurationWantsButDoesNotHave) {
  EXPECT_THAT(refusal("tokenizer.json", family("gpt-neox").at("tokenizer.json").get<std::string>(),
                      "", R"({"add_bos_token": true, "bos_token": "<nowhere>"})"),
              HasSubstr("a BOS token is to begin each text, but none is named"));
}

std::string tiktoken() { return family("qwen-1").at("qwen.tiktoken").get<std::string>(); }

TEST(MalformedTiktoken, NamesTheLineThatIsWrong) {
  const std::string whole = tiktoken();
  const auto changed = [&](const std::string& more) {
    return refusal("qwen.tiktoken", whole + more);
  };
  EXPECT_THAT(changed("aGVsbG8\n"),
              HasSubstr("'aGVsbG8'; a token in base64, a space and its rank"));
  EXPECT_THAT(changed("aGVsbG8= -1\n"), HasSubstr("a space and its rank are needed"));
  EXPECT_THAT(changed("aGVsbG8= 99999999999999999999\n"), HasSubstr("and its rank are needed"));
  EXPECT_THAT(changed("aGVsbG8= 4194304\n"), HasSubstr("and its rank are needed"));
  EXPECT_THAT(changed("aGVs*G8= 421\n"), HasSubstr("is no base64"));
  EXPECT_THAT(changed("aGVsbG9= 421\n"), HasSubstr("is no base64"));
  EXPECT_THAT(changed("aGVsbG8= 7\n"), HasSubstr("rank 7 stands twice"));
  EXPECT_THAT(changed("enp6enp6 3000\n"), HasSubstr("ranks must not leave holes"));
  EXPECT_THAT(changed("YQ== 420\n"), HasSubstr("stands twice in the vocabulary"));
  EXPECT_THAT(refusal("qwen.tiktoken", ""), HasSubstr("the vocabulary is empty"));
  EXPECT_THAT(refusal("qwen.tiktoken", "YQ== 0\n"), HasSubstr("no token is the single byte 0"));
  EXPECT_THAT(refusal("qwen.tiktoken", std::string(1 << 16, '\0')), HasSubstr("line 1 is '???"));
}

// 70 tokens of 4 KB each would have their 4,000 splits looked up, 16 MB to hash a token.
TEST(MalformedTiktoken, RefusesTokensWhoseSplitsAreTooMany) {
  std::string lines = tiktoken();
  for (int i = 0; i < 70; ++i) {
    std::string token = std::string(5458, 'A');  // of 3 * 5458 / 4 zero bytes and a number's
    token[0] = static_cast<char>('A' + i % 26), token[1] = static_cast<char>('A' + i / 26);
    lines += token + "AA " + std::to_string(420 + i) + "\n";
  }
  EXPECT_THAT(refusal("qwen.tiktoken", lines), HasSubstr("the tokens are too long"));
}

TEST(MalformedTiktoken, IsRefusedOrReadAsLessWhereverItIsCut) {
  const std::string whole = tiktoken();
  for (size_t length = 0; length < whole.size(); length += 97) {
    const TemporaryFolder folder;
    write_file_atomically(folder / "qwen.tiktoken", whole.substr(0, length));
    try {
      EXPECT_LT(Tokenizer::open(folder.path()).vocabulary_size(), 420 + 208);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
    }
  }
}

// Writes protocol buffers.
std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}
std::string field(uint64_t number, const std::string& bytes) {
  return varint(number << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string field(uint64_t number, uint64_t value) { return varint(number << 3) + varint(value); }
std::string piece(const std::string& text, float score = 0, uint64_t type = 1) {
  std::string bits(4, '\0');
  std::memcpy(bits.data(), &score, 4);
  return field(1, field(1, text) + varint(2 << 3 | 5) + bits + field(3, type));
}
std::string trainer(uint64_t model, bool bytes = false) {
  return field(2, field(3, model) + field(35, uint64_t{bytes}));
}

const std::string kUnknown = piece("<unk>", 0, 2);

std::string model_refusal(const std::string& bytes) { return refusal("tokenizer.model", bytes); }

TEST(MalformedSentencePiece, NamesWhatIsWrongWithItsPieces) {
  const std::string letters = kUnknown + piece("a", -1) + piece("b", -2);
  EXPECT_THAT(model_refusal(letters + piece("<0x-1>", 0, 6) + trainer(2, true)),
              HasSubstr("byte piece 3 is '<0x-1>', not one of <0x00> to <0xFF>"));
  EXPECT_THAT(model_refusal(letters + piece("<0xZZ>", 0, 6) + trainer(2, true)),
              HasSubstr("byte piece 3 is '<0xZZ>'"));
  EXPECT_THAT(model_refusal(letters + piece("<0x0a>", 0, 6) + trainer(2, true)),
              HasSubstr("byte piece 3 is '<0x0a>'"));
  EXPECT_THAT(model_refusal(letters + piece("<0x0A>", 0, 6) + trainer(2, true)),
              HasSubstr("1 byte pieces in a model with byte fallback, which needs 256"));
  EXPECT_THAT(model_refusal(letters + piece("<0x0A>", 0, 6) + trainer(2)),
              HasSubstr("1 byte pieces in a model without byte fallback, which needs none"));
  EXPECT_THAT(model_refusal(letters + piece("a") + trainer(2)), HasSubstr("'a' stands twice"));
  EXPECT_THAT(model_refusal(letters + piece("") + trainer(2)), HasSubstr("token 3 is empty"));
  EXPECT_THAT(model_refusal(letters + piece("\xFF") + trainer(2)), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(model_refusal(letters + piece(std::string("x\0y", 3)) + trainer(2)),
              HasSubstr("piece 3 holds a zero byte"));
  EXPECT_THAT(model_refusal(letters + piece("c", NAN) + trainer(1)),
              HasSubstr("the score of piece 3 is not a number"));
  EXPECT_THAT(model_refusal(letters + piece("c", 0, 9) + trainer(2)), HasSubstr("has type 9"));
  EXPECT_THAT(model_refusal(letters + piece("<u>", 0, 2) + trainer(2)),
              HasSubstr("2 unknown pieces; exactly one is needed"));
  EXPECT_THAT(model_refusal(piece("a") + trainer(2)), HasSubstr("0 unknown pieces"));
  EXPECT_THAT(model_refusal(letters + trainer(3)), HasSubstr("a SentencePiece model of words"));
  EXPECT_THAT(model_refusal(letters + trainer(4)), HasSubstr("model of characters"));
}

TEST(MalformedSentencePiece, NamesWhatIsNoModelAtAll) {
  EXPECT_THAT(model_refusal(""), HasSubstr("the file is empty"));
  EXPECT_THAT(model_refusal("IQ== 0\nIg== 1\n"), HasSubstr("not a SentencePiece model"));
  EXPECT_THAT(model_refusal(std::string(100, '\xFF')),
              HasSubstr("a number of more than ten bytes"));
  EXPECT_THAT(model_refusal("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"),
              HasSubstr("a field of 9223372036854775807 bytes where 0 are left"));
  EXPECT_THAT(model_refusal(trainer(2)), HasSubstr("it has no pieces"));
  EXPECT_THAT(model_refusal("version https://git-lfs.github.com/spec/v1\n"),
              HasSubstr("not a SentencePiece model"));
}

// The library follows the trie of its normaliser wherever it leads.
TEST(MalformedSentencePiece, RefusesACharacterMapThatLeadsOutOfBounds) {
  const auto with_map = [](uint32_t trie_bytes, const std::vector<uint32_t>& units,
                           const std::string& strings) {
    std::string map(4 + 4 * units.size(), '\0');
    std::memcpy(map.data(), &trie_bytes, 4);
    std::memcpy(map.data() + 4, units.data(), 4 * units.size());
    return model_refusal(kUnknown + piece("a", -1) + trainer(1) +
                         field(3, field(2, map + strings)));
  };
  const std::string end(1, '\0');
  std::vector<uint32_t> units(256, 0);
  EXPECT_THAT(with_map(0xFFFFFFFF, units, end), HasSubstr("a trie of 4294967295"));
  EXPECT_THAT(with_map(1000, units, end), HasSubstr("a trie of 1000"));
  EXPECT_THAT(with_map(1024, units, "x"), HasSubstr("do not end"));
  units[0] = 1u << 20 << 10;
  EXPECT_THAT(with_map(1024, units, end),
              HasSubstr("unit 0 of the normaliser's character map leads"));
  units[0] = 97 << 10 | 0x100;  // a leaf: its value is unit 97's
  units[97] = 1u << 31 | 5000;
  EXPECT_THAT(with_map(1024, units, end), HasSubstr("names a string out of bounds"));
}

// Cut or with a bit turned, it is refused or read, and what is read encodes: under AddressSanitizer
// nothing is touched that is not there.
TEST(MalformedSentencePiece, IsNeverACrashWhereverItIsCutOrChanged) {
  for (const char* name : {"tokenizer.model, legacy", "tokenizer.model, unigram"}) {
    const std::string whole =
        testing::from_base64(family(name).at("tokenizer.model").at("base64").get<std::string>());
    size_t refused = 0;
    const auto attempt = [&](const std::string& bytes) {
      try {
        std::vector<int32_t> ids;
        SentencePiece(bytes).encode("a caf\u00e9 <s> \u6df1 ==  77", true, ids);
      } catch (const Error& error) {
        ++refused;
        EXPECT_EQ(error.kind(), ErrorKind::kInput);
      }
    };
    for (size_t length = 0; length < whole.size(); length += 61) attempt(whole.substr(0, length));
    for (size_t at = 0; at < whole.size(); at += 53) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << at % 8));
      attempt(changed);
    }
    EXPECT_GT(refused, 20u) << name;
  }
}

}  // namespace
}  // namespace plumb::models
