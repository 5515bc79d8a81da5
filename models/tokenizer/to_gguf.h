#pragma once

#include <filesystem>

#include "models/config.h"
#include "models/formats/gguf_writer.h"

namespace plumb::models {

/// The tokenizer of a model's `folder` as GGUF metadata (tokenizer.ggml.* and tokenizer.chat_template), for an embedding of
/// config's vocabulary_size rows: rows without a token get one of type "unused", as llama.cpp needs one a row. Nothing where the folder
/// has no tokenizer. BOS and EOS are the tokenizer's own, else the config's.
///
/// A tokenizer.model (SentencePiece's BPE) becomes "llama", a byte-level tokenizer.json "gpt2" with the `pre` that stands for
/// its pre-tokenizer. What GGUF has no key for is left out where it changes no id, else refused.
///
/// Errors: Error{kInput} naming what the format cannot say, and what to do: a pre-tokenizer or normaliser without a name
/// there, an added token that takes spaces with it or counts as a whole word alone, BPE of characters without its
/// tokenizer.model, unigram, more tokens than rows.
GgufFields gguf_tokenizer(const std::filesystem::path& folder, const ModelConfig& config);

}  // namespace plumb::models
