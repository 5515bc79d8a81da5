#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "models/formats/gguf.h"
#include "models/tokenizer/definition.h"

namespace plumb::models {

/// From GGUF metadata (tokenizer.ggml.*). Error{kInput} unless the model is "gpt2" and `pre` is one
/// that Plumb knows.
///
/// Control tokens (type 3) become special added tokens, user-defined ones (type 4) plain added
/// tokens.
TokenizerDefinition definition_from_gguf(const GgufHeader& header);

/// From the text of a tokenizer.json and, where it is not empty, of the tokenizer_config.json
/// beside it.
TokenizerDefinition definition_from_json(std::string tokenizer, std::string config);

/// A tokenizer.json that `tokenizers` reads to the same ids.
std::string tokenizer_json(const TokenizerDefinition& definition);
/// The tokenizer_config.json that goes with it.
std::string tokenizer_config_json(const TokenizerDefinition& definition);

/// What `tokenizer.ggml.pre` stands for. llama.cpp's names; the steps are those of the
/// tokenizer.json files that the names were made from.
struct KnownPreTokenizer {
  std::string_view name;
  std::vector<PreTokenizerStep> steps;
  Normalizer normalizer = Normalizer::kNone;
  bool ignore_merges = false;
  bool add_bos = false;  ///< where the file does not say
};
const std::vector<KnownPreTokenizer>& known_pre_tokenizers();

}  // namespace plumb::models
