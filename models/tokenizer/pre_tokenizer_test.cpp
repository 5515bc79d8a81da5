#include "models/tokenizer/pre_tokenizer.h"

#include <gmock/gmock.h>

#include "base/testing.h"
#include "models/tokenizer/sources.h"
#include "models/tokenizer/testing.h"

namespace plumb::models {
namespace {

using plumb::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = PreTokenizerStep::Kind;
using Words = std::vector<std::string>;

class Collector : public WordSink {
 public:
  void word(std::string_view bytes) override { words.emplace_back(bytes); }
  Words words;
};

Words split(const PreTokenizer& pre_tokenizer, std::string_view text) {
  RegexScratch scratch;
  Collector collector;
  pre_tokenizer.split(text, /*first=*/true, scratch, collector);
  return collector.words;
}

std::string joined(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += word;
  return text;
}

const PreTokenizer& gpt2() {
  static const PreTokenizer made({{.kind = Kind::kByteLevel}});
  return made;
}

TEST(Gpt2Words, SplitAsThePatternSays) {
  EXPECT_THAT(
      split(gpt2(), "I've 12 dogs!!  They're\n\n  'twas"),
      ElementsAre("I", "'ve", " 12", " dogs", "!!", " ", " They", "'re", "\n\n ", " '", "twas"));
  EXPECT_THAT(split(gpt2(), "   "), ElementsAre("   "));
  EXPECT_THAT(split(gpt2(), "a \n"), ElementsAre("a", " \n"));
  EXPECT_THAT(split(gpt2(), "'"), ElementsAre("'"));
  EXPECT_TRUE(split(gpt2(), "").empty());
}

// The hand-written reader against PCRE2 on the pattern itself.
TEST(Gpt2Words, AreThoseOfTheRegularExpression) {
  const PreTokenizer by_regex(
      {{.kind = Kind::kSplit,
        .pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
       {.kind = Kind::kByteLevel, .use_regex = false}});
  for (const std::string& text : testing::mixtures())
    ASSERT_EQ(split(gpt2(), text), split(by_regex, text));
}

TEST(PreTokenizer, KnownOnesLoseNothing) {
  const auto texts = testing::mixtures();
  for (const auto& known : known_pre_tokenizers()) {
    const PreTokenizer pre_tokenizer(known.steps);
    for (size_t i = 0; i < texts.size(); i += 7)
      ASSERT_EQ(joined(split(pre_tokenizer, texts[i])), texts[i]) << known.name;
  }
}

// Each kind of run as long as a text may be; each must be read in time that grows with its length.
TEST(PreTokenizer, KnownOnesTakeLongRuns) {
#ifdef __SANITIZE_ADDRESS__
  const size_t length = 1 << 16;  // 13 times as slow
#else
  const size_t length = 1 << 20;
#endif
  for (const auto& known : known_pre_tokenizers()) {
    const PreTokenizer pre_tokenizer(known.steps);
    for (const char* unit : {"a", "7", "!", " ", "\n", " \n", "\u00e9"}) {
      std::string run;
      while (run.size() < length) run += unit;
      ASSERT_EQ(joined(split(pre_tokenizer, run)), run) << known.name << " '" << unit << "'";
      ASSERT_EQ(joined(split(pre_tokenizer, run + "x")), run + "x") << known.name;
    }
  }
}

TEST(PreTokenizer, TakesByteLevelAsTheLastStepAlone) {
  for (const Kind behind : {Kind::kByteLevel, Kind::kDigits})
    EXPECT_THAT(
        error_of([&] {
          PreTokenizer made({{.kind = Kind::kByteLevel}, {.kind = behind}});
        }).what(),
        HasSubstr("ByteLevel must be the last step of the pre-tokenizer, and the only one"));
}

TEST(PreTokenizer, OfNoStepsTakesTheTextAsOneWord) {
  EXPECT_THAT(split(PreTokenizer({}), "a b  c"), ElementsAre("a b  c"));
}

TEST(PreTokenizer, PutsMetaspaceBeforeTheFirstPieceOrAllOrNone) {
  using Prepend = PreTokenizerStep::Prepend;
  const auto words = [](Prepend prepend, bool cut, std::string_view text) {
    return split(
        PreTokenizer(
            {{.kind = Kind::kDigits, .individual_digits = true},
             {.kind = Kind::kMetaspace, .pattern = "_", .prepend = prepend, .split = cut}}),
        text);
  };
  EXPECT_THAT(words(Prepend::kAlways, true, "a b7c d"), ElementsAre("_a", "_b", "_7", "_c", "_d"));
  EXPECT_THAT(words(Prepend::kFirst, true, "a b7c d"), ElementsAre("_a", "_b", "7", "c", "_d"));
  EXPECT_THAT(words(Prepend::kNever, false, "a b7c  d"), ElementsAre("a_b", "7", "c__d"));
  EXPECT_THAT(words(Prepend::kAlways, false, " a"), ElementsAre("_a"));
}

TEST(PreTokenizer, SplitsAtALiteralThatLooksLikeAPattern) {
  const PreTokenizer dots({{.kind = Kind::kSplit,
                            .pattern = "..",
                            .literal = true,
                            .behaviour = PreTokenizerStep::Behaviour::kRemoved},
                           {.kind = Kind::kByteLevel, .use_regex = false}});
  EXPECT_THAT(split(dots, "ab..c...d"), ElementsAre("ab", "c", ".d"));
}

}  // namespace
}  // namespace plumb::models
