#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace plumb::models {

/// A token that is found in the text before the pre-tokenizer and BPE see it. The four flags are
/// `tokenizers`' own.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;
  bool single_word = false;  ///< not where a word character touches it
  bool lstrip = false;       ///< takes the white space on its left with it
  bool rstrip = false;
  bool normalized = false;  ///< looked for in the normalised text
};

/// One step of the pre-tokenizer. kByteLevel can be the last step alone.
struct PreTokenizerStep {
  enum class Kind { kDigits, kSplit, kByteLevel, kMetaspace };
  enum class Behaviour { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
  Kind kind = Kind::kByteLevel;
  bool individual_digits = false;  ///< kDigits: each digit apart, else each run of digits
  std::string pattern = {};        ///< kSplit; kMetaspace: what a space becomes
  bool literal = false;            ///< kSplit: `pattern` is a string, not a regular expression
  bool invert = false;             ///< kSplit: what does not match is the delimiter
  Behaviour behaviour = Behaviour::kIsolated;  ///< kSplit: what becomes of the delimiter
  bool add_prefix_space = false;               ///< kByteLevel
  bool use_regex = true;                       ///< kByteLevel: split into words as GPT-2 does
  /// kMetaspace: before which pieces it puts one more, unless they begin with one.
  enum class Prepend { kAlways, kFirst, kNever };
  Prepend prepend = Prepend::kAlways;
  bool split = true;  ///< kMetaspace: each of them begins a word
};

/// One step of the normaliser, applied to each text between added tokens.
struct NormalizerStep {
  enum class Kind { kNfc, kPrepend, kReplace };
  Kind kind = Kind::kNfc;
  std::string pattern = {};  ///< kReplace
  bool literal = true;       ///< kReplace: `pattern` is a string, not a regular expression
  std::string content = {};  ///< kPrepend, kReplace
};

/// Left and right token and what they become. Of the pairs in a word those of least rank merge
/// first, the leftmost of equals. A negative id stands for a character that is no token itself, as
/// -1 - code point (late_fallback only).
struct Merge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;
  uint32_t rank = 0;
};

/// By id. In a container that grows in pieces, as `merges` and `added` below: a hostile file names a
/// token in fewer bytes than it takes here, and no allocation may be larger than the file.
using Vocabulary = std::deque<std::string>;

/// U+2581, which stands for a space in vocabularies of characters.
inline constexpr std::string_view kSpaceSymbol = "\u2581";

/// What a tokenizer is made of, whichever file it came from.
struct TokenizerDefinition {
  /// What a word is before its first merge: its bytes, which the vocabulary writes in GPT-2's
  /// printable alphabet ("Ġthe"), or its characters ("\u2581the").
  enum class Symbols { kBytes, kCharacters };
  Symbols symbols = Symbols::kBytes;
  Vocabulary vocabulary;  ///< of the model, dense
  std::deque<Merge> merges;
  std::deque<AddedToken> added;  ///< ids inside the vocabulary, or following it without a hole
  std::vector<PreTokenizerStep> steps;
  std::vector<NormalizerStep> normalizer;
  bool ignore_merges = false;      ///< a word that is a token becomes it at once
  std::optional<int32_t> unknown;  ///< for symbols without a token; none: they are dropped
  bool fuse_unknown = false;
  bool byte_fallback = false;  ///< kCharacters: one without a token becomes <0xHH> for each byte
  /// kCharacters: as SentencePiece does, only after all merges, so that it can still be merged.
  bool late_fallback = false;
  bool strip_first_space = false;       ///< decoding drops the one that the normaliser put
  std::vector<int32_t> prefix, suffix;  ///< what `special_tokens` adds around the text

  std::optional<int32_t> bos, eos, unk, pad;  ///< for tokenizer_config.json only
  std::string chat_template;
  int64_t max_length = 0;         ///< positions; 0: the file names none
  std::string json, config_json;  ///< the files themselves where there are any, else empty
  /// A tokenizer.model, which libsentencepiece encodes with; `merges` and `steps` are then empty.
  std::string sentencepiece;
  /// SentencePiece: which of the texts between added tokens get its first space. kAlways is
  /// LlamaTokenizer's `legacy` behaviour, and that of the tokenizer.json files made from it.
  PreTokenizerStep::Prepend prefix_pieces = PreTokenizerStep::Prepend::kAlways;

  int64_t size() const;                      ///< one more than the largest id
  std::string_view token(int32_t id) const;  ///< of the vocabulary or added; id in 0..size-1
};

/// Largest sizes that are accepted. Real tokenizers stay an order of magnitude below.
inline constexpr size_t kMaxVocabulary = size_t{1} << 22;
inline constexpr size_t kMaxTokenBytes = size_t{1} << 16;
inline constexpr size_t kMaxAddedTokens = size_t{1} << 16;
inline constexpr size_t kMaxAddedBytes = size_t{1} << 22;

/// Text of each token to its id. The definition's strings must outlive it.
class VocabularyIndex {
 public:
  /// Error{kInput} for two ids of one text, an empty or overlong token, text that is not UTF-8, too
  /// many tokens.
  explicit VocabularyIndex(const Vocabulary& vocabulary);
  std::optional<int32_t> find(std::string_view token) const;
  /// Error{kInput} naming the merge and the token that is not there.
  Merge merge(std::string_view left, std::string_view right, size_t rank) const;

 private:
  std::unordered_map<std::string_view, int32_t> ids_;
};

/// Error{kInput} for what no single part can see: added tokens that are empty, twice, too many, too
/// long or whose ids leave a hole; specials outside the vocabulary.
void require_consistent(const TokenizerDefinition& definition);

/// "'abc'", cut to 40 bytes and with control characters (and what is not UTF-8) replaced, for messages
/// of one line.
std::string in_quotes(std::string_view name);

}  // namespace plumb::models
