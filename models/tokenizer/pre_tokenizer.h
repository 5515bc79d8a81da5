#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "models/tokenizer/definition.h"
#include "models/tokenizer/pattern.h"

namespace plumb::models {

/// Receives the words of a text in order. The view holds during the call only.
class WordSink {
 public:
  virtual ~WordSink() = default;
  virtual void word(std::string_view bytes) = 0;
};

/// End of the word at the start of [begin, end), begin < end, well-formed UTF-8, by GPT-2's pattern
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
///
/// which matches at every position, so words follow each other without gaps. Written out by hand,
/// as it takes most of the time of a tokenizer; the test holds it to PCRE2's reading of the same
/// pattern.
const char* gpt2_word_end(const char* begin, const char* end);

/// The steps of a pre-tokenizer, each applied to the pieces that the one before left.
/// Errors: Error{kInput} for a pattern that Plumb cannot run as `tokenizers` does, or that explodes
/// on a text.
class PreTokenizer {
 public:
  explicit PreTokenizer(const std::vector<PreTokenizerStep>& steps);
  /// `first`: nothing stands before `text`, which Metaspace can depend on.
  void split(std::string_view text, bool first, RegexScratch& scratch, WordSink& sink) const;

 private:
  struct Step {
    PreTokenizerStep options;
    std::optional<Pattern> pattern;
  };
  struct Run {
    RegexScratch& scratch;
    WordSink& sink;
  };
  using Piece = Pattern::Piece;  ///< after `arrange`, `matches` says that it is to be removed
  void run(size_t step, std::string_view piece, bool first, Run& to) const;
  void run_digits(size_t step, std::string_view piece, bool first, Run& to) const;
  void run_split(size_t step, std::string_view piece, bool first, Run& to) const;
  void run_metaspace(size_t step, std::string_view piece, bool first, Run& to) const;
  static std::vector<Piece> arrange(PreTokenizerStep::Behaviour behaviour,
                                    std::vector<Piece> pieces);

  std::vector<Step> steps_;
};

}  // namespace plumb::models
