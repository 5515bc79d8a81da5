#include "metrics/tasks/task.h"

#include <gmock/gmock.h>

#include "metrics/tasks/built_in.h"
#include "metrics/tasks/tasks_testing.h"

namespace plumb::metrics {
namespace {

using plumb::testing::error_of;
using testing::changed;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Json;
using testing::task;

TEST(Task, OfTheProgramAreThoseThatTheHeaderNames) {
  std::vector<std::string> names;
  for (const Task& one : tasks()) names.push_back(one.name);
  EXPECT_THAT(names,
              ElementsAre("mmlu", "mmlu_lm_eval", "boolq", "hellaswag", "arc_easy", "arc_challenge",
                          "piqa", "winogrande", "smoke", "multiple_choice"));
  EXPECT_EQ(find_task("mmlu"), &tasks()[0]);
  EXPECT_EQ(find_task("MMLU"), nullptr);
  for (const Task& one : tasks()) {
    const auto file =
        std::filesystem::path(PLUMB_SOURCE_DIR) / "fixtures/tasks" / (one.name + ".json");
    EXPECT_EQ(read_task(file).sha256, one.sha256) << one.name;
    EXPECT_EQ(one.sha256, sha256_of_file(file)) << one.name;
  }
}

TEST(Task, OfMmluIsTheTestsAuthorsUnlessAskedOtherwise) {
  const Task& mmlu = task("mmlu");
  EXPECT_EQ(mmlu.protocol, "hendrycks");
  EXPECT_EQ(mmlu.shots.count, 5);
  EXPECT_EQ(mmlu.shots.same, "subject");
  EXPECT_TRUE(mmlu.shots.drop);
  EXPECT_EQ(mmlu.scoring, Scoring::kLetter);
  EXPECT_THAT(mmlu.row_fields(), ElementsAre("subject", "question"));
  EXPECT_FALSE(task("mmlu_lm_eval").shots.drop);
  EXPECT_THAT(task("boolq").row_fields(), ElementsAre("passage", "question"));
  EXPECT_EQ(task("boolq").cluster, "passage");
  EXPECT_EQ(task("winogrande").scoring, Scoring::kContext);
}

struct Wrong {
  const char* of;
  Json changes;
  const char* said;
};

TEST(Task, NamesTheKeyThatIsWrong) {
  const Json generate = {{"max_tokens", 8}};
  const Wrong cases[] = {
      {"arc_easy", {{"promt", "x"}}, "unknown key 'promt' in 'task'; did you mean 'prompt'?"},
      {"arc_easy", {{"name", nullptr}}, "'task.name' is missing; needed is a text"},
      {"arc_easy", {{"name", ""}}, "'task.name' is empty"},
      {"arc_easy", {{"name", 3}}, "'task.name' is number; needed is a text"},
      {"arc_easy", {{"version", 0}}, "'task.version' is 0; needed is an integer from 1"},
      {"arc_easy", {{"version", 1.5}}, "'task.version' is number"},
      {"arc_easy", {{"version", 18446744073709551615u}}, "'task.version' is 18446744073709551615"},
      {"arc_easy", {{"prompt", nullptr}}, "'task.prompt' is missing"},
      {"arc_easy", {{"prompt", "Answer:"}}, "'task.prompt' has no field"},
      {"arc_easy", {{"prompt", "{question"}}, "'task.prompt': byte 0: a { without its }"},
      {"arc_easy", {{"prompt", "{question}{choice}"}}, "'task.prompt' has {choice}"},
      {"arc_easy", {{"prompt", "{question}{answer}"}}, "'task.prompt' has {answer}"},
      {"arc_easy", {{"description", "{choices}"}}, "'task.description' has {choices}"},
      {"arc_easy", {{"choice", "{answer}"}}, "'task.choice' has {answer}"},
      {"arc_easy", {{"target", "{choices}"}}, "'task.target' has {choices}"},
      {"arc_easy",
       {{"scoring", "letters"}},
       "'task.scoring' is 'letters'; needed is one of letter, "},
      {"arc_easy",
       {{"metrics", {"acc", "f1"}}},
       "'task.metrics' holds 'f1'; needed is acc, acc_norm"},
      {"arc_easy", {{"metrics", {"acc_norm"}}}, "'task.metrics' lacks 'acc'"},
      {"arc_easy", {{"metrics", "acc"}}, "'task.metrics' is string; needed is a list of texts"},
      {"arc_easy", {{"metrics", {""}}}, "'task.metrics' holds an empty text"},
      {"mmlu", {{"metrics", {"acc", "acc_norm"}}}, "'task.metrics' holds 'acc_norm'"},
      {"arc_easy", {{"chance", 1}}, "'task.chance' is 1; needed is a number between 0 and 1"},
      {"arc_easy", {{"chance", "half"}}, "'task.chance' is \"half\""},
      {"arc_easy", {{"chance", nullptr}}, "'task.chance' is missing"},
      {"arc_easy", {{"choices", {"yes"}}}, "'task.choices' has 1 entries; needed is at least 2"},
      {"arc_easy", {{"questions", "/etc/passwd"}}, "'task.questions' is '/etc/passwd'"},
      {"arc_easy", {{"questions", "a/../../b"}}, "a path below the folder of --data"},
      {"arc_easy", {{"built_in", "smoke"}}, "'task.built_in' stands beside 'questions'"},
      {"arc_easy", {{"generate", generate}}, "'task.generate' is there"},
      {"arc_easy", {{"repeated_choices", "no"}}, "'task.repeated_choices' is string"},
      {"arc_easy", {{"shots", 5}}, "'task.shots' is number, needed is an object"},
      {"arc_easy", {{"shots", {{"count", 5}}}}, "'task.shots.questions' is missing"},
      {"arc_easy", {{"shots", {{"questions", "f"}, {"count", -1}}}}, "'task.shots.count' is -1"},
      {"arc_easy",
       {{"shots", {{"questions", "f"}, {"count", 1}, {"overflow", "no"}}}},
       "'task.shots.overflow' is 'no'; needed is one of cut, drop"},
      {"winogrande", {{"target", nullptr}}, "'task.target' is missing"},
      {"winogrande", {{"target", "{choice}"}}, "'task.target' has {choice}"},
      {"winogrande", {{"prompt", "{question}"}}, "'task.prompt' has no {choice}"},
      {"arc_easy", {{"scoring", "generate"}}, "'task.metrics' holds 'acc'; needed is exact_match"},
      {"arc_easy",
       {{"scoring", "generate"}, {"metrics", {"exact_match"}}, {"chance", nullptr}},
       "'task.generate' is missing"},
      {"arc_easy",
       {{"scoring", "generate"}, {"metrics", {"exact_match"}}, {"generate", generate}},
       "'task.chance' is there"},
      {"arc_easy",
       {{"scoring", "generate"},
        {"metrics", {"exact_match"}},
        {"chance", nullptr},
        {"generate", Json::object()}},
       "'task.generate.max_tokens' is missing"},
  };
  for (const Wrong& wrong : cases) {
    const Error error = error_of([&] { changed(wrong.of, wrong.changes); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(wrong.said)) << wrong.changes;
  }
}

TEST(Task, NamesTheFileThatIsNoTask) {
  const plumb::testing::TemporaryFolder folder;
  write_file_atomically(folder / "own.json", "{\"name\": NaN}");
  const Error error = error_of([&] { read_task(folder / "own.json"); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("own.json: not JSON at byte 9"));
  EXPECT_EQ(error_of([&] { read_task(folder / "none.json"); }).kind(), ErrorKind::kInput);
}

// One of its own, with shots out of its own questions, needs a JSON file and nothing else.
TEST(Task, OfAUserNeedsNoCode) {
  const Task own = parse_task(R"json({
    "name": "tea", "version": 1, "protocol": "own", "scoring": "letter", "metrics": ["acc"], "chance": "uniform",
    "questions": "tea/tea_test.jsonl", "shots": {"questions": "tea/tea_test.jsonl", "count": 1},
    "description": "On tea.\n", "prompt": "{ask}\n{choices}\n=", "choice": "({letter}) {choice}",
    "choice_delimiter": "; ", "target_delimiter": "", "target": "({letter})", "shot_delimiter": "\n--\n"})json");
  const QuestionFile file =
      testing::file_of(own, Json::parse(R"([{"ask": "One?", "choices": ["a", "b"], "answer": 1},
                           {"ask": "Two?", "choices": ["c", "d", "e"], "answer": 0}])"));
  const ShotPool pool(own, file.questions);
  const Question& two = file.questions[1];
  const Prompt prompt = make_prompt(own, two, pool.first(two, 1));
  EXPECT_THAT(prompt.contexts,
              ElementsAre("On tea.\nOne?\n(A) a; (B) b\n=(B)\n--\nTwo?\n(A) c; (B) d; (C) e\n="));
  EXPECT_THAT(prompt.continuations, ElementsAre("(A)", "(B)", "(C)"));
  const Question& one = file.questions[0];
  EXPECT_THAT(pool.first(one, 1), ElementsAre(&two)) << "a question is no shot of its own";
  EXPECT_EQ(question_path(own, "data"), "data/tea/tea_test.jsonl");
}

TEST(ChanceLevel, IsTheNumberTheMeanOrTheMostFrequentAnswersShare) {
  const auto file = [](const Task& one) {
    return testing::file_of(one, Json::parse(R"([
      {"question": "a", "choices": ["1", "2"], "answer": 0},
      {"question": "b", "choices": ["1", "2", "3", "4"], "answer": 1},
      {"question": "c", "choices": ["1", "2", "3", "4"], "answer": 1}])"));
  };
  const Task uniform = changed("arc_easy", {{"chance", "uniform"}});
  EXPECT_DOUBLE_EQ(chance_level(uniform, file(uniform)), (0.5 + 0.25 + 0.25) / 3);
  const Task majority = changed("arc_easy", {{"chance", "majority"}});
  EXPECT_DOUBLE_EQ(chance_level(majority, file(majority)), 2.0 / 3);
  const Task number = changed("arc_easy", {{"chance", 0.3}});
  EXPECT_DOUBLE_EQ(chance_level(number, file(number)), 0.3);
  EXPECT_EQ(error_of([&] { chance_level(uniform, QuestionFile()); }).kind(), ErrorKind::kInput);
}

}  // namespace
}  // namespace plumb::metrics
