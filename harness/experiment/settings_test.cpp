#include "harness/experiment/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/testing.h"
#include "harness/experiment/experiment.h"

namespace plumb::harness {
namespace {

using plumb::testing::Variable;
using testing::error_of;
using ::testing::HasSubstr;

Settings read(const std::string& json) {
  Settings settings;
  settings.read_file(json, "e.json");
  return settings;
}
Error refused(const std::string& json) {
  return error_of([&] { read(json); });
}

TEST(Settings, LaterSourcesWinAndAreNamed) {
  const Variable seed("PLUMB_SEED", "3"), limit("PLUMB_VALIDATION_LIMIT", "5");
  Settings settings;
  EXPECT_EQ(settings.origin("seed"), "default");
  settings.set("seed", "4", "flag --seed");
  settings.read_environment();
  settings.read_file(R"({"seed": 2, "validation": {"limit": 7, "max_tokens": 9}})", "e.json");
  EXPECT_EQ(settings.count_of("seed"), 4);  // whatever the order in which they are read
  EXPECT_EQ(settings.count_of("validation.limit"), 5);
  EXPECT_EQ(settings.count_of("validation.max_tokens"), 9);
  EXPECT_EQ(settings.count_of("calibration.limit"), 64);
  EXPECT_EQ(settings.origin("seed"), "flag --seed");
  EXPECT_THAT(settings.origin("validation.limit"), HasSubstr("PLUMB_VALIDATION_LIMIT"));
  EXPECT_THAT(settings.origin("validation.max_tokens"), HasSubstr("e.json"));
}

TEST(Settings, NameTheKeyThatIsUnknownAndTheNearestOne) {
  EXPECT_THAT(refused(R"({"sed": 1})").what(), HasSubstr("did you mean 'seed'?"));
  EXPECT_THAT(refused(R"({"sweep": {"stategies": []}})").what(),
              HasSubstr("did you mean 'strategies'?"));
  EXPECT_THAT(refused(R"({"by_dtype": {"fp16": {}}})").what(), HasSubstr("fp16"));
  Settings settings;
  EXPECT_THAT(error_of([&] { settings.set("sweep.nn", "1", "flag --set"); }).what(),
              HasSubstr("did you mean 'sweep.n'?"));
}

TEST(Settings, RefuseValuesOfAnotherKind) {
  for (const char* json : {R"({"seed": "1"})",
                           R"({"seed": 1.5})",
                           R"({"seed": -1})",
                           R"({"seed": true})",
                           R"({"seed": 18446744073709551615})",
                           R"({"seed": null})",
                           R"({"name": 1})",
                           R"({"special_tokens": 1})",
                           R"({"sweep": {"strategies": "simple"}})",
                           R"({"sweep": {"strategies": [1]}})",
                           R"({"sweep": []})",
                           R"({"documents_per_step": 0})",
                           R"({"statistics": {"draws": 99}})",
                           R"({"validation": {"max_tokens": 1}})",
                           R"({"heal": {"learning_rate": "1e-3"}})",
                           R"({"heal": {"learning_rate": -1}})",
                           R"({"heal": {"rank": 1.5}})",
                           R"([])",
                           "1",
                           "",
                           "{",
                           R"({"seed": 1} x)",
                           R"({"seed": 1, "seed": 1})"}) {
    const Error error = refused(json);
    EXPECT_EQ(error.kind(), ErrorKind::kUsage) << json;
    EXPECT_THAT(error.what(), HasSubstr("e.json")) << json;
  }
  Settings settings;
  for (const char* word : {"", "one", "1x", "-1", "9223372036854775808", " 1"})
    EXPECT_EQ(error_of([&] { settings.set("seed", word, "flag"); }).kind(), ErrorKind::kUsage)
        << word;
  EXPECT_EQ(error_of([&] { settings.set("special_tokens", "yes", "flag"); }).kind(),
            ErrorKind::kUsage);
  EXPECT_EQ(settings.count_of("seed"), 0);  // a refused value changes nothing
}

TEST(Settings, ApplyTheSectionOfADtypeBelowEnvironmentAndFlags) {
  const std::string json = R"({"by_dtype": {"bf16": {"sweep": {"positions": 0}, "seed": 8},
                                            "fp32": {"sweep": {"positions": 64}}}})";
  Settings settings = read(json);
  settings.set("seed", "1", "flag --seed");
  settings.choose_dtype("bf16");
  EXPECT_EQ(settings.count_of("seed"), 1);
  EXPECT_EQ(settings.count_of("sweep.positions"), 0);
  Settings other = read(json);
  other.choose_dtype("fp32");
  EXPECT_EQ(other.count_of("sweep.positions"), 64);
  EXPECT_THAT(other.origin("sweep.positions"), HasSubstr("by_dtype.fp32"));
  // Right or wrong does not depend on the processor that reads it.
  EXPECT_THAT(refused(R"({"by_dtype": {"bf16": {"sed": 1}}})").what(), HasSubstr("by_dtype.bf16"));
  EXPECT_EQ(refused(R"({"by_dtype": {"fp32": {"dtype": "bf16"}}})").kind(), ErrorKind::kUsage);
}

TEST(Settings, ComeBackFromJsonAsTheyWere) {
  Settings settings = read(R"({"seed": 5, "sweep": {"strategies": ["random"], "n": "1-3"}})");
  settings.set("special_tokens", "true", "flag --special-tokens");
  const Settings back = Settings::from_json(settings.to_json());
  for (const Setting& setting : known_settings()) {
    EXPECT_EQ(back.value(setting.key), settings.value(setting.key)) << setting.key;
    EXPECT_EQ(back.origin(setting.key), settings.origin(setting.key)) << setting.key;
  }
}

TEST(Experiment, IsMadeOfTheDefaultFile) {
  Settings settings =
      read(read_file(std::string(PLUMB_SOURCE_DIR) + "/fixtures/experiments/default.json"));
  const Experiment experiment = make_experiment(settings);
  EXPECT_TRUE(experiment.dtype == "fp32" || experiment.dtype == "bf16");
  EXPECT_GE(experiment.threads, 1);
  EXPECT_EQ(sweep_counts(experiment, 30).size(), 29U);
  EXPECT_EQ(cost_counts(experiment, 30), (std::vector<int64_t>{0, 7, 14, 21, 28}));
  EXPECT_FALSE(experiment.overlapping_documents());
  // Five values either way, which continuity needs; without bf16 units not the one that takes longest.
  const bool bf16 = experiment.dtype == "bf16";
  EXPECT_EQ(heal_counts(experiment, 30), (bf16 ? std::vector<int64_t>{3, 7, 11, 14, 21}
                                               : std::vector<int64_t>{7, 11, 14, 18, 21}));
  EXPECT_EQ(heal_left_out(experiment, 30), "");
  // A smaller model.
  EXPECT_EQ(heal_counts(experiment, 12),
            (bf16 ? std::vector<int64_t>{3, 7} : std::vector<int64_t>{7}));
  EXPECT_THAT(heal_left_out(experiment, 12),
              HasSubstr(bf16 ? "n = 11, 14, 21 of heal.n is not healed"
                             : "n = 11, 14, 18, 21 of heal.n is not healed"));
}

TEST(Experiment, RefusesWhatDoesNotExist) {
  const auto made = [](const std::string& json) {
    return error_of([&] {
      Settings settings = read(json);
      make_experiment(settings);
    });
  };
  EXPECT_THAT(made(R"({"dtype": "fp16"})").what(), HasSubstr("needed fp32, bf16 or auto"));
  EXPECT_THAT(made(R"({"sweep": {"strategies": ["simpel"]}})").what(),
              HasSubstr("did you mean 'simple'?"));
  EXPECT_THAT(made(R"({"sweep": {"strategies": ["simple", "simple"]}})").what(),
              HasSubstr("twice"));
  EXPECT_THAT(made(R"({"sweep": {"strategies": ["explicit"]}})").what(), HasSubstr("no strategy"));
  EXPECT_THAT(made(R"({"claims": {"required": ["memory"]}})").what(),
              HasSubstr("no claim 'memory'"));
  EXPECT_THAT(made(R"({"threads": 4097})").what(), HasSubstr("needed 0..4096"));
}

TEST(Experiment, TakesAPresetsValuesWhereNothingElseWasSet) {
  const auto healed = [](const std::string& more) {
    Settings settings = read(R"({"heal": {"n": "2", "documents": "t.jsonl")" + more + "}}");
    return make_experiment(settings).heal;
  };
  const HealChoice own = healed("");
  EXPECT_EQ(own.steps, 200);
  EXPECT_EQ(own.rank, 8);
  EXPECT_EQ(own.alpha, 8);
  EXPECT_EQ(own.warm_up, 20);
  EXPECT_FALSE(own.special_tokens);
  EXPECT_EQ(own.strategies, (std::vector<std::string>{"similarity", "simple"}));
  const HealChoice paper = healed(R"(, "preset": "mistral-7b", "steps": 200)");
  EXPECT_EQ(paper.steps, 200);  // said, though it is the default's value
  EXPECT_EQ(paper.rank, 4);
  EXPECT_EQ(paper.alpha, 4);
  EXPECT_EQ(paper.learning_rate, 3e-6);
  EXPECT_EQ(paper.dropout, 0.05);
  EXPECT_EQ(paper.max_tokens, 2048);
  EXPECT_EQ(paper.batch * paper.accumulation, 16);
  EXPECT_TRUE(paper.special_tokens);
  EXPECT_EQ(healed(R"(, "rank": 4, "alpha": 2.5)").alpha, 2.5);
  Settings settings;
  EXPECT_FALSE(make_experiment(settings).heal.is_asked());
  EXPECT_TRUE(heal_counts(make_experiment(settings), 30).empty());
}

TEST(Experiment, KeepsCountsWithinTheModel) {
  Settings settings;
  Experiment experiment = make_experiment(settings);
  EXPECT_EQ(sweep_counts(experiment, 4), (std::vector<int64_t>{0, 1, 2}));  // 0..L-2
  EXPECT_EQ(sweep_counts(experiment, 1), (std::vector<int64_t>{0}));
  EXPECT_EQ(cost_counts(experiment, 2), (std::vector<int64_t>{0, 1}));
  experiment.sweep_n = "0-8:4";
  EXPECT_EQ(sweep_counts(experiment, 9), (std::vector<int64_t>{0, 4, 8}));
  EXPECT_THAT(error_of([&] { sweep_counts(experiment, 8); }).what(), HasSubstr("needed 0..7"));
}

TEST(Experiment, KnowsWhichTextsOverlap) {
  Experiment experiment;
  experiment.validation = {"a.jsonl", 256, 24};
  EXPECT_TRUE(experiment.same_documents());  // no calibration text of its own
  experiment.calibration = {"a.jsonl", 256, 64};
  EXPECT_FALSE(experiment.same_documents());
  EXPECT_TRUE(experiment.overlapping_documents());
  experiment.calibration.file = "b.jsonl";
  EXPECT_FALSE(experiment.overlapping_documents());
}

}  // namespace
}  // namespace plumb::harness
