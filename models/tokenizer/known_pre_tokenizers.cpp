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

// llama.cpp's GPT-2 words leave out the last of GPT-2's alternatives; what is left over is a piece
// all the same.
constexpr const char* kDefaultPunctuation = R"([\p{P}\$\+<=>\^~\|]+)";
constexpr const char* kDefaultWords =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))";

// No tokenizer.json stands behind it: these are llama.cpp's own patterns, one after the other.
std::vector<PreTokenizerStep> llama_cpp_default() {
  return {{.kind = Kind::kSplit, .pattern = kDefaultPunctuation},
          {.kind = Kind::kSplit, .pattern = kDefaultWords},
          {.kind = Kind::kSplit, .pattern = R"(\p{N}+)"},
          {.kind = Kind::kSplit, .pattern = "[0-9][0-9][0-9]"},
          {.kind = Kind::kByteLevel, .use_regex = false}};
}

KnownPreTokenizer llama3(std::string_view name) {
  return {.name = name, .steps = split_by(kLlama3), .ignore_merges = true, .add_bos = true};
}

}  // namespace

const std::vector<KnownPreTokenizer>& known_pre_tokenizers() {
  static const std::vector<KnownPreTokenizer> known = {
      {.name = "default", .steps = llama_cpp_default()},
      {.name = "gpt-2", .steps = gpt2()},
      {.name = "phi-2", .steps = gpt2()},
      {.name = "olmo", .steps = gpt2()},
      {.name = "mpt", .steps = gpt2()},
      {.name = "jais", .steps = gpt2()},
      {.name = "smollm", .steps = digits_then_gpt2()},
      {.name = "starcoder", .steps = digits_then_gpt2()},
      {.name = "refact", .steps = digits_then_gpt2()},
      {.name = "command-r", .steps = digits_then_gpt2()},
      {.name = "codeshell", .steps = digits_then_gpt2()},
      llama3("llama-bpe"),
      llama3("llama3"),
      llama3("llama-v3"),
      llama3("falcon3"),
      {.name = "dbrx", .steps = split_by(kLlama3)},
      {.name = "smaug-bpe", .steps = split_by(kLlama3)},
      {.name = "qwen2", .steps = split_by(kQwen2), .nfc = true},
      {.name = "deepseek-r1-qwen", .steps = split_by(kQwen2), .nfc = true},
      {.name = "megrez", .steps = split_by(kQwen2)},
      {.name = "stablelm2", .steps = split_by(kQwen2), .nfc = true},
  };
  return known;
}

}  // namespace plumb::models
