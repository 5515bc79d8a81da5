// GGUF files that are sound as such and describe no model that Plumb can run, or no tokenizer.

#include <gmock/gmock.h>

#include <limits>

#include "base/error.h"
#include "models/formats/checkpoint.h"
#include "models/formats/malformed_gguf_testing.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::models {
namespace {

using namespace fixtures;
using namespace testing;
namespace fs = std::filesystem;

std::vector<MalformedCase> configs() {
  const auto needed = [](const std::string& name, const std::string& key, GgufField field,
                         Words words) { return instead(name, "llama." + key, field, words); };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  return {
      instead("ArchitectureUnknown", "general.architecture", gguf_text("mamba"),
              {"architecture is 'mamba'", "it knows: llama"}),
      instead("ArchitectureANumber", "general.architecture", gguf_u32(7), {"must be text"}),
      changed("ArchitectureMissing", [](GgufFile& f) { f.metadata.erase(f.metadata.begin()); },
              {"'general.architecture' is missing"}),
      needed("BlocksZero", "block_count", gguf_u32(0),
             {"number of blocks is 0; it must be 1 to 512"}),
      needed("Blocks513", "block_count", gguf_u32(513), {"is 513; it must be 1 to 512"}),
      needed("BlocksABillion", "block_count", gguf_u32(1'000'000'000), {"it must be 1 to 512"}),
      needed("BlocksNegative", "block_count", gguf_i32(-1), {"number of blocks is -1"}),
      needed("BlocksText", "block_count", gguf_text("1"), {"must be one whole number"}),
      needed("BlocksAnArray", "block_count", gguf_i32s({1}), {"must be one whole number"}),
      needed("BlocksMost", "block_count", gguf_u64(kMost), {"must be one whole number"}),
      needed("HeadsZero", "attention.head_count", gguf_u32(0), {"no multiple of the 0 heads"}),
      needed("HeadsThatDoNotDivide", "attention.head_count", gguf_u32(3), {"of the 3 heads"}),
      needed("MoreKeyHeadsThanHeads", "attention.head_count_kv", gguf_u32(4),
             {"key and value heads is 4; it must be 1 to 2"}),
      needed("WidthOfAnotherModel", "embedding_length", gguf_u32(64),
             {"'token_embd.weight' has shape [256, 32] but the config needs [256, 64]"}),
      needed("EpsilonNaN", "attention.layer_norm_rms_epsilon", gguf_f32(nan), {"epsilon is nan"}),
      needed("ThetaZero", "rope.freq_base", gguf_f32(0), {"rope theta is 0", "above 0"}),
      needed("ThetaNaN", "rope.freq_base", gguf_f32(nan), {"rope theta is nan", "finite"}),
      needed("ThetaText", "rope.freq_base", gguf_text("NaN"), {"floating-point number"}),
      with("VocabularyOfAnotherModel", "llama.vocab_size", gguf_u32(255),
           {"the vocabulary has 255 tokens but the embedding 256 rows"}),
      with("OneOfThreeParts", "split.count", gguf_u8(3), {"one of 3 parts; merge them"}),
  };
}

class MalformedGgufModel : public ::testing::TestWithParam<MalformedCase> {};
TEST_P(MalformedGgufModel, IsRefusedByName) {
  expect_refused(GetParam(), [](const fs::path& folder) { Checkpoint::open(folder / "m.gguf"); });
}
INSTANTIATE_TEST_SUITE_P(Cases, MalformedGgufModel, ::testing::ValuesIn(configs()), case_name);

// What only the tokenizer's reader looks at.
std::vector<MalformedCase> vocabularies() {
  const std::string at = "tokenizer.ggml.";
  const auto tokens = [](std::vector<std::string> changed) {
    return [changed](GgufFile& f) {
      std::vector<std::string> all(256, "");
      for (size_t i = 0; i < 256; ++i) all[i] = text("t", i);
      std::copy(changed.begin(), changed.end(), all.begin());
      f.field("tokenizer.ggml.tokens") = gguf_texts(all);
    };
  };
  return {
      instead("NoModelThatIsKnown", at + "model", gguf_text("rwkv"),
              {"tokenizer is 'rwkv'", "Plumb reads 'gpt2'"}),
      instead("PreTokenizerUnknown", at + "pre", gguf_text("x\ny"),
              {"pre-tokenizer is 'x?y'; Plumb knows"}),
      instead("TokensOfNumbers", at + "tokens", gguf_i32s({1, 2}), {"must be an array of strings"}),
      instead("TokensOneText", at + "tokens", gguf_text("a"), {"must be an array"}),
      instead("TokensNone", at + "tokens", gguf_texts({}), {"0 tokens but 256 token types"}),
      changed("TokenTwice", tokens({"x", "x"}), {"'x' stands twice", "as id 0 and 1"}),
      changed("TokenEmpty", tokens({""}), {"token 0 is empty", "a hole"}),
      changed("TokenNotUtf8", tokens({"\xff"}), {"token 0 is not valid UTF-8"}),
      changed("TokenOf70000Bytes", tokens({std::string(70'000, 'x')}),
              {"token 0 has 70000 bytes, more than 65536"}),
      changed("TokensWithoutBytes", tokens({}), {"no token of a single byte"}),
      instead("TypesTooFew", at + "token_type", gguf_i32s({1}), {"256 tokens but 1 token types"}),
      instead("TypesUnknown", at + "token_type", gguf_i32s(std::vector<int32_t>(256, 9)),
              {"has type 9; byte-level BPE knows types 1 to 5"}),
      instead("TypesOfTexts", at + "token_type", gguf_texts({"1"}),
              {"must be an array of integers"}),
      instead("MergeOfUnknownTokens", at + "merges", gguf_texts({"no such"}),
              {"merge 0 ('no' 'such') needs token 'no'", "does not have"}),
      instead("MergeOfOneToken", at + "merges", gguf_texts({"a"}), {"merge 0 is 'a'; two tokens"}),
      instead("MergesOfNumbers", at + "merges", gguf_i32s({1}), {"must be an array of strings"}),
      instead("EosBeyondTheVocabulary", at + "eos_token_id", gguf_u32(256), {"EOS", "256"}),
      instead("EosMost", at + "eos_token_id", gguf_u64(kMost),
              {"eos_token_id' must be an integer"}),
      bytes("MillionEmptyTokens",
            [] {
              GgufFile file = sound();
              const std::string zeros(8'000'000, '\0');
              file.field("tokenizer.ggml.tokens") = gguf_array(8, 1'000'000, zeros);
              file.field("tokenizer.ggml.token_type") =
                  gguf_array(0, 1'000'000, std::string(1'000'000, '\1'));
              return file.bytes();
            },
            {"token 0 is empty", "a hole"}),
  };
}

class MalformedGgufTokenizer : public ::testing::TestWithParam<MalformedCase> {};
TEST_P(MalformedGgufTokenizer, IsRefusedByName) {
  expect_refused(
      GetParam(), [](const fs::path& folder) { Tokenizer::open(folder / "m.gguf"); },
      kTokenizerBuffers);
}
INSTANTIATE_TEST_SUITE_P(Cases, MalformedGgufTokenizer, ::testing::ValuesIn(vocabularies()),
                         case_name);

}  // namespace
}  // namespace plumb::models
