// Healing within `plumb run`, on a model of a second: what it writes, reuses, refuses, and goes on from.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/file.h"
#include "harness/cli/program_testing.h"
#include "harness/fetch/fetch_child_testing.h"
#include "models/formats/checkpoint.h"
#include "reports/report.h"

namespace plumb::harness {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;
using testing::plumb;
using testing::TinyCase;
using Words = std::vector<std::string>;
using Rows = std::vector<std::vector<std::string>>;

class HealedRun : public TinyCase {
 protected:
  void SetUp() override {
    TinyCase::SetUp();
    fixtures::put(training_file(), training_lines(20));
  }
  /// Capitals, so that none is a document of the other text.
  static std::string training_lines(int count) {
    std::string lines;
    for (int document = 0; document < count; ++document) {
      lines += "{\"text\": \"T";
      for (int i = 0; i < 39; ++i)
        lines += static_cast<char>('a' + (i * (document + 3) + i * i / 7) % 26);
      lines += "\"}\n";
    }
    return lines;
  }
  std::string training_file() const { return path("training.jsonl"); }

  /// Heals n = 2 and 5 of both strategies in 10 steps of 2 x 16 tokens.
  Words words(const Words& more = {}) const {
    Words all = run_words();
    for (const std::string& setting :
         {std::string("heal.n=2,5"), "heal.documents=" + training_file(), std::string("cost.n=0"),
          std::string("heal.strategies=similarity,simple"), std::string("heal.max_tokens=16"),
          std::string("heal.batch=2"), std::string("heal.steps=10"), std::string("heal.rank=2"),
          std::string("heal.learning_rate=1e-2"), std::string("heal.steps_per_state=2")}) {
      all.push_back("--set");
      all.push_back(setting);
    }
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  ChildOutput run(const Words& more = {}) const { return plumb(words(more)); }
  std::string result(const std::string& name) const { return read_file(fs::path(out()) / name); }
  Rows rows(const std::string& name) const { return parse_csv(result(name)); }

  json comparable() const {
    json results = json::parse(result("results.json"));
    results.erase("run");
    return results;
  }
  std::vector<fs::path> stage_folders(const std::string& stage) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(fs::path(out()) / ".stages"))
      if (entry.path().filename().string().rfind(stage + "-", 0) == 0)
        found.push_back(entry.path());
    return found;
  }
};

/// Suites of their own, as each test is several runs.
class HealedRunAgain : public HealedRun {};
class HealedRunKilled : public HealedRun {};
class HealedRunRefused : public HealedRun {};

double cell(const Rows& rows, size_t row, const std::string& column) {
  const auto at = std::find(rows.at(0).begin(), rows.at(0).end(), column) - rows.at(0).begin();
  return std::stod(rows.at(row).at(static_cast<size_t>(at)));
}

TEST_F(HealedRun, WritesLossesByDocumentAndTheTrainingOfEveryPlan) {
  const ChildOutput done = run();
  ASSERT_EQ(done.exit_code, 0) << done.err;
  const Rows healed = rows("healed.csv");
  ASSERT_EQ(healed.size(), 1u + 4u);
  EXPECT_EQ(healed[0].back(), "removed");
  const Rows documents = rows("healed_documents.csv");
  ASSERT_EQ(documents.size(), 1u + 4u * 16u);
  for (size_t row = 1; row < healed.size(); ++row) {
    double loss = 0, unhealed = 0;
    for (size_t d = 0; d < 16; ++d) {
      loss += cell(documents, 1 + (row - 1) * 16 + d, "loss_nats") / 16;
      unhealed += cell(documents, 1 + (row - 1) * 16 + d, "unhealed_nats") / 16;
    }
    EXPECT_NEAR(cell(healed, row, "loss_nats"), loss, 1e-12);
    EXPECT_NEAR(cell(healed, row, "gain_nats"), unhealed - loss, 1e-12);
    EXPECT_GT(cell(healed, row, "gain_low"), 0) << "letters alone are learned at once";
  }
  for (const char* name : {"similarity-2", "similarity-5", "simple-2", "simple-5"})
    EXPECT_EQ(rows(std::string("training/") + name + ".csv").size(), 11u) << name;
  // The records are the file's numbers, with the documents' as samples.
  const json results = json::parse(result("results.json"));
  size_t found = 0;
  for (const json& record : results.at("records")) {
    if (record.at("name") != "healed_loss_nats") continue;
    EXPECT_EQ(record.at("value"), cell(healed, ++found, "loss_nats"));
    EXPECT_EQ(record.at("samples").size(), 16u);
  }
  EXPECT_EQ(found, 4u);
  for (const json& verdict : results.at("verdicts")) {
    const std::string claim = verdict.at("claim");
    if (claim == "healing-gain" || claim == "methods-compose") {
      EXPECT_EQ(verdict.at("kind"), "PASS") << verdict;
    }
    if (claim == "healed-loss-continuous") {
      EXPECT_THAT(verdict.at("reason"), HasSubstr("2 values of n were healed, needed are 5"));
    }
  }
  const std::string html = result("report.html");
  for (const char* part : {"id=\"healed-loss\"", "id=\"training\"", "id=\"healing\"",
                           "id=\"composition\"", "similarity, healed", "simple, unhealed"})
    EXPECT_THAT(html, HasSubstr(part));
  EXPECT_THAT(result("provenance.json"), HasSubstr("training.jsonl"));
  // No weights but the adapters stay.
  for (const fs::path& folder : stage_folders("heal")) {
    EXPECT_TRUE(fs::exists(folder / "adapter/adapter_model.safetensors"));
    for (const char* gone : {"base", "merged", ".stages"})
      EXPECT_FALSE(fs::exists(folder / gone)) << gone;
  }
  reports::validate_results(result("results.json"));
}

// The stage against the commands that do its parts.
TEST_F(HealedRun, IsHealPruneAndSweepInOne) {
  ASSERT_EQ(run({"--set", "heal.n=5", "--set", "heal.strategies=simple"}).exit_code, 0);
  const ChildOutput heal = plumb({"heal",
                                  "--model",
                                  model(),
                                  "--strategy",
                                  "simple",
                                  "--n",
                                  "5",
                                  "--documents",
                                  training_file(),
                                  "--validation",
                                  text_file(),
                                  "--max-tokens",
                                  "16",
                                  "--batch",
                                  "2",
                                  "--steps",
                                  "10",
                                  "--rank",
                                  "2",
                                  "--learning-rate",
                                  "1e-2",
                                  "--threads",
                                  "1",
                                  "--dtype",
                                  "fp32",
                                  "--out",
                                  path("healed"),
                                  "--merge"});
  ASSERT_EQ(heal.exit_code, 0) << heal.err;
  const auto folders = stage_folders("heal");
  ASSERT_EQ(folders.size(), 1u);
  EXPECT_TRUE(read_file(folders[0] / "adapter/adapter_model.safetensors") ==
              read_file(path("healed/adapter/adapter_model.safetensors")));
  const ChildOutput sweep =
      plumb({"sweep", "--model", path("healed/merged"), "--documents", text_file(), "--max-tokens",
             "32", "--limit", "16", "--n", "0", "--strategies", "simple", "--threads", "1",
             "--dtype", "fp32", "--out", path("swept")});
  ASSERT_EQ(sweep.exit_code, 0) << sweep.err;
  const Rows alone = parse_csv(read_file(path("swept/loss_documents.csv")));
  const Rows stage = rows("healed_documents.csv");
  ASSERT_EQ(alone.size(), stage.size());
  for (size_t row = 1; row < stage.size(); ++row) {
    EXPECT_EQ(cell(stage, row, "document"), cell(alone, row, "document"));
    EXPECT_EQ(cell(stage, row, "loss_nats"), cell(alone, row, "loss_nats"));
  }
}

TEST_F(HealedRunAgain, ReusesWhatStandsAndMakesTheSameAgain) {
  const Words asked = {"--set", "questions.tasks=smoke", "--set", "questions.limit=10"};
  ASSERT_EQ(run(asked).exit_code, 0);
  const json before = comparable();
  const std::string healed = result("healed.csv"), accuracy = result("healed_accuracy.csv");
  EXPECT_EQ(rows("healed_accuracy.csv").size(), 1u + 4u * 2u);  // acc and acc_norm
  EXPECT_THAT(result("report.html"), HasSubstr("id=\"healed-accuracy\""));
  // A result without its adapter stands as long as nothing new is to be measured.
  for (const fs::path& folder : stage_folders("heal")) fs::remove_all(folder / "adapter");
  const ChildOutput second = run(asked);
  ASSERT_EQ(second.exit_code, 0) << second.err;
  for (const char* stage : {"heal similarity 2 ", "heal simple 5 ", "healed similarity 5 "})
    EXPECT_THAT(second.out, HasSubstr(std::string(stage) + "reused"));
  EXPECT_EQ(comparable(), before);
  fs::remove_all(stage_folders("healed").at(0));
  const ChildOutput third = run(asked);
  ASSERT_EQ(third.exit_code, 0) << third.err;
  EXPECT_THAT(third.err, HasSubstr("it is made again"));
  EXPECT_EQ(comparable(), before);
  fs::remove(model());
  ASSERT_EQ(plumb({"report", "--run", out()}).exit_code, 0);
  EXPECT_EQ(result("healed.csv"), healed);
  EXPECT_EQ(result("healed_accuracy.csv"), accuracy);
}

TEST_F(HealedRunAgain, TrainsAgainOnlyWhatASettingDecides) {
  ASSERT_EQ(run().exit_code, 0);
  const ChildOutput more = run({"--set", "heal.n=0,2,5", "--set", "heal.strategies=simple"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  for (const char* stage :
       {"sweep         ", "heal simple 2 ", "healed simple 5 ", "nf4           "})
    EXPECT_THAT(more.out, HasSubstr(std::string(stage) + "reused"));
  EXPECT_THAT(more.out, HasSubstr("heal simple 0 "));
  EXPECT_THAT(more.out, Not(HasSubstr("heal simple 0 reused")));
  const auto trained = stage_folders("heal").size();
  const ChildOutput seed = run({"--set", "heal.seed=1", "--set", "heal.n=2"});
  ASSERT_EQ(seed.exit_code, 0) << seed.err;
  EXPECT_THAT(seed.out, HasSubstr("sweep         reused"));
  EXPECT_GT(stage_folders("heal").size(), trained);
}

TEST_F(HealedRunKilled, GoesOnToTheSameNumbersWhereverItWasKilled) {
  const Words one = {"--set", "heal.strategies=simple", "--set", "heal.n=5"};
  ASSERT_EQ(run({"--set", "heal.n="}).exit_code, 0);
  fs::copy(out(), path("unhealed"), fs::copy_options::recursive);
  ASSERT_EQ(run(one).exit_code, 0);
  const json whole = comparable();
  const std::string training = result("training/simple-5.csv");
  int killed = 0;
  for (const int nth : {2, 6, 10}) {
    fs::remove_all(out());
    fs::copy(path("unhealed"), out(), fs::copy_options::recursive);
    Words variables = testing::preload("failing_disk");
    variables.insert(variables.end(),
                     {"PLUMB_TEST_DISK=" + out() + "/.stages", "PLUMB_TEST_DISK_CALL=rename",
                      text("PLUMB_TEST_DISK_NTH=", nth), "PLUMB_TEST_DISK_ERROR=0"});
    testing::Child child(words(one), variables, path("said"));
    if (child.wait() == 128 + SIGKILL) ++killed;
    const ChildOutput again = run(one);
    ASSERT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(comparable(), whole) << "killed before rename " << nth;
    EXPECT_EQ(result("training/simple-5.csv"), training);
  }
  EXPECT_EQ(killed, 3);
}

TEST_F(HealedRunRefused, SaysBeforeAnyStageWhatIsWrong) {
  const auto refused = [&](const std::string& setting, int code, const std::string& said) {
    const ChildOutput done = run({"--set", setting});
    EXPECT_EQ(done.exit_code, code) << setting << done.err;
    EXPECT_THAT(done.err, HasSubstr(said)) << setting;
    EXPECT_THAT(done.out, Not(HasSubstr("profile"))) << setting;
  };
  refused("heal.steps=26", 4, "26 steps of 2 need 52");
  refused("heal.n=2-", 2, "heal.n");
  refused("heal.documents=", 2, "needed heal.documents");
  refused("heal.documents=" + text_file(), 2, "is the text of calibration too");
  refused("heal.documents=" + path("absent"), 4, "absent");
  refused("heal.strategies=random", 2, "no strategy of the sweep 'random'");
  refused("heal.packing=fold", 2, "needed concat or cut");
  refused("heal.preset=llama-9", 2, "there is no preset");
  refused("heal.dropout=1", 2, "dropout");
  refused("heal.learning_rate=0", 2, "a positive peak");
  refused("heal.targets=q_proj", 2, "there is no target");
  refused("heal.max_tokens=100000", 2, "positions");
}

TEST_F(HealedRunRefused, LeavesOutWhatTheSweepHasNotAndSaysSo) {
  const ChildOutput done = run({"--set", "heal.n=9,30"});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(result("report.html"), HasSubstr("n = 9, 30 of heal.n is not healed"));
  EXPECT_FALSE(fs::exists(out() + "/healed.csv"));
}

TEST_F(HealedRunRefused, TrainsOnNoDocumentThatIsMeasuredOrChosenBy) {
  // The same words in another file, as the sixth document of many.
  const std::string lines = training_lines(5) + testing::tiny_document(3, 40) + training_lines(15);
  fixtures::put(path("mixed.jsonl"), lines);
  const ChildOutput done = run({"--set", "heal.documents=" + path("mixed.jsonl")});
  EXPECT_EQ(done.exit_code, 4) << done.err;
  EXPECT_THAT(done.err, HasSubstr("document 5 of "));
  EXPECT_THAT(done.err, HasSubstr("is the calibration's document 3 too"));
  // What the steps don't take is not trained on: 10 sequences are 4 documents.
  EXPECT_EQ(run({"--set", "heal.documents=" + path("mixed.jsonl"), "--set", "heal.steps=5", "--set",
                 "heal.n=2"})
                .exit_code,
            0);
}

}  // namespace
}  // namespace plumb::harness
