// `plumb heal` from outside: what it writes, what it refuses, and that it goes on from where it was killed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/csv.h"
#include "base/file.h"
#include "base/rng.h"
#include "harness/cli/program_testing.h"
#include "harness/fetch/fetch_child_testing.h"
#include "healing/peft_adapter.h"
#include "healing/training_state.h"
#include "models/formats/checkpoint.h"

namespace plumb::harness::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;
using Words = std::vector<std::string>;
using Changes = std::map<std::string, std::string>;

class Heal : public TinyCase {
 protected:
  /// 12 steps of 2 x 16 tokens without blocks 4 to 6.
  Words words(const std::string& folder, const Changes& changes = {}) const {
    Changes flags{{"--model", model()},
                  {"--documents", text_file()},
                  {"--first", "4"},
                  {"--n", "3"},
                  {"--max-tokens", "16"},
                  {"--batch", "2"},
                  {"--steps", "12"},
                  {"--rank", "2"},
                  {"--learning-rate", "1e-2"},
                  {"--steps-per-state", "3"},
                  {"--threads", "1"},
                  {"--out", path(folder)}};
    for (const auto& [flag, value] : changes) flags[flag] = value;
    Words all{"heal"};
    for (const auto& [flag, value] : flags) {
      if (value == "absent") continue;
      all.push_back(flag);
      if (!value.empty()) all.push_back(value);
    }
    return all;
  }
  void heal(const std::string& folder, const Changes& changes = {}) const {
    const ChildOutput result = plumb(words(folder, changes));
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  Json json(const std::string& folder) const {
    return Json::parse(read_file(path(folder + "/healing.json")));
  }
  std::string adapter_bytes(const std::string& folder) const {
    return read_file(path(folder + "/adapter/adapter_model.safetensors")) +
           read_file(path(folder + "/adapter/adapter_config.json"));
  }
  void expect_refused(const Changes& changes, int code, const std::string& said) const {
    const ChildOutput result = plumb(words("refused", changes));
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(said));
    EXPECT_FALSE(fs::exists(path("refused/adapter")));
    EXPECT_FALSE(fs::exists(path("refused/base")));
  }
  /// A state of a device is none of the CPU's.
  void expect_refused_to_go_on(const std::string& folder) const {
    const ChildOutput result = plumb(words(folder, {{"--dtype", "fp32"}}));
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr("device"));
  }
  /// Everything that must not depend on an interruption.
  void expect_same(const std::string& a, const std::string& b) const {
    EXPECT_TRUE(adapter_bytes(a) == adapter_bytes(b));
    Json one = json(a), two = json(b);
    one.erase("run");
    two.erase("run");
    EXPECT_EQ(one, two);
    const auto first = parse_csv(read_file(path(a + "/training.csv")));
    const auto second = parse_csv(read_file(path(b + "/training.csv")));
    ASSERT_EQ(first.size(), second.size());
    for (size_t i = 0; i < first.size(); ++i)
      for (size_t column = 0; column < 3; ++column) EXPECT_EQ(first[i][column], second[i][column]);
  }
};

TEST_F(Heal, WritesBaseAdapterAndWhatTheTrainingWas) {
  heal("out");
  const auto base = models::Checkpoint::open(path("out/base"));
  EXPECT_EQ(base.config().block_count, 7);
  const auto adapter = healing::read_peft_adapter(path("out/adapter"), base.config());
  EXPECT_EQ(adapter.options.rank, 2);
  EXPECT_EQ(adapter.options.targets.size(), 3u);
  EXPECT_GT(adapter.blocks[6].of(healing::Target::kDown).b.abs().max().item<float>(), 0);
  const Json plan = Json::parse(read_file(path("out/adapter/plumb.json")));
  EXPECT_EQ(plan.at("original_indices"), (Json{0, 1, 2, 3, 7, 8, 9}));
  EXPECT_EQ(plan.at("base").at("sha256"), models::Checkpoint::open(model()).sha256());

  const auto rows = parse_csv(read_file(path("out/training.csv")));
  EXPECT_EQ(rows.at(0), (Words{"step", "loss_nats", "learning_rate", "tokens_per_second"}));
  ASSERT_EQ(rows.size(), 13u);
  EXPECT_EQ(rows[1][2], "0") << "a warm-up of one step begins at 0";
  const Json said = json("out");
  EXPECT_EQ(said.at("steps"), 12);
  EXPECT_EQ(said.at("tokens"), 12 * 2 * 16);
  EXPECT_EQ(said.at("targets"), (Json{"gate", "up", "down"}));
  EXPECT_EQ(said.at("validation").at("documents"), (Json{18, 19})) << "the last tenth of 20";
  EXPECT_LT(said.at("training").at("last_document"), 18);
  const double before = said.at("validation").at("before").at("loss_nats");
  const double after = said.at("validation").at("after").at("loss_nats");
  EXPECT_LT(after, before);
  EXPECT_NEAR(said.at("validation").at("after").at("normalised").get<double>(),
              after / std::log(256), 1e-12);
  EXPECT_FALSE(fs::exists(path("out/.stages/heal.safetensors")));
}

TEST_F(Heal, GivesTheSameBytesAgain) {
  heal("a");
  heal("b");
  expect_same("a", "b");
  heal("c", {{"--seed", "1"}});
  EXPECT_FALSE(adapter_bytes("a") == adapter_bytes("c"));
}

TEST_F(Heal, GoesOnToTheSameBytesWhereverItWasKilled) {
  heal("whole");
  int killed = 0, resumed = 0;
  for (int nth = 1;; nth += 3) {
    fs::remove_all(path("out"));
    Words variables = preload("failing_disk");
    variables.insert(variables.end(),
                     {"PLUMB_TEST_DISK=" + path("out"), "PLUMB_TEST_DISK_CALL=rename",
                      text("PLUMB_TEST_DISK_NTH=", nth), "PLUMB_TEST_DISK_ERROR=0"});
    Child child(words("out"), variables, path("said"));
    const int code = child.wait();
    if (code == 0) break;
    ASSERT_EQ(code, 128 + SIGKILL) << read_file(path("said"));
    ++killed;
    heal("out");
    resumed += json("out").at("run").at("resumed_steps") > 0 ? 1 : 0;
    expect_same("whole", "out");
    ASSERT_FALSE(HasFailure()) << "killed before rename " << nth;
    ASSERT_LT(nth, 200);
  }
  EXPECT_GE(killed, 5);
  EXPECT_GE(resumed, 2);
}

// Killed at random moments of a healing that keeps its state every third step.
class HealKilled : public Heal {
 protected:
  using Clock = std::chrono::steady_clock;

  void run_campaign(int count, uint64_t seed) {
    const auto begin = Clock::now();
    heal("whole", longer_);
    const auto longest =
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
    Rng rng(seed);
    int killed = 0, resumed = 0, started = 0;
    while (killed < count && started < 4 * count && !HasFailure()) {
      ++started;
      const auto moment = static_cast<int64_t>(rng.below(static_cast<uint64_t>(longest.count())));
      SCOPED_TRACE(text("killed after ", moment, " us"));
      fs::remove_all(path("out"));
      Child child(words("out", longer_), {}, path("said"));
      std::this_thread::sleep_for(std::chrono::microseconds(moment));
      if (!child.has_ended()) child.kill();
      if (child.wait() == 0) continue;  // it was faster than the first one
      ++killed;
      if (!fs::exists(path("out/healing.json"))) heal("out", longer_);  // else all was done
      resumed += json("out").at("run").at("resumed_steps") > 0 ? 1 : 0;
      expect_same("whole", "out");
    }
    std::cout << killed << " of " << started << " killed, " << resumed
              << " went on from a kept state; every one ended with the same bytes\n";
    EXPECT_EQ(killed, count);
  }

  /// All that 18 documents of 40 tokens give in batches of one.
  const Changes longer_{{"--max-tokens", "4"}, {"--batch", "1"}, {"--steps", "180"}};
};

TEST_F(HealKilled, EndsWithTheSameBytes) { run_campaign(3, 1); }

using HealKilledLong = HealKilled;
TEST_F(HealKilledLong, EndsWithTheSameBytes) { run_campaign(30, 2); }

TEST_F(Heal, GoesOnFromItsOwnStateAlone) {
  Words variables = preload("failing_disk");
  variables.insert(variables.end(),
                   {"PLUMB_TEST_DISK=" + path("out/.stages"), "PLUMB_TEST_DISK_CALL=rename",
                    "PLUMB_TEST_DISK_NTH=3", "PLUMB_TEST_DISK_ERROR=0"});
  Child child(words("out"), variables, path("said"));
  ASSERT_EQ(child.wait(), 128 + SIGKILL) << read_file(path("said"));
  const auto state = healing::read_training_state(path("out/.stages/heal.safetensors"));
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->steps(), 6);
  const ChildOutput other = plumb(words("out", {{"--rank", "3"}, {"--seed", "7"}}));
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("rank (2, now 3)"));
  EXPECT_THAT(other.err, HasSubstr("seed (0, now 7)"));
  heal("out", {{"--rank", "3"}, {"--fresh", ""}});
  heal("alone", {{"--rank", "3"}});
  expect_same("alone", "out");
}

TEST_F(Heal, WritesOverNoFinishedHealing) {
  heal("out");
  const std::string before = adapter_bytes("out");
  const ChildOutput again = plumb(words("out", {{"--seed", "3"}}));
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("holds a finished healing"));
  EXPECT_TRUE(adapter_bytes("out") == before);
}

TEST_F(Heal, StopsWhereTheLossIsNotFinite) {
  const ChildOutput result = plumb(words("out", {{"--learning-rate", "1e30"}}));
  EXPECT_EQ(result.exit_code, 4) << result.err;
  for (const char* said : {"step 2", "documents ", "heal.safetensors' (2 steps)"})
    EXPECT_THAT(result.err, HasSubstr(said));
  const auto state = healing::read_training_state(path("out/.stages/heal.safetensors"));
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->steps(), 2);
  EXPECT_FALSE(fs::exists(path("out/adapter")));
}

TEST_F(Heal, SaysBeforeTrainingWhatIsWrong) {
  // 18 documents of 40 tokens are 45 sequences of 16.
  expect_refused({{"--steps", "23"}}, 4, "gives 45 sequences of 16 tokens in 18 documents");
  expect_refused({{"--steps", "23"}}, 4, "23 steps of 2 need 46");
  expect_refused({{"--packing", "cut"}, {"--steps", "10"}}, 4, "gives 18 sequences");
  expect_refused({{"--packing", "fold"}}, 2, "needed concat or cut");
  expect_refused({{"--preset", "llama-9"}}, 2, "there is no preset 'llama-9'");
  expect_refused({{"--targets", "q_proj"}}, 2, "there is no target 'q_proj'");
  expect_refused({{"--targets", "query_key_value"}}, 2, "there is no target 'query_key_value'");
  expect_refused({{"--learning-rate", "fast"}}, 2, "needed a number");
  expect_refused({{"--learning-rate", "0"}}, 2, "a positive peak");
  expect_refused({{"--warm-up", "12"}}, 2, "a warm-up shorter than the steps");
  expect_refused({{"--dropout", "1"}}, 2, "dropout");
  expect_refused({{"--n", "10"}}, 2, "needed 1..9");
  expect_refused({{"--max-tokens", "100000"}}, 2, "positions");
  expect_refused({{"--documents", "absent"}}, 2, "--documents is missing");
  expect_refused({{"--device", "tpu"}}, 2, "needed cpu, cuda, auto");
}

TEST_F(Heal, ValidatesOnAFileOfItsOwn) {
  fixtures::put(path("other.jsonl"), tiny_document(40, 30) + tiny_document(41, 12));
  heal("out", {{"--validation", path("other.jsonl")}, {"--steps", "25"}});  // all 20 documents
  const Json validation = json("out").at("validation");
  EXPECT_EQ(validation.at("documents"), (Json{0, 1}));
  EXPECT_EQ(validation.at("tokens"), 16 + 12);
  EXPECT_TRUE(validation.at("after").contains("loss_nats_over_tokens")) << "lengths differ";
}

TEST_F(Heal, TakesThePapersValuesAndFlagsWin) {
  heal("out", {{"--preset", "mistral-7b"},
               {"--learning-rate", "absent"},
               {"--rank", "absent"},
               {"--accumulation", "1"}});
  const Json said = json("out");
  EXPECT_EQ(said.at("preset"), "mistral-7b");
  EXPECT_EQ(said.at("learning_rate"), 3e-6);
  EXPECT_EQ(said.at("rank"), 4);
  EXPECT_EQ(said.at("alpha"), 4);
  EXPECT_EQ(said.at("dropout"), 0.05);
  EXPECT_EQ(said.at("steps"), 12);
}

// On a device that is not there: nothing of the host's is mixed into it, and the same bytes come after an interruption.
class HealOnADevice : public Heal {};
TEST_F(HealOnADevice, LosesWhatTheCpuDoesAndGoesOn) {
  const std::string device = std::string(PLUMB_BINARY_DIR) + "/libplumb_fake_device.so";
  heal("cpu", {{"--dtype", "fp32"}});
  heal("there", {{"--dtype", "fp32"}, {"--device", device}});
  EXPECT_EQ(json("cpu").at("device"), "cpu");
  EXPECT_EQ(json("there").at("device"), "fake");
  for (const char* when : {"before", "after"}) {
    const double a = json("cpu").at("validation").at(when).at("loss_nats");
    EXPECT_NEAR(json("there").at("validation").at(when).at("loss_nats").get<double>(), a, 1e-3 * a);
  }
  Words variables = preload("failing_disk");
  variables.insert(variables.end(),
                   {"PLUMB_TEST_DISK=" + path("again/.stages"), "PLUMB_TEST_DISK_CALL=rename",
                    "PLUMB_TEST_DISK_NTH=3", "PLUMB_TEST_DISK_ERROR=0"});
  const Changes changes{{"--dtype", "fp32"}, {"--device", device}};
  Child child(words("again", changes), variables, path("said"));
  ASSERT_EQ(child.wait(), 128 + SIGKILL) << read_file(path("said"));
  expect_refused_to_go_on("again");
  heal("again", changes);
  EXPECT_GT(json("again").at("run").at("resumed_steps"), 0);
  expect_same("there", "again");
}

// Merged weights give the logits of base and adapter, within fp32's rounding of one sum a weight.
class HealAndMerge : public Heal {};
TEST_F(HealAndMerge, PutsTheAdapterIntoTheWeights) {
  heal("out", {{"--merge", ""}, {"--dtype", "fp32"}});
  const ChildOutput pruned = plumb({"prune", "--model", model(), "--adapter", path("out/adapter"),
                                    "--merge", "--out", path("merged")});
  ASSERT_EQ(pruned.exit_code, 0) << pruned.err;
  EXPECT_TRUE(read_file(path("merged/model.safetensors")) ==
              read_file(path("out/merged/model.safetensors")));
  const ChildOutput onto_base = plumb({"prune", "--model", path("out/base"), "--adapter",
                                       path("out/adapter"), "--merge", "--out", path("onto_base")});
  ASSERT_EQ(onto_base.exit_code, 0) << onto_base.err;
  EXPECT_TRUE(read_file(path("onto_base/model.safetensors")) ==
              read_file(path("merged/model.safetensors")));
  const auto base = models::Checkpoint::open(path("out/base"));
  const auto merged = models::Checkpoint::open(path("merged"));
  const auto adapter = healing::read_peft_adapter(path("out/adapter"), base.config());
  for (int64_t block = 0; block < 7; ++block) {
    const auto& pair = adapter.blocks[static_cast<size_t>(block)].of(healing::Target::kUp);
    const at::Tensor before = base.load(models::Role::kUp, block, at::kFloat);
    const at::Tensor after = merged.load(models::Role::kUp, block, at::kFloat);
    const at::Tensor expected = before + at::matmul(pair.b, pair.a);
    EXPECT_FALSE(after.equal(before));
    EXPECT_LE((after - expected).abs().max().item<float>(),
              0x1p-22f * expected.abs().max().item<float>());
    EXPECT_TRUE(base.load(models::Role::kQuery, block, at::kFloat)
                    .equal(merged.load(models::Role::kQuery, block, at::kFloat)));
  }
  // The same weights in the other format: F32 all through, so to the bit.
  const ChildOutput gguf =
      plumb({"prune", "--model", model(), "--adapter", path("out/adapter"), "--merge", "--format",
             "gguf", "--format", "json", "--out", path("merged.gguf")});
  ASSERT_EQ(gguf.exit_code, 0) << gguf.err;
  EXPECT_EQ(Json::parse(gguf.out).at("format"), "gguf");
  const auto one_file = models::Checkpoint::open(path("merged.gguf"));
  for (const auto& row : merged.architecture().tensors)
    for (int64_t block = 0; block < (models::per_block(row.role) ? 7 : 1); ++block) {
      const int64_t of = models::per_block(row.role) ? block : -1;
      ASSERT_EQ(merged.find(row.role, of).has_value(), one_file.find(row.role, of).has_value());
      if (!merged.find(row.role, of)) continue;
      EXPECT_TRUE(
          merged.load(row.role, of, at::kFloat).equal(one_file.load(row.role, of, at::kFloat)));
    }
  heal("with_gguf", {{"--merge", ""}, {"--dtype", "fp32"}, {"--format", "gguf"}});
  const auto healed = models::Checkpoint::open(path("with_gguf/merged.gguf"));
  EXPECT_FALSE(fs::exists(path("with_gguf/merged")));
  EXPECT_TRUE(healed.load(models::Role::kDown, 3, at::kFloat)
                  .equal(merged.load(models::Role::kDown, 3, at::kFloat)));
  heal("with_gguf", {{"--merge", ""}, {"--dtype", "fp32"}, {"--format", "gguf"}, {"--fresh", ""}});
  expect_refused({{"--format", "gguf"}}, 2, "without --merge");
  const ChildOutput wrong = plumb({"prune", "--model", model(), "--first", "1", "--n", "2",
                                   "--adapter", path("out/adapter"), "--out", path("wrong")});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--adapter and --merge belong together"));
}

}  // namespace
}  // namespace plumb::harness::testing
