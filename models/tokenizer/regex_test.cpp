#include "models/tokenizer/regex.h"

#include <gmock/gmock.h>

#include "base/testing.h"
#include "models/tokenizer/testing.h"

namespace plumb::models {
namespace {

using plumb::testing::error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Match = std::optional<std::pair<size_t, size_t>>;

Match find(std::string_view pattern, std::string_view subject, size_t start = 0) {
  RegexScratch scratch;
  return Regex(pattern).find(subject, start, scratch);
}

TEST(Regex, FindsTheFirstMatchAtOrAfterTheStart) {
  EXPECT_EQ(find("a+", "baaab"), Match(std::pair(1, 4)));
  EXPECT_EQ(find("a+", "baaab", 3), Match(std::pair(3, 4)));
  EXPECT_EQ(find("a+", "baaab", 4), std::nullopt);
  EXPECT_EQ(find("x*", "ab"), Match(std::pair(0, 0)));
  EXPECT_EQ(find("", "", 0), Match(std::pair(0, 0)));
}

TEST(Regex, LooksBehindTheStart) { EXPECT_EQ(find("(?<=a)b", "ab", 1), Match(std::pair(1, 2))); }

// As Ruby's syntax: ^ and $ are at line ends, the dot stops there, \A and \z at the text's.
TEST(Regex, ReadsLineEndsAsOnigurumaDoes) {
  EXPECT_EQ(find("^b", "a\nb"), Match(std::pair(2, 3)));
  EXPECT_EQ(find("a$", "a\nb"), Match(std::pair(0, 1)));
  EXPECT_EQ(find("a.b", "a\nb"), std::nullopt);
  EXPECT_EQ(find("a.b", "a\rb"), Match(std::pair(0, 3)));
  EXPECT_EQ(find("\\Ab", "a\nb"), std::nullopt);
}

TEST(Regex, MatchesWholeCharacters) {
  EXPECT_EQ(find(".", "\u00e9"), Match(std::pair(0, 2)));
  EXPECT_EQ(find("[^a]", "a\U0001f600"), Match(std::pair(1, 5)));
  EXPECT_EQ(find("(?i:\u00c9)", "\u00e9"), Match(std::pair(0, 2)));
  EXPECT_EQ(find("\\u00e9\\x{1f600}\\x41", "\u00e9\U0001f600A"), Match(std::pair(0, 7)));
}

// Against the tables that were read out of `tokenizers`, in and out of a class, for every
// character.
TEST(Regex, ClassesAreThoseOfTheReferenceForEveryCodePoint) {
  const Regex letters("\\p{L}"), numbers("[\\p{N}]"), spaces("\\s"), spaces_in_class("[\\s]");
  const Regex others("[^\\s\\p{L}\\p{N}]"), not_spaces("\\S"), not_spaces_in_class("[\\S]");
  const Regex not_letters("\\P{L}");
  RegexScratch scratch;
  const auto& classes = CharacterClasses::table();
  for (const uint32_t point : testing::all_code_points()) {
    const std::string c = testing::utf8(point);
    const auto is = [&](const Regex& regex) { return regex.find(c, 0, scratch).has_value(); };
    const uint8_t bits = classes.of(point);
    const bool letter = (bits & CharacterClasses::kLetter) != 0;
    const bool number = (bits & CharacterClasses::kNumber) != 0;
    const bool space = (bits & CharacterClasses::kSpace) != 0;
    ASSERT_EQ(is(letters), letter) << point;
    ASSERT_EQ(is(not_letters), !letter) << point;
    ASSERT_EQ(is(numbers), number) << point;
    ASSERT_EQ(is(spaces), space) << point;
    ASSERT_EQ(is(spaces_in_class), space) << point;
    ASSERT_EQ(is(not_spaces), !space) << point;
    ASSERT_EQ(is(not_spaces_in_class), !space) << point;
    ASSERT_EQ(is(others), !letter && !number && !space) << point;
  }
}

struct Refused {
  const char* pattern;
  const char* construct;  // as the message shows it
  size_t at;
};
constexpr Refused kRefused[] = {
    {"a\\w", "'\\w'", 1},       {"a\\W", "'\\W'", 1},        {"\\bx", "'\\b'", 0},
    {"\\Bx", "'\\B'", 0},       {"\\h", "'\\h'", 0},         {"\\H", "'\\H'", 0},
    {"\\v", "'\\v'", 0},        {"\\R", "'\\R'", 0},         {"\\X", "'\\X'", 0},
    {"\\G", "'\\G'", 0},        {"a\\Kb", "'\\K'", 1},       {"(a)\\1", "'\\1'", 3},
    {"[[:alpha:]]", "'[:'", 1}, {"[a[b]]", "'[b'", 2},       {"[a&&b]", "'&&'", 2},
    {"[]a]", "']'", 1},         {"[ab", "'['", 3},           {"(?m:a)", "'(?m:'", 0},
    {"(?x)a", "'(?x)'", 0},     {"(?#a)", "'(?#a'", 0},      {"(?(1)a)", "'(?(1'", 0},
    {"(?<n>a)", "'(?<n'", 0},   {"(*UTF)a", "'(*'", 0},      {"a{,3}", "'{,'", 1},
    {"a{1,3}+", "'{1,3}+'", 1}, {"a{x}", "'{x'", 1},         {"a\\", "'\\'", 1},
    {"\\pL", "'\\pL'", 0},      {"\\p{^L}", "'\\p{^L}'", 0}, {"[\\P{L}]", "'\\P{L}'", 1},
    {"\\xe9", "'\\x'", 0},      {"\\u12", "'\\u'", 0},       {"\\x{}", "'\\x'", 0},
    {"\\Ca", "'\\C'", 0}};

TEST(Regex, RefusesEachConstructByNameWithItsPosition) {
  for (const auto& [pattern, construct, at] : kRefused) {
    const Error error = error_of([pattern = pattern] { Regex regex(pattern); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr(text("uses ", construct, " at byte ", at, ",")),
                      HasSubstr("exactly as `tokenizers` does"), Not(HasSubstr("\n"))))
        << pattern;
  }
}

TEST(Regex, GivesThePatternAndTheReasonWhereItIsNotValid) {
  for (const char* pattern : {"(a", "a)", "[b-a]", "*a", "\\p{Nonsense}", "a{3,2}", "(?<=a*)b"}) {
    const Error error = error_of([&] { Regex regex(pattern); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_THAT(error.what(), HasSubstr(text("pattern '", pattern, "' is not valid: ")));
  }
  EXPECT_THAT(error_of([] { Regex regex(std::string(70000, 'a')); }).what(), HasSubstr("70000"));
}

// Exponential: 2^40 steps. The limits end it, with an Error instead of an answer.
TEST(Regex, APatternThatExplodesIsAnErrorAndNotAHang) {
  const Error error = error_of([] { find("(a|aa)+$", std::string(60, 'a') + "b"); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("pattern '(a|aa)+$' gave up on a text of 61 bytes: "));
}

TEST(Regex, TakesAnyPatternWithoutACrash) {
  const std::vector<std::string> parts = {"a",  "\\s",    "\\p{L}", "[",   "]",     "(",   ")",
                                          "(?", "{",      "}",      "2",   ",",     "+",   "*",
                                          "?",  "|",      "^",      "$",   "\\",    ".",   ":",
                                          "-",  "\u00e9", "\\x41",  "(?:", "[^\\S", "(?!", "\xF0"};
  testing::Generator draw;
  RegexScratch scratch;
  size_t valid = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string pattern;
    for (size_t left = 1 + draw(8); left > 0; --left) pattern += parts[draw(parts.size())];
    try {
      Regex(pattern).find("a \u00e9\n41 aa", 0, scratch);
      ++valid;
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::kInput) << pattern;
    }
  }
  EXPECT_GT(valid, 1000u);
}

}  // namespace
}  // namespace plumb::models
