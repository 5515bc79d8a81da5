#include "models/tokenizer/definition.h"

#include <gmock/gmock.h>

#include "base/testing.h"

namespace plumb::models {
namespace {

using plumb::testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;

std::string refusal(const Vocabulary& vocabulary) {
  const Error error = error_of([&] { VocabularyIndex index(vocabulary); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
  return error.what();
}

std::string refusal(const TokenizerDefinition& definition) {
  const Error error = error_of([&] { require_consistent(definition); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
  return error.what();
}

TokenizerDefinition with_added(std::deque<AddedToken> added) {
  TokenizerDefinition definition;
  definition.vocabulary = {"a", "b", "c"};
  definition.added = std::move(added);
  return definition;
}

TEST(VocabularyIndex, NamesTheIdOfAHole) {
  EXPECT_EQ(refusal(Vocabulary{"a", "", "c"}), "token 1 is empty; the vocabulary has a hole there");
}

TEST(VocabularyIndex, NamesBothIdsOfATokenThatStandsTwice) {
  EXPECT_EQ(refusal(Vocabulary{"a", "b", "a"}),
            "token 'a' stands twice in the vocabulary, as id 0 and 2");
}

TEST(VocabularyIndex, RefusesWhatNoTokenizerHolds) {
  EXPECT_EQ(refusal(Vocabulary{}), "the vocabulary is empty");
  EXPECT_EQ(refusal(Vocabulary{"a", "\xFF"}), "token 1 is not valid UTF-8");
  EXPECT_THAT(refusal(Vocabulary{std::string(kMaxTokenBytes + 1, 'x')}),
              HasSubstr("token 0 has 65537 bytes"));
  EXPECT_THAT(refusal(Vocabulary(kMaxVocabulary + 1, "x")),
              HasSubstr("4194305 tokens, more than 4194304"));
}

TEST(VocabularyIndex, NamesAMergeAndTheTokenThatItLacks) {
  const Vocabulary vocabulary = {"a", "b", "ab", "abc"};
  const VocabularyIndex index(vocabulary);
  const auto refused = [&](const char* left, const char* right) {
    return std::string(error_of([&] { index.merge(left, right, 7); }).what());
  };
  EXPECT_EQ(refused("c", "a"),
            "merge 7 ('c' 'a') needs token 'c', which the vocabulary does not have");
  EXPECT_EQ(refused("a", "x"),
            "merge 7 ('a' 'x') needs token 'x', which the vocabulary does not have");
  EXPECT_EQ(refused("b", "a"),
            "merge 7 ('b' 'a') needs token 'ba', which the vocabulary does not have");
  EXPECT_EQ(index.merge("a", "b", 7).result, 2);
}

TEST(TokenizerDefinition, CountsAddedTokensBehindTheVocabulary) {
  const auto definition = with_added({{.id = 3, .content = "<x>"}, {.id = 4, .content = "<y>"}});
  require_consistent(definition);
  EXPECT_EQ(definition.size(), 5);
  EXPECT_EQ(definition.token(4), "<y>");
  EXPECT_EQ(definition.token(0), "a");
}

TEST(TokenizerDefinition, NamesTheNextFreeIdWhereAddedTokensLeaveAHole) {
  EXPECT_EQ(refusal(with_added({{.id = 3, .content = "<x>"}, {.id = 5, .content = "<y>"}})),
            "added token '<y>' has id 5 where 4 is the next free one; ids must not leave holes");
}

TEST(TokenizerDefinition, RefusesAddedTokensThatAreEmptyOrStandTwice) {
  EXPECT_THAT(refusal(with_added({{.id = 3, .content = ""}})), HasSubstr("token 3 is empty"));
  EXPECT_THAT(refusal(with_added({{.id = 3, .content = "<x>"}, {.id = 4, .content = "<x>"}})),
              HasSubstr("'<x>' (id 4) stands twice"));
  EXPECT_THAT(refusal(with_added({{.id = 3, .content = "<x>"}, {.id = 3, .content = "<y>"}})),
              HasSubstr("'<y>' (id 3) stands twice"));
}

TEST(TokenizerDefinition, RefusesMoreAddedTextThanAnyTokenizerHas) {
  std::deque<AddedToken> tokens;
  for (int32_t i = 0; i < 65; ++i)
    tokens.push_back(
        {.id = 3 + i, .content = std::string(kMaxTokenBytes - 9, 'x') + text(100 + i)});
  EXPECT_THAT(refusal(with_added(tokens)), HasSubstr("more than 4194304 bytes together"));
}

TEST(TokenizerDefinition, NamesTheSpecialThatLiesOutside) {
  auto definition = with_added({});
  definition.bos = 3;
  EXPECT_EQ(refusal(definition), "the BOS token has id 3, but ids end at 2");
  definition.bos = 2;
  definition.prefix = {-1};
  EXPECT_EQ(refusal(definition), "the template's token has id -1, but ids end at 2");
}

TEST(InQuotes, StaysOnOneLineAndCutsBetweenCharacters) {
  EXPECT_EQ(in_quotes("a\nb\x1b[0m\x7f"), "'a?b?[0m?'");
  EXPECT_EQ(in_quotes(std::string(40, 'x')), "'" + std::string(40, 'x') + "'");
  EXPECT_EQ(in_quotes(std::string(39, 'x') + "\u00e9!"), "'" + std::string(39, 'x') + "...'");
}

}  // namespace
}  // namespace plumb::models
