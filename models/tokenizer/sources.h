#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "models/formats/gguf.h"
#include "models/tokenizer/definition.h"

namespace plumb::models {

/// The file that `model` (a folder, a GGUF, a weight file or a tokenizer itself) has its tokenizer
/// in. Error{kInput} naming what was looked for where there is none.
std::filesystem::path tokenizer_file(const std::filesystem::path& model);
/// What stands in it and in the files beside it. Error{kInput}: as below, for a file of more than
/// 64 MiB that is no GGUF, and for a link that leaves the folder (`require_inside`).
TokenizerDefinition definition_of_file(const std::filesystem::path& file);

/// From GGUF metadata (tokenizer.ggml.*). Error{kInput} unless the model is "gpt2" (byte-level BPE)
/// with a `pre` that Plumb knows, or "llama" (SentencePiece's BPE).
///
/// Control tokens (type 3) become special added tokens, user-defined ones (type 4) plain added
/// tokens. "llama": a space is put before every text between added tokens unless the file says not
/// to, as llama.cpp does; tokens merge by score.
TokenizerDefinition definition_from_gguf(const GgufHeader& header);

/// From the text of a tokenizer.json and, where it is not empty, of the tokenizer_config.json
/// beside it.
TokenizerDefinition definition_from_json(std::string tokenizer, std::string config);

/// What lies beside a tokenizer.model, each empty where there is none.
struct SentencePieceCompanions {
  std::string config;        ///< tokenizer_config.json
  std::string added_tokens;  ///< added_tokens.json: text to id
};
/// From a SentencePiece model, BPE or unigram. Error{kInput} for what libsentencepiece refuses and
/// for what it would read out of bounds.
TokenizerDefinition definition_from_sentencepiece(std::string model,
                                                  const SentencePieceCompanions& beside);
/// The same tokenizer without libsentencepiece: merges by score. Error{kInput} unless the model is
/// BPE whose normaliser only writes spaces as U+2581.
TokenizerDefinition without_sentencepiece(const TokenizerDefinition& definition);

/// From Qwen 1's qwen.tiktoken: on each line a token in base64, a space and its rank, which is its
/// id. Behind them come <|endoftext|>, <|im_start|>, <|im_end|> and <|extra_0|> to <|extra_204|>.
/// `config`: tokenizer_config.json, or empty. Source: tokenization_qwen.py beside Qwen's models.
TokenizerDefinition definition_from_tiktoken(std::string_view lines, const std::string& config);

/// BPE that knows no merges but ranks of results: every way in which a token of `ranks` (by id; no
/// rank: not a result) is two others, or characters that are no token (as negative ids; only with
/// `loose_characters`). In order of rank, of equals those with the longest left part first, which
/// grow from the left as the leftmost of equals do (and as transformers' converters put them).
/// Error{kInput} where the tokens are too long for their splits to be counted.
std::deque<Merge> merges_by_result(const Vocabulary& vocabulary,
                                   const std::vector<std::optional<uint32_t>>& ranks,
                                   bool loose_characters);
/// The rank of each token among `scores`, the highest first; equal scores share one.
std::vector<uint32_t> ranks_of_scores(const std::vector<float>& scores);

/// A tokenizer.json that `tokenizers` reads to the same ids, but for ties: it has a rank for each
/// pair where SentencePiece and tiktoken have one for each result.
std::string tokenizer_json(const TokenizerDefinition& definition);
/// The tokenizer_config.json that goes with it.
std::string tokenizer_config_json(const TokenizerDefinition& definition);

/// What `tokenizer.ggml.pre` stands for. llama.cpp's names; the steps are those of the
/// tokenizer.json files that the names were made from.
struct KnownPreTokenizer {
  std::string_view name;
  std::vector<PreTokenizerStep> steps;
  bool nfc = false;
  bool ignore_merges = false;
  bool add_bos = false;  ///< where the file does not say
};
const std::vector<KnownPreTokenizer>& known_pre_tokenizers();

}  // namespace plumb::models
