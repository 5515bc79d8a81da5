#include <gmock/gmock.h>

#include <algorithm>

#include "base/rng.h"
#include "models/tokenizer/bpe.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/sources.h"

namespace plumb::models {
namespace {

using ::testing::ElementsAre;
using Scores = std::vector<std::pair<std::string, float>>;

// As SentencePiece has it: <unk>, the bytes, then tokens that merge by score.
TokenizerDefinition by_score(const Scores& tokens) {
  TokenizerDefinition definition;
  definition.symbols = TokenizerDefinition::Symbols::kCharacters;
  definition.vocabulary = {"<unk>"};
  for (int byte = 0; byte < 256; ++byte)
    definition.vocabulary.push_back(byte_token(static_cast<uint8_t>(byte)));
  std::vector<float> scores(definition.vocabulary.size(), 0);
  std::vector<std::optional<uint32_t>> ranks(definition.vocabulary.size());
  for (const auto& [token, score] : tokens) {
    definition.vocabulary.push_back(token);
    scores.push_back(score);
  }
  const auto order = ranks_of_scores(scores);
  ranks.insert(ranks.end(), order.begin() + static_cast<std::ptrdiff_t>(ranks.size()), order.end());
  definition.unknown = 0;
  definition.byte_fallback = definition.late_fallback = definition.fuse_unknown = true;
  definition.merges = merges_by_result(definition.vocabulary, ranks, /*loose_characters=*/true);
  return definition;
}

std::vector<std::string> tokens(const TokenizerDefinition& definition, std::string_view text) {
  const VocabularyIndex index(definition.vocabulary);
  BpeScratch scratch;
  std::vector<int32_t> ids;
  Bpe(definition, index).encode(text, scratch, ids);
  std::vector<std::string> result;
  for (const int32_t id : ids) result.emplace_back(definition.token(id));
  return result;
}

TEST(CharacterBpe, MergesTheHighestScoreFirstAndTheLeftmostOfEqualOnes) {
  const auto definition =
      by_score({{"a", -9}, {"b", -9}, {"c", -9}, {"ab", -2}, {"bc", -1}, {"aa", -1}});
  EXPECT_THAT(tokens(definition, "abc"), ElementsAre("a", "bc"));
  EXPECT_THAT(tokens(definition, "aabc"), ElementsAre("aa", "bc"));
  EXPECT_THAT(tokens(definition, "aaabc"), ElementsAre("aa", "a", "bc"));
  EXPECT_THAT(tokens(by_score({{"a", -9}, {"b", -9}, {"ab", -1}, {"ba", -1}}), "abab"),
              ElementsAre("ab", "ab"));
}

// Runs of spaces in Llama 2's vocabulary: all of one score, so that they grow from the left.
TEST(CharacterBpe, GrowsARunOfEqualScoresFromTheLeft) {
  EXPECT_THAT(tokens(by_score({{"_", -1}, {"__", -1}, {"___", -1}, {"____", -1}}), "______"),
              ElementsAre("____", "__"));
}

TEST(CharacterBpe, MergesACharacterThatIsNoTokenAndElseTakesItsBytes) {
  const auto definition = by_score({{"n", -9}, {"n\u00e9", -1}, {"\u00e9e", -2}});
  EXPECT_THAT(tokens(definition, "n\u00e9"), ElementsAre("n\u00e9"));
  EXPECT_THAT(tokens(definition, "\u00e9n"), ElementsAre("<0xC3>", "<0xA9>", "n"));
  EXPECT_THAT(tokens(definition, "n\u00e9e"), ElementsAre("n\u00e9", "<0x65>"));
  EXPECT_THAT(tokens(definition, "\u00e9e"), ElementsAre("\u00e9e"));
}

TEST(CharacterBpe, CutsBeforeSpacesOnlyWhereNoMergeReachesAcrossOne) {
  const Scores words = {{"\u2581", -9}, {"a", -9}, {"\u2581a", -2}, {"\u2581\u2581", -3}};
  Scores across = words;
  across.emplace_back("a\u2581", -1.0f);
  const auto cuts = [](const TokenizerDefinition& definition) {
    return Bpe(definition, VocabularyIndex(definition.vocabulary)).cuts_before_spaces();
  };
  EXPECT_TRUE(cuts(by_score(words)));
  EXPECT_FALSE(cuts(by_score(across)));
  EXPECT_THAT(tokens(by_score(words), "a\u2581a"), ElementsAre("a", "\u2581a"));
  EXPECT_THAT(tokens(by_score(across), "a\u2581a"), ElementsAre("a\u2581", "a"));
  // What is dropped lets the spaces around it meet.
  TokenizerDefinition dropping = by_score(words);
  dropping.late_fallback = dropping.byte_fallback = false;
  dropping.unknown.reset();
  EXPECT_FALSE(cuts(dropping));
  EXPECT_THAT(tokens(dropping, "\u2581z\u2581"), ElementsAre("\u2581\u2581"));
}

// The definition itself: of all pairs that are a token together, the best, leftmost; bytes last.
std::vector<std::string> merged_plainly(const Scores& scores, const std::string& text) {
  std::vector<std::string> parts;
  for (const char c : text) parts.emplace_back(1, c);
  for (;;) {
    size_t best_at = parts.size();
    float best = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      for (const auto& [token, score] : scores)
        if (token == parts[i] + parts[i + 1] && (best_at == parts.size() || score > best)) {
          best_at = i;
          best = score;
        }
    if (best_at == parts.size()) break;
    parts[best_at] += parts[best_at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
  for (std::string& part : parts)
    if (std::none_of(scores.begin(), scores.end(), [&](const auto& s) { return s.first == part; }))
      part = byte_token(static_cast<uint8_t>(part[0]));
  return parts;
}

// 4 letters of which one is no token, few scores and so many ties; words short and long.
TEST(CharacterBpe, EqualsTheDefinitionOverSeeds) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    Scores scores = {{"a", -9}, {"b", -9}, {"c", -9}};
    while (scores.size() < 30) {
      std::string token;
      for (uint64_t left = 2 + rng.below(4); left > 0; --left)
        token += static_cast<char>('a' + rng.below(4));
      if (std::none_of(scores.begin(), scores.end(),
                       [&](const auto& s) { return s.first == token; }))
        scores.emplace_back(token, -static_cast<float>(rng.below(6)));
    }
    const auto definition = by_score(scores);
    for (const size_t length : {1, 2, 5, 13, 21, 47, 49, 120}) {
      std::string word;
      while (word.size() < length) word += static_cast<char>('a' + rng.below(4));
      EXPECT_EQ(tokens(definition, word), merged_plainly(scores, word)) << seed << " " << word;
    }
  }
}

TEST(RanksOfScores, AreSharedByEqualOnesAndBeginWithTheHighest) {
  EXPECT_THAT(ranks_of_scores({-1, 3, -1, 2.5}), ElementsAre(2u, 0u, 2u, 1u));
  EXPECT_TRUE(ranks_of_scores({}).empty());
}

TEST(ByteTokens, AreReadOnlyAsTheyAreWritten) {
  for (int byte = 0; byte < 256; ++byte)
    EXPECT_EQ(byte_of_token(byte_token(static_cast<uint8_t>(byte))), byte);
  for (const char* wrong : {"<0x-1>", "<0xZZ>", "<0x0a>", "<0xA>", "<0x100>", "0x0A", "<0x0A", ""})
    EXPECT_EQ(byte_of_token(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace plumb::models
