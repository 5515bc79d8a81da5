#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/gguf.h"

namespace plumb::models {

class Checkpoint;

/// Text to token ids and back: BPE of bytes or of characters with added tokens, equal token for
/// token to Hugging Face `tokenizers`, SentencePiece or tiktoken, whichever the file was made for.
///
/// Errors: Error{kInput} when a vocabulary has holes or duplicates, a merge names an unknown token,
/// the model is not BPE, or the pre-tokenizer is not one that Plumb knows (by name, with the list).
/// Thread rule: `encode` is const and safe to call concurrently.
class Tokenizer {
 public:
  static Tokenizer from_gguf(const GgufHeader& header);
  static Tokenizer from_json(const std::filesystem::path& tokenizer_json);
  /// Beside a model: the GGUF file itself, or of the files in its folder the first that is there of
  /// tokenizer.json, tokenizer.model (SentencePiece) and qwen.tiktoken. Any of them can be named
  /// itself.
  static Tokenizer open(const std::filesystem::path& model);
  /// The same where the model at `path` is open already: a GGUF header is not read again.
  static Tokenizer of(const Checkpoint& checkpoint, const std::filesystem::path& path);

  /// sha256 of the files beside a model that decide ids and chat template, a line "name sha256" each; of a GGUF file,
  /// whose tokenizer is in it, of no line. Error{kInput} as `open` where no tokenizer is there.
  static std::string sha256(const std::filesystem::path& model);

  /// Ids of `text`. `special_tokens` adds BOS or EOS where the tokenizer's own files say so. Added
  /// tokens that occur in the text become their ids, as `tokenizers` does. Invalid UTF-8 is
  /// Error{kInput} with the byte's position.
  std::vector<int32_t> encode(std::string_view text, bool special_tokens = false) const;

  /// The bytes of `ids`, which need not be valid UTF-8; without the space that SentencePiece's
  /// vocabularies put before a text. Error{kInput} for an id out of range.
  std::string decode(const std::vector<int32_t>& ids) const;

  int64_t vocabulary_size() const;  ///< one more than the largest id, added tokens included

  /// A tokenizer.json that `tokenizers` loads to the same ids: the file itself, or made from what
  /// the tokenizer came from. Error{kInput} for a SentencePiece model that is not plain BPE.
  std::string to_json() const;
  /// tokenizer_config.json with the class, BOS, EOS, UNK and PAD tokens and the chat template.
  std::string to_config_json() const;

 private:
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace plumb::models
