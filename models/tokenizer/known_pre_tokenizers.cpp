#include "models/tokenizer/sources.h"

namespace plumb::models {
namespace {

using Kind = PreTokenizerStep::Kind;

constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

std::vector<PreTokenizerStep> gpt2() { return {{.kind = Kind::kByteLevel}}; }

std::vector<PreTokenizerStep> digits_then_gpt2() {
  return {{.kind = Kind::kDigits, .individual_digits = true}, {.kind = Kind::kByteLevel}};
}

std::vector<PreTokenizerStep> split_by(const char* pattern) {
  return {{.kind = Kind::kSplit, .pattern = pattern},
          {.kind = Kind::kByteLevel, .use_regex = false}};
}

}  // namespace

const std::vector<KnownPreTokenizer>& known_pre_tokenizers() {
  static const std::vector<KnownPreTokenizer> known = {
      {.name = "gpt-2", .steps = gpt2()},
      {.name = "phi-2", .steps = gpt2()},
      {.name = "smollm", .steps = digits_then_gpt2()},
      {.name = "starcoder", .steps = digits_then_gpt2()},
      {.name = "llama-bpe", .steps = split_by(kLlama3), .ignore_merges = true, .add_bos = true},
      {.name = "llama3", .steps = split_by(kLlama3), .ignore_merges = true, .add_bos = true},
      {.name = "llama-v3", .steps = split_by(kLlama3), .ignore_merges = true, .add_bos = true},
      {.name = "qwen2", .steps = split_by(kQwen2), .normalizer = Normalizer::kNfc},
  };
  return known;
}

}  // namespace plumb::models
