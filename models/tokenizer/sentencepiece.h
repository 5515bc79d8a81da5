#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::models {

/// What a tokenizer.model says, read without libsentencepiece so that nothing reaches it unchecked.
/// Source: sentencepiece_model.proto (protocol buffers' wire format).
struct SentencePieceFile {
  enum Type : int64_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
  enum Model : int64_t { kUnigram = 1, kBpe = 2, kWord = 3, kCharacter = 4 };
  struct Piece {
    std::string text;
    float score = 0;
    int64_t type = kNormal;
  };
  std::deque<Piece> pieces;  ///< by id
  int64_t model = kUnigram;
  bool byte_fallback = false, whitespace_as_suffix = false;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
  std::string bos = "<s>", eos = "</s>", pad = "<pad>";  ///< texts of the pieces, if there are such
  std::string character_map;                             ///< precompiled_charsmap of the normaliser
};

/// Error{kInput} for bytes that are no such file; pieces that are empty, twice, not UTF-8 or with a
/// zero byte; byte pieces that are not <0x00> to <0xFF> or not all there; scores that are no
/// numbers; not one unknown piece; a character map that leads out of bounds; a model of words or
/// characters.
SentencePieceFile parse_sentencepiece(std::string_view bytes);

/// libsentencepiece. Thread rule: `encode` is const and safe to call concurrently.
class SentencePiece {
 public:
  /// `model`: the bytes of a tokenizer.model. Error{kInput} as parse_sentencepiece, or with the
  /// library's own words.
  explicit SentencePiece(const std::string& model);
  ~SentencePiece();
  SentencePiece(SentencePiece&&) noexcept;
  /// Appends the ids of `text`, well-formed UTF-8. `prefix`: with the space that the model puts
  /// before a text, if it does.
  void encode(std::string_view text, bool prefix, std::vector<int32_t>& out) const;

 private:
  struct Processors;
  std::unique_ptr<Processors> processors_;
};

}  // namespace plumb::models
