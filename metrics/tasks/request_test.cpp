#include "metrics/tasks/request.h"

#include <gmock/gmock.h>

#include "base/rng.h"
#include "metrics/tasks/tasks_testing.h"

namespace plumb::metrics {
namespace {

using plumb::testing::error_of;
using testing::byte_tokenizer;
using testing::changed;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Json;
using testing::task;

std::vector<int32_t> bytes(const std::string& text) {
  std::vector<int32_t> ids;
  for (const char c : text) ids.push_back(static_cast<uint8_t>(c));
  return ids;
}

Json row(const std::string& question, const std::vector<std::string>& choices) {
  return {{"subject", "s"}, {"question", question}, {"choices", choices}, {"answer", 0}};
}

Request made(const Task& one, const models::Tokenizer& tokenizer, const Json& asked,
             RequestOptions options = {.max_tokens = 1000}) {
  const QuestionFile file = testing::file_of(one, Json::array({asked}));
  return RequestMaker(one, tokenizer, {}, options).make(file.questions[0]);
}

TEST(Request, SplitsAtTheContextsOwnLengthAndMovesItsLastSpaces) {
  const Task plain = changed("multiple_choice", {{"prompt", "{question}"}});
  // ":" and the space after it are one token, which the context alone has not: what is scored begins after as many ids as
  // the context has, so here the delimiter is not among them.
  const auto merging = byte_tokenizer({":| "});
  const Request request = made(plain, merging, row("q:", {"ab", "c"}));
  EXPECT_THAT(request.sequences[0].ids, ElementsAre('q', ':', 'a', 'b'));
  EXPECT_EQ(request.sequences[0].context, 2);
  EXPECT_EQ(request.reading, Reading::kLogProbabilities);
  EXPECT_TRUE(request.letters.empty());

  const auto none = byte_tokenizer({});
  const Request moved = made(plain, none, row("q \u3000\n", {"ab", "c"}));
  EXPECT_EQ(moved.sequences[0].ids, bytes("q \u3000\n ab"));
  EXPECT_EQ(moved.sequences[0].context, 1);
  EXPECT_EQ(moved.token_count(), 8 + 7) << "the last token of each is read, not run";
}

// For any vocabulary and text: the context is the ids of its text, and behind it come the last ids of the whole.
TEST(Request, OfRandomVocabulariesHoldsTheContextAndTheRestOfTheWhole) {
  const std::string alphabet = "ab :\n";
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Rng random(seed);
    const auto draw = [&](size_t bound) { return static_cast<size_t>(random.below(bound)); };
    const auto word = [&](size_t size) {
      std::string out;
      for (size_t i = 0; i < size; ++i) out += alphabet[draw(alphabet.size())];
      return out;
    };
    std::vector<std::string> merges;
    for (int i = 0; i < 4; ++i) {
      const std::string merge = word(1) + "|" + word(1);
      if (std::find(merges.begin(), merges.end(), merge) == merges.end()) merges.push_back(merge);
    }
    const auto tokenizer = byte_tokenizer(merges);
    const Task plain = changed("multiple_choice", {{"prompt", "{question}"}});
    const std::string context = "x" + word(6), one = "y" + word(3) + "y", two = "z" + word(2) + "z";
    const std::string kept = context.substr(0, context.size() - trailing_space(context));
    const Request request = made(plain, tokenizer, row(context, {one, two}));
    const auto before = tokenizer.encode(kept);
    for (size_t i = 0; i < 2; ++i) {
      const auto whole = tokenizer.encode(context + " " + (i == 0 ? one : two));
      const Sequence& sequence = request.sequences[i];
      ASSERT_EQ(static_cast<size_t>(sequence.context), before.size()) << seed;
      EXPECT_EQ(shared_prefix(sequence.ids, before), before.size()) << seed;
      EXPECT_TRUE(std::equal(whole.begin() + sequence.context, whole.end(),
                             sequence.ids.begin() + sequence.context, sequence.ids.end()))
          << seed;
    }
  }
}

TEST(Request, ReadsOneTokenALetter) {
  const auto letters = byte_tokenizer({" |A", " |B", " |C"});
  const Request request =
      made(task("mmlu"), letters, row("q", {"w", "x", "y"}), {.max_tokens = 1000, .shots = 0});
  EXPECT_EQ(request.reading, Reading::kLetters);
  EXPECT_THAT(request.letters, ElementsAre(256, 257, 258));
  ASSERT_EQ(request.sequences.size(), 1u);
  EXPECT_EQ(request.token_count(), static_cast<int64_t>(request.sequences[0].ids.size()));

  const auto options = RequestOptions{.max_tokens = 1000, .shots = 0};
  const Error two = error_of([&] {
    made(task("mmlu"), byte_tokenizer({" |A"}), row("q", {"w", "x"}), options);
  });
  EXPECT_EQ(two.kind(), ErrorKind::kInput);
  EXPECT_THAT(two.what(), HasSubstr("line 1: \" B\" after the prompt is 2 tokens"));
  const Task same = changed("mmlu", {{"target_delimiter", ""}, {"target", "="}});
  EXPECT_THAT(error_of([&] {
                made(same, letters, row("q", {"w", "x"}), options);
              }).what(),
              HasSubstr("\"=\" after the prompt is the same token as another choice's"));
}

TEST(Request, HasOneContextAChoiceWhereTheTaskScoresTheContext) {
  const Request request =
      made(task("winogrande"), byte_tokenizer({}), row("The _ is hot.", {"tea", "pot"}));
  ASSERT_EQ(request.sequences.size(), 2u);
  EXPECT_EQ(request.sequences[0].ids, bytes("The tea is hot."));
  EXPECT_EQ(request.sequences[1].ids, bytes("The pot is hot."));
  EXPECT_EQ(request.sequences[1].context, 7);
  EXPECT_EQ(request.target_hash, sha256_hex("is hot."));
  const Error error = error_of([&] {
    made(task("winogrande"), byte_tokenizer({}), row("No blank.", {"a", "b"}));
  });
  EXPECT_THAT(error.what(), HasSubstr("line 1: 'question' has no _"));
}

/// MMLU's rows with shots "q", each as long as the other.
struct FiveShots {
  explicit FiveShots(const Task& mmlu) : one(mmlu) {
    Json rows = Json::array();
    for (int i = 0; i < 5; ++i) rows.push_back(row("shot " + std::to_string(i), {"w", "x"}));
    shots = testing::file_of(one, rows);
    asked = testing::file_of(one, Json::array({row("asked ?", {"w", "x"})}));
  }
  Request make(int64_t positions, int64_t count = -1) const {
    const ShotPool pool(one, shots.questions);
    return RequestMaker(one, tokenizer, pool, {.max_tokens = positions, .shots = count})
        .make(asked.questions[0]);
  }
  const Task& one;
  const models::Tokenizer tokenizer = byte_tokenizer({" |A", " |B"});
  QuestionFile shots, asked;
};

TEST(Request, DropsShotsFromTheLastOnlyWhereThePromptIsTooLong) {
  const FiveShots rows(task("mmlu"));
  const Request whole = rows.make(10000);
  EXPECT_EQ(whole.shots, 5);
  EXPECT_EQ(whole.shots_dropped, 0);
  const auto size = static_cast<int64_t>(whole.sequences[0].ids.size());
  EXPECT_EQ(rows.make(size).shots, 5);
  const Request four = rows.make(size - 1);
  EXPECT_EQ(four.shots, 4);
  EXPECT_EQ(four.shots_dropped, 1);
  EXPECT_EQ(four.tokens_cut, 0);
  EXPECT_EQ(four.sequences[0].ids, rows.make(10000, 4).sequences[0].ids);
  const Request none = rows.make(20);
  EXPECT_EQ(none.shots, 0);
  EXPECT_EQ(none.shots_dropped, 5);
  EXPECT_GT(none.tokens_cut, 0);
  EXPECT_EQ(none.sequences[0].ids.size(), 20u);
}

TEST(Request, IsCutFromTheLeftWhereTheTaskDropsNoShots) {
  const FiveShots rows(task("mmlu_lm_eval"));
  const Request whole = rows.make(10000);
  const auto size = static_cast<int64_t>(whole.sequences[0].ids.size());
  const Request cut = rows.make(size - 7);
  EXPECT_EQ(cut.shots, 5);
  EXPECT_EQ(cut.tokens_cut, 7);
  EXPECT_TRUE(std::equal(cut.sequences[0].ids.begin(), cut.sequences[0].ids.end(),
                         whole.sequences[0].ids.begin() + 7, whole.sequences[0].ids.end()));

  // Of a continuation one token more than the model has positions: the last one is not run.
  const Task plain =
      changed("multiple_choice", {{"prompt", "{question}"}, {"target_delimiter", ""}});
  const Request scored =
      made(plain, byte_tokenizer({}), row("0123456789", {"abc", "d"}), {.max_tokens = 6});
  EXPECT_EQ(scored.sequences[0].ids, bytes("6789abc"));
  EXPECT_EQ(scored.sequences[0].context, 4);
  EXPECT_EQ(scored.sequences[1].ids, bytes("456789d"));
  EXPECT_EQ(scored.tokens_cut, 6);
  const Error error = error_of([&] {
    made(plain, byte_tokenizer({}), row("0123456789", {"abcdefg", "d"}), {.max_tokens = 6});
  });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("a choice has 7 tokens; the model has 6 positions"));
}

TEST(Request, SharesItsBeginningWithTheOthersOfItsSubject) {
  const Task& mmlu = task("mmlu");
  const FiveShots rows(mmlu);
  const QuestionFile other = testing::file_of(mmlu, Json::array({row("Another ?", {"w", "x"})}));
  const RequestMaker maker(mmlu, rows.tokenizer, ShotPool(mmlu, rows.shots.questions),
                           {.max_tokens = 10000});
  const Request a = maker.make(rows.asked.questions[0]), b = maker.make(other.questions[0]);
  const Prompt prompt = make_prompt(mmlu, other.questions[0], {});
  const size_t question = prompt.contexts[0].size() - prompt.contexts[0].find("Another");
  EXPECT_EQ(shared_prefix(a.sequences[0].ids, b.sequences[0].ids),
            b.sequences[0].ids.size() - question);
  EXPECT_FALSE(a.shown);
  const QuestionFile again = testing::file_of(mmlu, Json::array({row("shot 3", {"v", "x"})}));
  EXPECT_TRUE(maker.make(again.questions[0]).shown);
}

TEST(Request, BeginsWithWhatTheTokenizerPutsBeforeTexts) {
  const Task plain = changed("multiple_choice", {{"prompt", "{question}"}});
  const auto with_bos = byte_tokenizer({}, true);
  EXPECT_THAT(made(plain, with_bos, row("q", {"a", "b"})).sequences[0].ids,
              ElementsAre(256, 'q', ' ', 'a'));
  EXPECT_EQ(made(plain, with_bos, row("q", {"a", "b"})).sequences[0].context, 2);
  EXPECT_THAT(made(plain, with_bos, row("<s>q", {"a", "b"})).sequences[0].ids,
              ElementsAre(256, 'q', ' ', 'a'))
      << "not twice";
  EXPECT_THAT(
      made(plain, with_bos, row("q", {"a", "b"}), {.max_tokens = 9, .special_tokens = false})
          .sequences[0]
          .ids,
      ElementsAre('q', ' ', 'a'));
}

TEST(Request, RefusesWhatCannotBeAsked) {
  const auto tokenizer = byte_tokenizer({});
  EXPECT_THAT(error_of([&] {
                made(task("multiple_choice"), tokenizer, row("q", {"a", "b"}), {.max_tokens = 0});
              }).what(),
              HasSubstr("the model has 0 positions"));
  EXPECT_THAT(error_of([&] {
                made(task("multiple_choice"), tokenizer, row("q", {"a", "b"}),
                     {.max_tokens = 9, .shots = 2});
              }).what(),
              HasSubstr("2 shots were asked for, but the task 'multiple_choice' names no file"));
  const Task swallowed =
      changed("multiple_choice", {{"prompt", "{question}"}, {"target_delimiter", ""}});
  EXPECT_THAT(error_of([&] {
                made(swallowed, byte_tokenizer({"q|a"}), row("q", {"a", "b"}));
              }).what(),
              HasSubstr("line 1: \"a\" adds no token to the prompt"));
}

TEST(Request, OfAWrittenAnswerIsThePromptAndLeavesRoomForIt) {
  const Task own = changed("multiple_choice", {{"scoring", "generate"},
                                               {"metrics", {"exact_match"}},
                                               {"chance", nullptr},
                                               {"generate", {{"max_tokens", 4}}}});
  const QuestionFile file =
      testing::file_of(own, Json::array({{{"question", "q"}, {"answer", "7"}}}));
  const auto tokenizer = byte_tokenizer({});
  const Request request =
      RequestMaker(own, tokenizer, {}, {.max_tokens = 15}).make(file.questions[0]);
  EXPECT_EQ(request.reading, Reading::kGeneration);
  EXPECT_EQ(request.sequences[0].ids, bytes(": q\nAnswer:")) << "11 positions are left";
  EXPECT_EQ(request.target_hash, sha256_hex("7"));
  EXPECT_EQ(error_of([&] { RequestMaker(own, tokenizer, {}, {.max_tokens = 4}); }).kind(),
            ErrorKind::kUsage);
}

}  // namespace
}  // namespace plumb::metrics
