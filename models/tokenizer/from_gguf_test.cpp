#include <gmock/gmock.h>

#include "base/file.h"
#include "base/testing.h"
#include "fixtures/formats/gguf_file.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/sources.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::models {
namespace {

using plumb::testing::error_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string_view>;
using Types = std::vector<int32_t>;

// A header as a GGUF of SmolLM2's family has it; the strings outlive it.
class GgufTokenizer : public ::testing::Test {
 protected:
  GgufTokenizer() {
    for (int byte = 0; byte < 256; ++byte)
      symbols_.push_back(byte_symbol(static_cast<uint8_t>(byte)));
    Words tokens(symbols_.begin(), symbols_.end());
    for (const char* token : {"th", "the", "<|end|>", "<user>"}) tokens.emplace_back(token);
    Types types(tokens.size(), 1);
    types[258] = 3;
    types[259] = 4;
    set("model", std::string_view("gpt2"));
    set("pre", std::string_view("smollm"));
    set("tokens", tokens_ = tokens);
    set("token_type", types_ = types);
    set("merges", Words{"t h", "th e"});
    set("eos_token_id", uint64_t{258});
  }
  void set(const std::string& key, const GgufValue& value) {
    header_.metadata.insert_or_assign("tokenizer.ggml." + key, value);
  }
  void set(const std::string& key, const Words& words) {
    set(key, 8, words.size(),
        fixtures::gguf_texts(std::vector<std::string>(words.begin(), words.end())).bytes);
  }
  void set(const std::string& key, const Types& types) {
    set(key, 5, types.size(), fixtures::gguf_i32s(types).bytes);
  }
  void set(const std::string& key, uint32_t type, uint64_t count, const std::string& field) {
    const std::string& kept = bytes_.emplace_back(field.substr(4 + 8));  // after type and count
    set(key, GgufArray(type, count, std::as_bytes(std::span(kept))));
  }
  void erase(const std::string& key) { header_.metadata.erase("tokenizer.ggml." + key); }
  std::string refusal() const {
    const Error error = error_of([&] { Tokenizer::from_gguf(header_); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
    return error.what();
  }
  std::vector<std::string> symbols_;
  std::deque<std::string> bytes_;
  Words tokens_;
  Types types_;
  GgufHeader header_;
};

TEST_F(GgufTokenizer, EncodesWordsAddedTokensAndSingleDigits) {
  const auto tokenizer = Tokenizer::from_gguf(header_);
  EXPECT_THAT(tokenizer.encode("the<|end|>12<user>"), ElementsAre(257, 258, '1', '2', 259));
  EXPECT_EQ(tokenizer.vocabulary_size(), 260);
}

TEST_F(GgufTokenizer, TakesControlTokensAsSpecialAndUserDefinedOnesAsPlain) {
  const auto definition = definition_from_gguf(header_);
  ASSERT_EQ(definition.added.size(), 2u);
  EXPECT_TRUE(definition.added[0].special);
  EXPECT_FALSE(definition.added[1].special);
  EXPECT_EQ(definition.added[1].content, "<user>");
}

TEST_F(GgufTokenizer, AddsBosAndEosOnlyWhereTheFileSaysSo) {
  EXPECT_THAT(Tokenizer::from_gguf(header_).encode("t", true), ElementsAre('t'));
  set("bos_token_id", uint64_t{259});
  set("add_bos_token", true);
  set("add_eos_token", true);
  EXPECT_THAT(Tokenizer::from_gguf(header_).encode("t", true), ElementsAre(259, 't', 258));
  EXPECT_THAT(Tokenizer::from_gguf(header_).encode("t"), ElementsAre('t'));
  erase("bos_token_id");
  EXPECT_EQ(refusal(), "the GGUF wants a BOS token before each text but names none");
}

TEST_F(GgufTokenizer, RefusesAnUnknownPreTokenizerByNameWithTheKnownOnes) {
  set("pre", std::string_view("deep\nseek"));
  EXPECT_THAT(
      refusal(),
      AllOf(HasSubstr("the GGUF's pre-tokenizer is 'deep?seek'; Plumb knows default, gpt-2, "
                      "phi-2, "),
            HasSubstr("; use the model's folder with its tokenizer.json instead")));
}

TEST_F(GgufTokenizer, TakesTheDefaultWhereNoPreTokenizerIsNamed) {
  set("pre", std::string_view("default"));
  const auto named = Tokenizer::from_gguf(header_).encode("the 12345 (the)");
  erase("pre");
  EXPECT_EQ(Tokenizer::from_gguf(header_).encode("the 12345 (the)"), named);
}

TEST_F(GgufTokenizer, RefusesOtherModelsByName) {
  set("model", std::string_view("t5"));
  EXPECT_EQ(refusal(),
            "the GGUF's tokenizer is 't5' (unigram); Plumb reads 'gpt2' (byte-level BPE) and "
            "'llama' (SentencePiece's BPE)");
  set("model", std::string_view("llama"));
  EXPECT_THAT(refusal(), HasSubstr("the GGUF has no 'tokenizer.ggml.scores'"));
}

TEST_F(GgufTokenizer, NamesTheIdOfAHole) {
  tokens_[256] = "";
  set("tokens", tokens_);
  EXPECT_EQ(refusal(), "token 256 is empty; the vocabulary has a hole there");
}

TEST_F(GgufTokenizer, NamesTheIdsOfATokenThatStandsTwice) {
  tokens_[257] = "th";
  set("tokens", tokens_);
  EXPECT_EQ(refusal(), "token 'th' stands twice in the vocabulary, as id 256 and 257");
}

TEST_F(GgufTokenizer, NamesTheMergeOfAnUnknownToken) {
  set("merges", Words{"t h", "th z"});
  EXPECT_EQ(refusal(), "merge 1 ('th' 'z') needs token 'thz', which the vocabulary does not have");
}

TEST_F(GgufTokenizer, RefusesAMergeThatIsNotTwoTokens) {
  for (const char* merge : {"th", "t h e", " th", "th ", ""}) {
    set("merges", Words{"t h", merge});
    EXPECT_THAT(refusal(), HasSubstr("merge 1 ")) << merge;
  }
}

TEST_F(GgufTokenizer, NamesTheFieldThatIsMissingOrOfAnotherType) {
  for (const char* key : {"model", "tokens", "token_type", "merges"}) {
    const GgufHeader whole = header_;
    erase(key);
    EXPECT_THAT(refusal(), HasSubstr("'tokenizer.ggml." + std::string(key) + "'"));
    set(key, 1.5);
    EXPECT_THAT(refusal(), AllOf(HasSubstr("'tokenizer.ggml." + std::string(key) + "'"),
                                 HasSubstr("must be")));
    header_ = whole;
  }
}

TEST_F(GgufTokenizer, RefusesTypesThatDoNotFitTheTokens) {
  types_.pop_back();
  set("token_type", types_);
  EXPECT_EQ(refusal(), "the GGUF has 260 tokens but 259 token types");
  types_.push_back(6);
  set("token_type", types_);
  EXPECT_EQ(refusal(), "token 259 '<user>' has type 6; byte-level BPE knows types 1 to 5");
}

TEST_F(GgufTokenizer, RefusesSpecialsThatAreNoTokens) {
  set("eos_token_id", uint64_t{260});
  EXPECT_EQ(refusal(), "the EOS token has id 260, but ids end at 259");
  set("eos_token_id", int64_t{-1});
  EXPECT_EQ(refusal(), "'tokenizer.ggml.eos_token_id' is -1, not a token id");
  set("eos_token_id", uint64_t{1} << 63);
  EXPECT_EQ(refusal(), "'tokenizer.ggml.eos_token_id' must be an integer");
}

TEST_F(GgufTokenizer, WritesFilesThatReadBackToTheSameTokenizer) {
  set("bos_token_id", uint64_t{259});
  set("add_bos_token", true);
  header_.metadata["tokenizer.chat_template"] = std::string_view("{{ x }}\n\"quoted\"");
  header_.metadata["general.architecture"] = std::string_view("llama");
  header_.metadata["llama.context_length"] = uint64_t{2048};
  const auto tokenizer = Tokenizer::from_gguf(header_);
  const auto again = definition_from_json(tokenizer.to_json(), tokenizer.to_config_json());
  const auto definition = definition_from_gguf(header_);
  EXPECT_EQ(again.vocabulary, definition.vocabulary);
  EXPECT_EQ(again.merges.size(), definition.merges.size());
  EXPECT_EQ(again.bos, definition.bos);
  EXPECT_EQ(again.eos, definition.eos);
  EXPECT_EQ(again.unk, definition.unk);
  EXPECT_EQ(again.prefix, definition.prefix);
  EXPECT_EQ(again.chat_template, "{{ x }}\n\"quoted\"");
  EXPECT_THAT(again.config_json, HasSubstr("\"model_max_length\": 2048"));
  ASSERT_EQ(again.added.size(), 2u);
  EXPECT_TRUE(again.added[0].special);
  EXPECT_FALSE(again.added[1].special);
  EXPECT_FALSE(again.added[1].normalized);
}

TEST_F(GgufTokenizer, OfEachKnownPreTokenizerCanBeBuiltWrittenAndReadBack) {
  set("bos_token_id", uint64_t{258});
  for (const auto& known : known_pre_tokenizers()) {
    set("pre", known.name);
    const auto tokenizer = Tokenizer::from_gguf(header_);
    const plumb::testing::TemporaryFolder folder;
    write_file_atomically(folder / "tokenizer.json", tokenizer.to_json());
    const auto again = Tokenizer::open(folder.path());
    const std::string text = "The the's  12345 e\u0301\n\n \u00e9!?<|end|>\r\n x";
    EXPECT_EQ(again.encode(text, true), tokenizer.encode(text, true)) << known.name;
    EXPECT_EQ(again.to_json(), tokenizer.to_json()) << known.name;
  }
}

}  // namespace
}  // namespace plumb::models
