#include "models/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <queue>

#include "base/error.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/unicode.h"

namespace plumb::models {
namespace {

using Symbols = TokenizerDefinition::Symbols;

// Above this many symbols the heap's n log n wins over scanning all ranks for each merge.
constexpr size_t kShortWord = 48;

uint64_t pair_of(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

uint64_t hash_of(std::string_view word) {  // at most kLongestWord bytes
  uint64_t hash = word.size() * 0x9E3779B97F4A7C15ull;
  while (!word.empty()) {
    uint64_t eight = 0;
    const size_t length = std::min(word.size(), sizeof eight);
    std::memcpy(&eight, word.data(), length);
    hash = (hash ^ eight) * 0xD6E8FEB86659FD93ull;
    hash ^= hash >> 32;
    word.remove_prefix(length);
  }
  return hash;
}

// Before the table is made, which a hostile file's merges would be an eighth of.
void require_distinct(const TokenizerDefinition& definition) {
  std::vector<uint64_t> pairs;
  pairs.reserve(definition.merges.size());
  for (const Merge& merge : definition.merges) pairs.push_back(pair_of(merge.left, merge.right));
  std::sort(pairs.begin(), pairs.end());
  const auto twin = std::adjacent_find(pairs.begin(), pairs.end());
  if (twin == pairs.end()) return;
  const auto is_twin = [&](const Merge& m) { return pair_of(m.left, m.right) == *twin; };
  const auto& merges = definition.merges;
  const auto first = std::find_if(merges.begin(), merges.end(), is_twin);
  const auto second = std::find_if(first + 1, merges.end(), is_twin);
  const auto name = [&](int32_t id) {
    std::string character;
    if (id < 0) append_utf8(character, static_cast<uint32_t>(-1 - id));
    return in_quotes(id < 0 ? character : definition.token(id));
  };
  throw Error(ErrorKind::kInput,
              text("merges ", first->rank, " and ", second->rank,
                   " are the same: ", name(first->left), " ", name(first->right)));
}

struct Candidate {
  uint32_t rank = 0;
  int32_t position = 0;
  bool operator>(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

}  // namespace

MergeTable::MergeTable(const TokenizerDefinition& definition) {
  require_distinct(definition);
  const size_t capacity = std::bit_ceil(std::max<size_t>(16, 2 * definition.merges.size()));
  entries_.resize(capacity);
  shift_ = 64 - std::countr_zero(capacity);
  for (const Merge& merge : definition.merges) {
    const uint64_t pair = pair_of(merge.left, merge.right);
    size_t at = slot(pair);
    while (entries_[at].rank != kNoRank) at = (at + 1) & (capacity - 1);
    entries_[at] = {pair, merge.rank, merge.result};
  }
}

const MergeTable::Entry& MergeTable::find(int32_t left, int32_t right) const {
  const uint64_t pair = pair_of(left, right);
  size_t at = slot(pair);
  // An empty entry ends the search and says "no rank" itself.
  while (entries_[at].pair != pair && entries_[at].rank != kNoRank)
    at = (at + 1) & (entries_.size() - 1);
  return entries_[at];
}

Bpe::Bpe(const TokenizerDefinition& definition, const VocabularyIndex& index)
    : merges_(definition),
      symbols_(definition.symbols),
      unknown_(definition.unknown),
      fuse_unknown_(definition.fuse_unknown),
      byte_fallback_(definition.byte_fallback),
      late_fallback_(definition.late_fallback) {
  read_symbols(definition, index);
  cuts_before_spaces_ = may_cut(definition);
  if (!definition.ignore_merges) return;
  for (size_t id = 0; id < definition.vocabulary.size(); ++id) {
    const std::string& token = definition.vocabulary[id];
    auto word = symbols_ == Symbols::kBytes ? bytes_of_symbols(token) : token;
    if (word) whole_words_.emplace(std::move(*word), static_cast<int32_t>(id));
  }
}

void Bpe::read_symbols(const TokenizerDefinition& definition, const VocabularyIndex& index) {
  const bool bytes = symbols_ == Symbols::kBytes;
  for (size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    const auto value = static_cast<uint8_t>(byte);
    byte_ids_[byte] = index.find(bytes ? byte_symbol(value) : byte_token(value)).value_or(-1);
  }
  if (!bytes)
    for (size_t id = 0; id < definition.vocabulary.size(); ++id) {
      const std::string& token = definition.vocabulary[id];
      const char* at = token.data();
      const uint32_t point = next_code_point(at);
      if (at == token.data() + token.size())
        character_ids_.emplace(point, static_cast<int32_t>(id));
    }
  const bool no_byte =
      std::all_of(byte_ids_.begin(), byte_ids_.end(), [](int32_t id) { return id < 0; });
  if (bytes && no_byte)
    throw Error(ErrorKind::kInput,
                "the vocabulary has no token of a single byte in GPT-2's alphabet, which "
                "byte-level BPE begins with");
  if (!bytes && character_ids_.empty() && (no_byte || !byte_fallback_))
    throw Error(ErrorKind::kInput,
                "the vocabulary has no token of a single character, which BPE begins with");
}

bool Bpe::may_cut(const TokenizerDefinition& definition) const {
  if (symbols_ == Symbols::kBytes || definition.ignore_merges) return false;
  // Where a character can vanish, spaces that it kept apart meet.
  const bool all_bytes = std::find(byte_ids_.begin(), byte_ids_.end(), -1) == byte_ids_.end();
  if (!unknown_ && !late_fallback_ && !(byte_fallback_ && all_bytes)) return false;
  constexpr uint32_t kSpacePoint = 0x2581;
  if (!character_ids_.contains(kSpacePoint)) return false;
  return std::none_of(definition.merges.begin(), definition.merges.end(), [&](const Merge& merge) {
    return merge.right >= 0 && definition.token(merge.right).starts_with(kSpaceSymbol) &&
           (merge.left < 0 || !definition.token(merge.left).ends_with(kSpaceSymbol));
  });
}

void Bpe::encode(std::string_view text, BpeScratch& scratch, std::vector<int32_t>& out) const {
  if (!cuts_before_spaces_) return encode_word(text, scratch, out);
  size_t begin = 0;
  for (size_t at = 0; (at = text.find(kSpaceSymbol, at)) != std::string_view::npos;
       at += kSpaceSymbol.size()) {
    if (at == begin || text.substr(begin, at - begin).ends_with(kSpaceSymbol)) continue;
    encode_word(text.substr(begin, at - begin), scratch, out);
    begin = at;
  }
  if (begin < text.size()) encode_word(text.substr(begin), scratch, out);
}

void Bpe::encode_word(std::string_view word, BpeScratch& scratch, std::vector<int32_t>& out) const {
  if (word.size() > BpeScratch::kLongestWord) return encode_uncached(word, scratch, out);
  const uint64_t hash = hash_of(word);
  BpeScratch::Word& cached = scratch.words[hash % BpeScratch::kSlots];
  if (cached.hash == hash && cached.length == word.size() &&
      std::memcmp(cached.bytes.data(), word.data(), word.size()) == 0) {
    out.insert(out.end(), cached.ids.data(), cached.ids.data() + cached.count);
    return;
  }
  const size_t before = out.size();
  encode_uncached(word, scratch, out);
  const size_t count = out.size() - before;
  if (count > BpeScratch::kMostIds) return;
  cached.hash = hash;
  cached.length = static_cast<uint8_t>(word.size());
  cached.count = static_cast<uint8_t>(count);
  std::memcpy(cached.bytes.data(), word.data(), word.size());
  std::copy(out.end() - static_cast<std::ptrdiff_t>(count), out.end(), cached.ids.begin());
}

void Bpe::encode_uncached(std::string_view word, BpeScratch& scratch,
                          std::vector<int32_t>& out) const {
  if (!whole_words_.empty()) {
    if (const auto found = whole_words_.find(std::string(word)); found != whole_words_.end())
      return out.push_back(found->second);
  }
  symbols_ == Symbols::kBytes ? first_bytes(word, scratch.ids)
                              : first_characters(word, scratch.ids);
  scratch.ids.size() <= kShortWord ? merge_short(scratch) : merge_long(scratch);
  if (late_fallback_) return append_late(scratch.ids, out);
  out.insert(out.end(), scratch.ids.begin(), scratch.ids.end());
}

void Bpe::first_bytes(std::string_view word, std::vector<int32_t>& ids) const {
  ids.clear();
  bool after_unknown = false;
  for (const char c : word) {
    const int32_t id = byte_ids_[static_cast<uint8_t>(c)];
    if (id >= 0) {
      ids.push_back(id);
    } else if (unknown_ && !(fuse_unknown_ && after_unknown)) {
      ids.push_back(*unknown_);
    }
    after_unknown = id < 0;
  }
}

// The unknown token is put when the next known character comes, and bytes do not count as one: so
// does `tokenizers`.
void Bpe::first_characters(std::string_view word, std::vector<int32_t>& ids) const {
  ids.clear();
  bool unknown_pending = false;
  const auto put_unknown = [&] {
    if (unknown_pending) ids.push_back(*unknown_);
    unknown_pending = false;
  };
  for (const char* at = word.data(); at != word.data() + word.size();) {
    const char* const begin = at;
    const uint32_t point = next_code_point(at);
    if (const auto found = character_ids_.find(point); found != character_ids_.end()) {
      put_unknown();
      ids.push_back(found->second);
    } else if (late_fallback_) {
      ids.push_back(-1 - static_cast<int32_t>(point));
    } else if (!byte_fallback_ || !append_bytes({begin, static_cast<size_t>(at - begin)}, ids)) {
      if (!fuse_unknown_) put_unknown();
      unknown_pending = unknown_.has_value();
    }
  }
  put_unknown();
}

// All bytes or, where one has no token, nothing.
bool Bpe::append_bytes(std::string_view character, std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  for (const char c : character) {
    const int32_t id = byte_ids_[static_cast<uint8_t>(c)];
    if (id < 0) return ids.resize(before), false;
    ids.push_back(id);
  }
  return true;
}

void Bpe::append_late(const std::vector<int32_t>& ids, std::vector<int32_t>& out) const {
  bool after_unknown = false;
  for (const int32_t id : ids) {
    bool is_unknown = false;
    if (id >= 0) {
      out.push_back(id);
    } else {
      std::string character;
      append_utf8(character, static_cast<uint32_t>(-1 - id));
      is_unknown = !byte_fallback_ || !append_bytes(character, out);
      if (is_unknown && unknown_ && !(fuse_unknown_ && after_unknown)) out.push_back(*unknown_);
    }
    after_unknown = is_unknown;
  }
}

void Bpe::merge_short(BpeScratch& scratch) const {
  auto& ids = scratch.ids;
  auto& ranks = scratch.ranks;  // ranks[i]: of ids[i] and ids[i + 1]
  if (ids.size() < 2) return;
  ranks.resize(ids.size() - 1);
  for (size_t i = 0; i + 1 < ids.size(); ++i) ranks[i] = merges_.find(ids[i], ids[i + 1]).rank;
  while (!ranks.empty()) {
    const auto least = std::min_element(ranks.begin(), ranks.end());
    if (*least == MergeTable::kNoRank) return;
    const auto at = static_cast<size_t>(least - ranks.begin());
    ids[at] = merges_.find(ids[at], ids[at + 1]).result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    ranks.erase(least);
    if (at < ranks.size()) ranks[at] = merges_.find(ids[at], ids[at + 1]).rank;
    if (at > 0) ranks[at - 1] = merges_.find(ids[at - 1], ids[at]).rank;
  }
}

void Bpe::merge_long(BpeScratch& scratch) const {
  auto& symbols = scratch.symbols;
  const auto count = static_cast<int32_t>(scratch.ids.size());
  const auto at = [&symbols](int32_t position) -> BpeScratch::Symbol& {
    return symbols[static_cast<size_t>(position)];
  };
  symbols.clear();
  for (int32_t i = 0; i < count; ++i)
    symbols.push_back(
        {scratch.ids[static_cast<size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1, false});
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](int32_t position) {
    if (position < 0 || at(position).next < 0) return;
    const auto& entry = merges_.find(at(position).id, at(at(position).next).id);
    if (entry.rank != MergeTable::kNoRank) queue.push({entry.rank, position});
  };
  for (int32_t i = 0; i < count; ++i) offer(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    auto& left = at(best.position);
    if (left.gone || left.next < 0) continue;
    auto& right = at(left.next);
    // A candidate whose symbols have changed since it was offered names another rank, or is as good
    // as the one that was offered for them.
    const auto& entry = merges_.find(left.id, right.id);
    if (entry.rank != best.rank) continue;
    left.id = entry.result;
    left.next = right.next;
    right.gone = true;
    if (left.next >= 0) at(left.next).previous = best.position;
    offer(left.previous);
    offer(best.position);
  }
  scratch.ids.clear();
  for (const auto& symbol : symbols)
    if (!symbol.gone) scratch.ids.push_back(symbol.id);
}

}  // namespace plumb::models
