#include "reports/escape.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/json_fields.h"
#include "base/rng.h"
#include "reports/testing.h"

namespace plumb::reports {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string random_bytes(uint64_t seed) {
  Rng rng(seed);
  std::string bytes;
  for (uint64_t left = rng.below(40); left > 0; --left)
    bytes += static_cast<char>(rng.below(4) == 0 ? rng.below(128) : rng.below(256));
  return bytes;
}

TEST(RepairUtf8, PutsOneReplacementForEachMaximalIllFormedPart) {
  // The Unicode Standard, table 3-8 to 3-11: examples of its recommended practice.
  const std::string r = "\uFFFD";
  EXPECT_EQ(repair_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(repair_utf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(repair_utf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(repair_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
}

TEST(RepairUtf8, LeavesWellFormedTextAlone) {
  const std::string text = "a\u00e9\u4e2d\U0001f600\U0010ffff\x01";
  EXPECT_EQ(repair_utf8(text), text);
  EXPECT_EQ(repair_utf8(""), "");
}

TEST(CleanText, DropsControlsAndDefusesReordering) {
  EXPECT_EQ(clean_text("a\x01\x1b[31mb\x7f\u0085\uFFFE\uFFFFc\t\n\r"), "a[31mbc\t\n\r");
  EXPECT_EQ(clean_text("\u202Ea\u2066b\u202C\u2069\u200Fc"), "\uFFFDa\uFFFDb\uFFFD\uFFFD\u200Fc");
}

TEST(EscapeMarkup, LeavesNothingThatMarkupCouldBeMadeOf) {
  EXPECT_EQ(escape_markup("<a b=\"c\" d='e'>&amp;\r"),
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;&#13;");
  const std::string escaped = escape_markup(kHostile);
  EXPECT_EQ(escaped.find_first_of("<>\"'"), std::string::npos);
}

class EscapeOverSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(EscapeOverSeeds, RepairedAndCleanedTextStaysAsItIs) {
  for (uint64_t i = 0; i < 100; ++i) {
    const std::string bytes = random_bytes(GetParam() * 100 + i);
    EXPECT_EQ(repair_utf8(repair_utf8(bytes)), repair_utf8(bytes));
    EXPECT_EQ(clean_text(clean_text(bytes)), clean_text(bytes));
    EXPECT_EQ(clean_text(repair_utf8(bytes)), clean_text(bytes));
  }
}

// A parser that is not ours reads back what `clean_text` left, from content and from an attribute.
TEST_P(EscapeOverSeeds, AParserReadsTheCleanTextBack) {
  for (uint64_t i = 0; i < 100; ++i) {
    const std::string bytes = text("x", random_bytes(GetParam() * 100 + i));
    const std::string escaped = escape_markup(bytes);
    pugi::xml_document document;
    const auto result =
        document.load_string(text("<t a=\"", escaped, "\">", escaped, "</t>").c_str(),
                             pugi::parse_default | pugi::parse_ws_pcdata);
    ASSERT_TRUE(result) << result.description();
    EXPECT_EQ(document.child("t").child_value(), clean_text(bytes));
    std::string in_attribute = clean_text(bytes);  // where white space is made spaces
    for (char& c : in_attribute)
      if (c == '\t' || c == '\n') c = ' ';
    EXPECT_EQ(document.child("t").attribute("a").value(), in_attribute);
  }
}

TEST_P(EscapeOverSeeds, RepairedTextIsJson) {
  for (uint64_t i = 0; i < 100; ++i) {
    const std::string repaired = repair_utf8(random_bytes(GetParam() * 100 + i));
    const std::string json = escape_line_separators(nlohmann::json(repaired).dump());
    EXPECT_EQ(parse_json(json).get<std::string>(), repaired);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, EscapeOverSeeds, ::testing::Range<uint64_t>(0, 3));

TEST(EscapeLineSeparators, LeavesNoneAndKeepsTheValue) {
  const std::string json = "\"a\u2028b\u2029c\u202A\"";
  const std::string escaped = escape_line_separators(json);
  EXPECT_EQ(escaped, "\"a\\u2028b\\u2029c\u202A\"");
  EXPECT_EQ(parse_json(escaped), parse_json(json));
}

TEST(Slug, IsAnIdentifierWhateverItIsMadeOf) {
  EXPECT_EQ(slug("Loss, normalised (L = 30)"), "loss-normalised-l-30");
  EXPECT_EQ(slug("7 blocks"), "x-7-blocks");
  EXPECT_EQ(slug(""), "x");
  EXPECT_EQ(slug("\u4e2d\u6587"), "x");
  EXPECT_EQ(slug(kHostile).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"),
            std::string::npos);
}

TEST(Shorten, CountsCharactersAndNeverCutsOne) {
  EXPECT_EQ(shorten("\u00e9\u00e9\u00e9", 3), "\u00e9\u00e9\u00e9");
  EXPECT_EQ(shorten("\u00e9\u00e9\u00e9\u00e9", 3), "\u00e9\u00e9\u2026");
  EXPECT_EQ(code_points(shorten(std::string(500, 'x'), 60)), 60u);
}

}  // namespace
}  // namespace plumb::reports
