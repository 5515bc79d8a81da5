#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/tokenizer/definition.h"

namespace plumb::models {

/// (left, right) -> rank and result: open addressing, at most half full. Ids can be negative.
class MergeTable {
 public:
  static constexpr uint32_t kNoRank = UINT32_MAX;
  struct Entry {
    uint64_t pair = UINT64_MAX;
    uint32_t rank = kNoRank;
    int32_t result = 0;
  };
  /// Error{kInput} where a pair stands twice: implementations disagree on which of the two ranks
  /// holds.
  explicit MergeTable(const TokenizerDefinition& definition);
  const Entry& find(int32_t left, int32_t right) const;

 private:
  size_t slot(uint64_t pair) const { return (pair * 0x9E3779B97F4A7C15ull) >> shift_; }
  std::vector<Entry> entries_;
  int shift_ = 0;
};

/// What one thread needs while it encodes: the words seen before with their ids, and room to merge
/// in.
struct BpeScratch {
  static constexpr size_t kSlots = size_t{1} << 15;
  static constexpr size_t kLongestWord = 22, kMostIds = 8;
  struct Word {  // one cache line
    uint64_t hash = 0;
    uint8_t length = 0;  ///< 0: empty slot
    uint8_t count = 0;
    std::array<char, kLongestWord> bytes{};
    std::array<int32_t, kMostIds> ids{};
  };
  struct Symbol {
    int32_t id = 0;
    int32_t previous = 0, next = 0;  ///< positions, -1 at the ends
    bool gone = false;
  };
  std::vector<Word> words = std::vector<Word>(kSlots);
  std::vector<int32_t> ids;
  std::vector<uint32_t> ranks;
  std::vector<Symbol> symbols;
};

/// BPE of one word: bytes or characters become tokens, and of the neighbours that can merge those
/// of least rank do, leftmost first, until none can. Const and without state of its own.
///
/// A symbol without a token becomes its bytes' tokens or the unknown token or, where the model
/// names none, is dropped, so that its neighbours meet: this is what `tokenizers` does.
class Bpe {
 public:
  /// Error{kInput} where the vocabulary has no symbol to begin with, or a merge stands twice.
  Bpe(const TokenizerDefinition& definition, const VocabularyIndex& index);
  /// Appends the ids of `word`, well-formed UTF-8 where symbols are characters, to `out`.
  void encode(std::string_view word, BpeScratch& scratch, std::vector<int32_t>& out) const;
  /// Whether `encode` may take the words of a text one by one: no merge joins what is on both sides
  /// of a space symbol's begin. Then a text without a pre-tokenizer costs no more than one with.
  bool cuts_before_spaces() const { return cuts_before_spaces_; }

 private:
  void read_symbols(const TokenizerDefinition& definition, const VocabularyIndex& index);
  bool may_cut(const TokenizerDefinition& definition) const;
  void encode_word(std::string_view word, BpeScratch& scratch, std::vector<int32_t>& out) const;
  void encode_uncached(std::string_view word, BpeScratch& scratch, std::vector<int32_t>& out) const;
  void first_bytes(std::string_view word, std::vector<int32_t>& ids) const;
  void first_characters(std::string_view word, std::vector<int32_t>& ids) const;
  bool append_bytes(std::string_view character, std::vector<int32_t>& ids) const;
  void append_late(const std::vector<int32_t>& ids, std::vector<int32_t>& out) const;
  void merge_short(BpeScratch& scratch) const;
  void merge_long(BpeScratch& scratch) const;

  MergeTable merges_;
  TokenizerDefinition::Symbols symbols_;
  std::array<int32_t, 256> byte_ids_{};  ///< -1 where the vocabulary has no token for the byte
  std::unordered_map<uint32_t, int32_t> character_ids_;
  std::optional<int32_t> unknown_;
  bool fuse_unknown_ = false, byte_fallback_ = false, late_fallback_ = false;
  bool cuts_before_spaces_ = false;
  std::unordered_map<std::string, int32_t>
      whole_words_;  ///< as `encode` gets them; filled for ignore_merges
};

}  // namespace plumb::models
