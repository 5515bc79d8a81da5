#include "metrics/tasks/template.h"

#include <gmock/gmock.h>

#include <map>

#include "base/testing.h"

namespace plumb::metrics {
namespace {

using plumb::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string rendered(const std::string& source, const std::map<std::string, std::string>& fields) {
  return Template::parse(source).render([&](const std::string& name) { return fields.at(name); });
}

TEST(Template, PutsFieldsInTheirPlacesAndLeavesTheRestAsItStands) {
  const std::map<std::string, std::string> fields{{"a", "x"}, {"b_2", "{a} \n"}};
  EXPECT_EQ(rendered("{a}{b_2}{a}", fields), "x{a} \nx") << "a value is no template";
  EXPECT_EQ(rendered(" {a} \n", fields), " x \n");
  EXPECT_EQ(rendered("{{a}} {{{a}}} }}{{", fields), "{a} {x} }{");
  EXPECT_EQ(rendered("", fields), "");
  EXPECT_THAT(Template::parse("{b_2}{a}{b_2|strip}").fields(), ElementsAre("b_2", "a"));
  EXPECT_FALSE(Template::parse("{{c}}").uses("c"));
}

TEST(Template, AppliesFiltersFromLeftToRight) {
  const std::map<std::string, std::string> fields{{"q", "\t one_two _ three_ \n"}};
  EXPECT_EQ(rendered("{q|strip}", fields), "one_two _ three_");
  EXPECT_EQ(rendered("{q|spaces|strip}", fields), "one two   three");
  EXPECT_EQ(rendered("<{q|before_blank}>", fields), "<\t one>");
  EXPECT_EQ(rendered("<{q|after_blank|after_blank|strip}>", fields), "<three_>");
}

// Any text becomes a template of itself when its braces are doubled.
TEST(Template, OfADoubledTextIsTheText) {
  const std::string alphabet = "{}|a_ \n";
  std::string source;
  for (size_t number = 0; number < 7 * 7 * 7 * 7 * 7; ++number) {
    source.clear();
    std::string doubled;
    for (size_t rest = number, i = 0; i < 5; ++i, rest /= 7) {
      const char c = alphabet[rest % 7];
      source += c;
      doubled += std::string(c == '{' || c == '}' ? 2 : 1, c);
    }
    ASSERT_EQ(rendered(doubled, {}), source);
  }
}

TEST(Template, SaysWhereATextIsNoTemplate) {
  const std::pair<const char*, const char*> cases[] = {
      {"ab{c", "byte 2: a { without its }"},
      {"ab}c", "byte 2: a } without its {"},
      {"{a}}", "byte 3: a } without its {"},
      {"{}", "byte 1: '' is no name"},
      {"x {a b}", "byte 3: 'a b' is no name"},
      {"{a|}", "byte 3: '' is no name"},
      {"{a|stripp}", "byte 3: no filter is called 'stripp'; did you mean 'strip'?"},
      {"{a|strip|nothing}", "byte 9: no filter is called 'nothing'; there are strip, spaces"},
      {"{a.b}", "'a.b' is no name"},
      {"{\xC3\xA4}", "is no name"},
      {"{a{b}}", "byte 1: 'a{b' is no name"},
      {"{% for %}", "is no name"},
      {"{__import__('os')}", "is no name"},
  };
  for (const auto& [source, said] : cases) {
    const Error error = error_of([&, source = source] { Template::parse(source); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage) << source;
    EXPECT_THAT(error.what(), HasSubstr(said)) << source;
  }
}

TEST(Template, NamesTheFieldThatHasNoBlank) {
  const Error error = error_of([] { rendered("{q|after_blank}", {{"q", "no blank"}}); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("'q' has no _"));
}

// The code points for which Python 3.11's str.isspace is true, each between letters and at both ends.
TEST(WhiteSpace, IsPythons) {
  const std::vector<std::string> spaces = {
      "\t",     "\n",     "\v",     "\f",     "\r",     "\x1C",   "\x1D",   "\x1E",
      "\x1F",   " ",      "\u0085", "\u00A0", "\u1680", "\u2000", "\u2001", "\u2002",
      "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200A",
      "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};
  std::string all;
  for (const std::string& space : spaces) {
    EXPECT_EQ(stripped(space + "a" + space + "b" + space), "a" + space + "b");
    EXPECT_EQ(leading_space(space + "a"), space.size());
    EXPECT_EQ(trailing_space("a" + space), space.size());
    all += space;
  }
  EXPECT_EQ(stripped(all), "");
  EXPECT_EQ(stripped("\u00E9" + all), "\u00E9");
  for (const char* none : {"\u200B", "\uFEFF", "\u180E", "_", "\x7F"})
    EXPECT_EQ(stripped(none), none);
}

TEST(CharacterCount, CountsCodePoints) {
  EXPECT_EQ(character_count(""), 0u);
  EXPECT_EQ(character_count("abc"), 3u);
  EXPECT_EQ(character_count("\u00E9t\u00E9 \u8336 \U0001F375"), 7u);
}

}  // namespace
}  // namespace plumb::metrics
