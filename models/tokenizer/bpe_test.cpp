#include "models/tokenizer/bpe.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/rng.h"
#include "base/testing.h"
#include "models/tokenizer/byte_alphabet.h"

namespace plumb::models {
namespace {

using plumb::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Pairs = std::vector<std::pair<std::string, std::string>>;

// The vocabulary: one token a byte of `bytes`, then the results of the merges in order of rank.
TokenizerDefinition definition_of(const std::string& bytes, const Pairs& merges) {
  TokenizerDefinition definition;
  for (const char c : bytes) definition.vocabulary.push_back(byte_symbol(static_cast<uint8_t>(c)));
  for (const auto& [left, right] : merges) {
    auto& tokens = definition.vocabulary;
    if (std::find(tokens.begin(), tokens.end(), left + right) == tokens.end())
      tokens.push_back(left + right);
  }
  const VocabularyIndex index(definition.vocabulary);
  for (size_t rank = 0; rank < merges.size(); ++rank)
    definition.merges.push_back(index.merge(merges[rank].first, merges[rank].second, rank));
  return definition;
}

class Encoder {
 public:
  explicit Encoder(TokenizerDefinition definition)
      : definition_(std::move(definition)),
        index_(definition_.vocabulary),
        bpe_(definition_, index_) {}
  std::vector<int32_t> ids(const std::string& word) {
    std::vector<int32_t> out;
    bpe_.encode(word, scratch_, out);
    return out;
  }
  std::vector<std::string> tokens(const std::string& word) {
    std::vector<std::string> result;
    for (const int32_t id : ids(word)) result.emplace_back(definition_.token(id));
    return result;
  }
  const TokenizerDefinition& definition() const { return definition_; }

 private:
  TokenizerDefinition definition_;
  VocabularyIndex index_;
  Bpe bpe_;
  BpeScratch scratch_;
};

// The definition itself: the pair of least rank merges, its leftmost occurrence first, until none
// is left.
std::vector<int32_t> merged_plainly(const TokenizerDefinition& definition,
                                    const std::string& word) {
  const VocabularyIndex index(definition.vocabulary);
  std::vector<int32_t> ids;
  for (const char c : word) ids.push_back(index.find(byte_symbol(static_cast<uint8_t>(c))).value());
  for (;;) {
    size_t best_rank = definition.merges.size(), best_at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i)
      for (size_t rank = 0; rank < best_rank; ++rank)
        if (definition.merges[rank].left == ids[i] && definition.merges[rank].right == ids[i + 1]) {
          best_rank = rank;
          best_at = i;
        }
    if (best_rank == definition.merges.size()) return ids;
    ids[best_at] = definition.merges[best_rank].result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

// Random merges over three letters: many ties, and results that merge on.
TokenizerDefinition random_definition(uint64_t seed) {
  Rng rng(seed);
  std::vector<std::string> tokens = {"a", "b", "c"};
  Pairs merges;
  while (merges.size() < 24) {
    const std::pair pair{tokens[rng.below(tokens.size())], tokens[rng.below(tokens.size())]};
    if (pair.first.size() + pair.second.size() > 9) continue;
    if (std::find(merges.begin(), merges.end(), pair) != merges.end()) continue;
    merges.push_back(pair);
    if (std::find(tokens.begin(), tokens.end(), pair.first + pair.second) == tokens.end())
      tokens.push_back(pair.first + pair.second);
  }
  return definition_of("abc", merges);
}

std::string random_word(Rng& rng, size_t length) {
  std::string word;
  for (size_t i = 0; i < length; ++i) word += static_cast<char>('a' + rng.below(3));
  return word;
}

TEST(Bpe, MergesTheLeastRankFirstWhereverItStands) {
  Encoder encoder(definition_of("abc", {{"b", "c"}, {"a", "b"}}));
  EXPECT_THAT(encoder.tokens("abc"), ElementsAre("a", "bc"));
  EXPECT_THAT(encoder.tokens("ab"), ElementsAre("ab"));
}

TEST(Bpe, MergesTheLeftmostOfEqualRanks) {
  Encoder encoder(definition_of("a", {{"a", "a"}}));
  EXPECT_THAT(encoder.tokens("aaa"), ElementsAre("aa", "a"));
  EXPECT_THAT(encoder.tokens("aaaaa"), ElementsAre("aa", "aa", "a"));
}

TEST(Bpe, DoesNotMergeWhatIsATokenWithoutBeingReachable) {
  auto definition = definition_of("abc", {{"a", "b"}});
  definition.vocabulary.push_back("abc");
  EXPECT_THAT(Encoder(definition).tokens("abc"), ElementsAre("ab", "c"));
  definition.ignore_merges = true;
  EXPECT_THAT(Encoder(definition).tokens("abc"), ElementsAre("abc"));
}

TEST(Bpe, TakesTheResultOfARankFromItsOwnMerge) {  // two merges make one token
  Encoder encoder(definition_of("abc", {{"a", "b"}, {"b", "c"}, {"ab", "c"}, {"a", "bc"}}));
  EXPECT_THAT(encoder.tokens("abc"), ElementsAre("abc"));
}

TEST(Bpe, OfNothingIsNothing) { EXPECT_TRUE(Encoder(definition_of("a", {})).ids("").empty()); }

// Words up to 22 bytes are cached, up to 48 symbols ranks are scanned, above a heap is used.
TEST(Bpe, EqualsTheDefinitionOnWordsOfEveryLengthOverSeeds) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Encoder encoder(random_definition(seed));
    Rng rng(seed, 1);
    for (const size_t length : {1, 2, 3, 5, 8, 13, 21, 22, 23, 24, 47, 48, 49, 50, 97, 200}) {
      const std::string word = random_word(rng, length);
      const auto expected = merged_plainly(encoder.definition(), word);
      EXPECT_EQ(encoder.ids(word), expected) << word;
      EXPECT_EQ(encoder.ids(word), expected) << word << " from the cache";
    }
  }
}

TEST(Bpe, CachesManyMoreWordsThanItHasRoomFor) {
  Encoder encoder(random_definition(99));
  Rng rng(7);
  std::vector<std::string> words;
  for (size_t i = 0; i < 3 * BpeScratch::kSlots; ++i)
    words.push_back(random_word(rng, 1 + rng.below(20)));
  std::vector<std::vector<int32_t>> first;
  for (const auto& word : words) first.push_back(encoder.ids(word));
  for (size_t i = 0; i < words.size(); ++i) ASSERT_EQ(encoder.ids(words[i]), first[i]) << words[i];
  for (size_t i = 0; i < words.size(); i += 997)
    EXPECT_EQ(first[i], merged_plainly(encoder.definition(), words[i])) << words[i];
}

// Scanning for each merge would take 10^11 steps here: hours, where n log n takes a blink.
TEST(Bpe, ALongWordIsNotQuadratic) {
  Encoder encoder(definition_of("ab", {{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}, {"a", "b"}}));
  const size_t length = 1 << 20;
  EXPECT_EQ(encoder.ids(std::string(length, 'a')), std::vector<int32_t>(length / 8, 4));
  std::string alternating;
  for (size_t i = 0; i < length / 2; ++i) alternating += "ab";
  EXPECT_EQ(encoder.ids(alternating), std::vector<int32_t>(length / 2, 5));
}

TEST(Bpe, DropsBytesWithoutATokenSoThatTheirNeighboursMeet) {
  Encoder encoder(definition_of("ab", {{"a", "b"}}));
  EXPECT_THAT(encoder.tokens("azb"), ElementsAre("ab"));
  EXPECT_TRUE(encoder.ids("zzz").empty());
}

TEST(Bpe, PutsTheUnknownTokenForBytesWithoutOneAndFusesARunOfThem) {
  auto definition = definition_of("ab?", {{"a", "b"}});
  definition.unknown = 2;
  EXPECT_THAT(Encoder(definition).tokens("azzb"), ElementsAre("a", "?", "?", "b"));
  definition.fuse_unknown = true;
  EXPECT_THAT(Encoder(definition).tokens("azzbz"), ElementsAre("a", "?", "b", "?"));
}

TEST(Bpe, RefusesAVocabularyWithoutBytes) {
  TokenizerDefinition definition;
  definition.vocabulary = {"word", "another"};
  const Error error = error_of([&] { Encoder encoder(definition); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("no token of a single byte"));
}

TEST(MergeTable, RefusesAMergeThatStandsTwice) {
  auto definition = definition_of("ab", {{"a", "b"}, {"b", "a"}});
  definition.merges.push_back(definition.merges[0]);
  definition.merges[2].rank = 2;
  EXPECT_THAT(error_of([&] { MergeTable table(definition); }).what(),
              HasSubstr("merges 0 and 2 are the same: 'a' 'b'"));
}

TEST(MergeTable, FindsEveryMergeAndNothingElse) {
  const auto definition = random_definition(3);
  const MergeTable table(definition);
  const auto size = static_cast<int32_t>(definition.vocabulary.size());
  size_t found = 0;
  for (int32_t left = 0; left < size; ++left)
    for (int32_t right = 0; right < size; ++right) {
      const auto& entry = table.find(left, right);
      if (entry.rank == MergeTable::kNoRank) continue;
      ++found;
      EXPECT_EQ(definition.merges[entry.rank].left, left);
      EXPECT_EQ(definition.merges[entry.rank].right, right);
      EXPECT_EQ(definition.merges[entry.rank].result, entry.result);
    }
  EXPECT_EQ(found, definition.merges.size());
}

}  // namespace
}  // namespace plumb::models
