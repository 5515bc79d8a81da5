#include "harness/datasets/preset.h"

#include <gmock/gmock.h>

#include "harness/datasets/hellaswag.h"
#include "harness/datasets/rows_testing.h"

namespace plumb::harness {
namespace {

using plumb::testing::error_of;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using namespace testing;

const Preset& preset(const std::string& repository) {
  const Preset* found = find_preset(repository);
  if (found == nullptr) throw Error(ErrorKind::kInternal, "no preset " + repository);
  return *found;
}

void expect_misfit(const std::string& repository, const Row& row, const std::string& said) {
  const Error error = error_of([&] { preset_row(preset(repository), row); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
  EXPECT_THAT(error.what(), HasSubstr(said));
}

TEST(Preset, ThereIsOneForEveryDataSetThatTheReadmeNames) {
  std::vector<std::string> names;
  for (const Preset& one : presets()) names.push_back(one.repository);
  EXPECT_THAT(names,
              UnorderedElementsAre("allenai/c4", "cais/mmlu", "google/boolq", "Rowan/hellaswag",
                                   "allenai/ai2_arc", "ybisk/piqa", "allenai/winogrande"));
  EXPECT_EQ(find_preset("rowan/HellaSwag"), find_preset("Rowan/hellaswag"));
  EXPECT_EQ(find_preset("allenai/c4x"), nullptr);
  for (const Preset& one : presets()) {
    EXPECT_GE(one.version, 1) << one.repository;
    EXPECT_FALSE(one.licence.empty() || one.revision.empty()) << one.repository;
  }
}

TEST(Preset, MakesEveryFieldOfTheMadeUpRowsOfEveryLayout) {
  if (const std::string why = no_parquet(); !why.empty()) GTEST_SKIP() << why;
  const Row expected = Row::parse(read_file(kDatasetFiles / "rows.json"));
  const std::pair<const char*, const char*> files[] = {
      {"cais/mmlu", "mmlu"},      {"google/boolq", "boolq"}, {"Rowan/hellaswag", "hellaswag"},
      {"allenai/ai2_arc", "arc"}, {"ybisk/piqa", "piqa"},    {"allenai/winogrande", "winogrande"}};
  for (const auto& [repository, name] : files) {
    const Preset& one = preset(repository);
    const auto rows = rows_of(kDatasetFiles / text(name, ".parquet"), preset_columns(one));
    const Row& wanted = expected.at("questions").at(name);
    ASSERT_EQ(rows.size(), wanted.size()) << name;
    for (size_t i = 0; i < rows.size(); ++i)
      EXPECT_EQ(preset_row(one, rows[i]).dump(), wanted[i].dump()) << name;
  }
}

TEST(Preset, TakesTheTextOfC4AndNothingElse) {
  EXPECT_EQ(preset_row(preset("allenai/c4"), {{"text", "a"}, {"timestamp", "t"}, {"url", "u"}}),
            Row({{"text", "a"}}));
  expect_misfit("allenai/c4", {{"url", "u"}},
                "'text' is not there; needed is that column; the row has url");
}

TEST(Preset, NamesTheColumnThatDoesNotFit) {
  const Row mmlu{
      {"subject", "s"}, {"question", "q"}, {"choices", {"a", "b", "c", "d"}}, {"answer", 3}};
  const auto with = [](Row row, const std::string& column, const Row& value) {
    row[column] = value;
    return row;
  };
  EXPECT_EQ(preset_row(preset("cais/mmlu"), mmlu).at("answer"), 3);
  expect_misfit("cais/mmlu", with(mmlu, "answer", 4),
                "'answer' is answer 4, counted from 0; needed is 0 to 3");
  expect_misfit("cais/mmlu", with(mmlu, "answer", -1), "'answer' is answer -1");
  expect_misfit("cais/mmlu", with(mmlu, "answer", 1.0), "'answer' is number; needed is an integer");
  expect_misfit("cais/mmlu", with(mmlu, "answer", nullptr), "'answer' is null");
  expect_misfit("cais/mmlu", with(mmlu, "choices", {"a", "b", "c"}),
                "'choices' has 3 entries; needed is 4");
  expect_misfit("cais/mmlu", with(mmlu, "choices", {"a", "b", "c", nullptr}),
                "'choices' holds null");
  expect_misfit("cais/mmlu", with(mmlu, "question", 1), "'question' is number; needed is text");

  const Row arc{{"question", "q"},
                {"choices", {{"text", {"x", "y"}}, {"label", {"A", "B"}}}},
                {"answerKey", "C"}};
  expect_misfit("allenai/ai2_arc", arc, "'answerKey' is 'C'; needed is one of 'choices.label'");
  expect_misfit("allenai/ai2_arc", with(arc, "choices", {{"text", {"x", "y"}}}),
                "'choices.label' is not there");
  expect_misfit("allenai/ai2_arc", with(arc, "choices", {{"text", {"x"}}, {"label", {"C"}}}),
                "has 1 entries");

  const Row boolq{{"question", "q"}, {"passage", "p"}, {"answer", 1}};
  expect_misfit("google/boolq", boolq, "'answer' is number; needed is a bool");
  const Row piqa{{"goal", "g"}, {"sol1", "a"}, {"sol2", "b"}, {"label", -1}};
  expect_misfit("ybisk/piqa", piqa, "'label' is answer -1");
  const Row winogrande{{"sentence", "a _ b"}, {"option1", "x"}, {"option2", "y"}, {"answer", ""}};
  expect_misfit("allenai/winogrande", winogrande, "'answer' is the text ''; needed is an integer");
  expect_misfit("allenai/winogrande", with(winogrande, "answer", "3"), "is answer 2");
  expect_misfit("allenai/winogrande", with(with(winogrande, "answer", "1"), "sentence", "no blank"),
                "'sentence' has no '_'");
}

TEST(Preset, RefusesAPresetThatIsWrong) {
  const auto refused = [](const std::string& json) {
    return std::string(error_of([&] { parse_preset(json); }).what());
  };
  EXPECT_THAT(refused("{"), HasSubstr("preset is wrong"));
  EXPECT_THAT(refused("{\"repositry\": 1}"), HasSubstr("did you mean 'repository'"));
  const std::string head =
      "{\"repository\": \"a/b\", \"version\": 1, \"revision\": \"main\", \"licence\": \"x\", "
      "\"family\": \"f\", \"outputs\": [], \"fields\": {\"q\": ";
  EXPECT_THAT(refused(head + "{}}}"), HasSubstr("without a kind"));
  EXPECT_THAT(refused(head + "{\"text\": \"a\", \"index\": \"b\"}}}"), HasSubstr("two kinds"));
}

TEST(Hellaswag, CleansAsLmEvalDoes) {
  EXPECT_EQ(clean_hellaswag(" a [title] b [step]c "), "a. b c");
  EXPECT_EQ(clean_hellaswag("[header] x"), " x");       // stripped before the brackets go
  EXPECT_EQ(clean_hellaswag("a    b   c"), "a  b  c");  // one pass over pairs of spaces
  EXPECT_EQ(clean_hellaswag("a [b\nc] [d]e ]["), "a [b\nc] e ][");
  EXPECT_EQ(clean_hellaswag("[[x]]"), "]");
  EXPECT_EQ(clean_hellaswag("\u00a0\u3000\x1Fx\u2028"), "x");
  EXPECT_EQ(clean_hellaswag(""), "");
  EXPECT_EQ(clean_hellaswag(" \t "), "");
}

TEST(Hellaswag, CapitalisesTheSecondHalfOfTheContextOnly) {
  EXPECT_EQ(hellaswag_context("Roof", "A MAN sits.", "he GETS up"), "Roof: A MAN sits. He gets up");
  EXPECT_EQ(hellaswag_context("Roof", "A man.", ""), "Roof: A man.");
  EXPECT_EQ(hellaswag_context("x", "y", "éCOLE ÜBER"), "x: y École über");
  EXPECT_EQ(hellaswag_context("x", "y", "1A $1 \\B"), "x: y 1a $1 \\b");
  EXPECT_EQ(error_of([] { hellaswag_context("x", "y", "\xFF"); }).kind(), ErrorKind::kInput);
}

}  // namespace
}  // namespace plumb::harness
