// The program under a memory limit against the program without: models that do not fit.

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/json_fields.h"
#include "fixtures/synthetic/large_checkpoint.h"
#include "harness/cli/program_testing.h"

namespace plumb::harness::testing {
namespace {

using ::testing::HasSubstr;

/// 8 blocks of 11 MiB (bf16), so that holding them or not is seen beside libtorch's own memory.
class MemoryLimit : public ::testing::Test {
 protected:
  static constexpr uint64_t kTolerance = uint64_t{32} << 20;
  static constexpr int64_t kBlocks = 8, kWidth = 768, kForward = 1536;

  static void SetUpTestSuite() {
    folder_ = std::make_unique<plumb::testing::TemporaryFolder>();
    fixtures::write_large_checkpoint(model(), {.block_count = kBlocks,
                                               .width = kWidth,
                                               .head_count = 6,
                                               .feed_forward_width = kForward,
                                               .vocabulary_size = 2048});
    std::string lines;
    for (int document = 0; document < 4; ++document) lines += tiny_document(document, 32);
    fixtures::put(text_file(), lines);
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::string model() { return *folder_ / "model"; }
  static std::string text_file() { return *folder_ / "text.jsonl"; }
  static std::string path(const std::string& name) { return *folder_ / name; }

  /// The command's JSON; its files are in folder `out`.
  static nlohmann::ordered_json run(std::vector<std::string> words, const std::string& out,
                                    const std::string& limit, const char* dtype = "bf16") {
    words.insert(words.end(), {"--model", model(), "--documents", text_file(), "--dtype", dtype,
                               "--out", path(out), "--memory-limit", limit, "--format", "json"});
    for (const char* setting :
         {"calibration.max_tokens=32", "calibration.limit=4", "validation.max_tokens=32",
          "validation.limit=4", "documents_per_step=2", "threads=2", "statistics.draws=200"})
      words.insert(words.end(), {"--set", setting});
    const ChildOutput child = plumb(words);
    EXPECT_EQ(child.exit_code, 0) << child.err;
    return child.exit_code == 0 ? parse_json(child.out) : nlohmann::ordered_json();
  }

  static void expect_same_file(const std::string& a, const std::string& b) {
    EXPECT_EQ(read_file(path(a)), read_file(path(b))) << a;
  }

  static std::unique_ptr<plumb::testing::TemporaryFolder> folder_;
};
std::unique_ptr<plumb::testing::TemporaryFolder> MemoryLimit::folder_;

/// Least limit that the command names, from one that is far too small.
uint64_t least_limit(const std::string& said) {
  const size_t end = said.find(" bytes)"), begin = said.rfind('(', end);
  EXPECT_NE(end, std::string::npos) << said;
  return end == std::string::npos ? 0 : std::stoull(said.substr(begin + 1, end - begin - 1));
}

class MemoryLimitOf : public MemoryLimit, public ::testing::WithParamInterface<const char*> {};

TEST_P(MemoryLimitOf, ChangesNoByteOfAProfileOrASweepAndIsKept) {
  const std::vector<std::string> profile{"profile"},
      sweep{"sweep", "--plans", path("profile-whole/plans.csv"), "--n", "0-6:2"};
  const auto check = [&](const std::vector<std::string>& words,
                         const std::vector<std::string>& files) {
    // A profile says at its top what a sweep says in its object `run`.
    const auto run_of = [&](const std::string& out, const std::string& limit) {
      const auto json = run(words, out, limit, GetParam());
      return json.contains("run") ? json.at("run") : json;
    };
    const auto whole = run_of(words.front() + "-whole", "64GiB");
    EXPECT_FALSE(whole.at("memory").at("streamed"));
    EXPECT_LE(whole.at("peak_resident_bytes"), whole.at("memory").at("peak_bytes"));
    const auto bytes = [](const auto& json, const char* key) {
      return json.at("memory").at(key).template get<uint64_t>();
    };
    // Half of the blocks less than it takes to hold all; and what the rest needs alone. The baseline of another run
    // may be some pages larger.
    const uint64_t tight = bytes(whole, "peak_bytes") - kBlocks / 2 * bytes(whole, "block_bytes");
    const uint64_t least = bytes(whole, "least_limit_bytes") + (uint64_t{2} << 20);
    for (const uint64_t limit : {tight, least}) {
      const auto json = run_of(words.front(), std::to_string(limit));
      for (const std::string& file : files)
        expect_same_file(text(words.front(), "/", file), text(words.front(), "-whole/", file));
      EXPECT_TRUE(json.at("memory").at("streamed"));
      const uint64_t peak = json.at("peak_resident_bytes");
      EXPECT_LE(peak, limit);
      // The plan adds 16 MiB for what it cannot count, and bounds kernels' scratch from above; its room for activations
      // is as large as plans could need that are not known yet.
      EXPECT_LE(bytes(json, "peak_bytes"), peak + bytes(json, "room_bytes") + kTolerance);
    }
  };
  check(profile, {"distances.csv", "distances_post_norm.csv", "plans.csv"});
  check(sweep, {"loss.csv", "loss_documents.csv"});
}

TEST_F(MemoryLimit, ThatIsTooSmallIsExitSixWithTheOneThatDoes) {
  std::vector<std::string> words{"profile",     "--model",        model(), "--documents",
                                 text_file(),   "--max-tokens",   "32",    "--limit",
                                 "4",           "--dtype",        "bf16",  "--out",
                                 path("small"), "--memory-limit", "20MB"};
  const ChildOutput refused = plumb(words);
  EXPECT_EQ(refused.exit_code, 6);
  EXPECT_THAT(refused.err, HasSubstr("a memory limit of 20 MB is too small"));
  words.back() = std::to_string(least_limit(refused.err) + (2u << 20));
  const ChildOutput taken = plumb(words);
  EXPECT_EQ(taken.exit_code, 0) << taken.err;
}

TEST_F(MemoryLimit, IsKeptByQuestionsToo) {
  fixtures::put(path("own.jsonl"), tiny_questions(16));
  const std::vector<std::string> eval{"eval",
                                      "--strategies",
                                      "simple",
                                      "--n",
                                      "0-6:3",
                                      "--tasks",
                                      "multiple_choice",
                                      "--data",
                                      "multiple_choice=" + path("own.jsonl")};
  const auto whole = run(eval, "eval-whole", "64GiB").at("run");
  EXPECT_FALSE(whole.at("memory").at("streamed"));
  EXPECT_LE(whole.at("peak_resident_bytes"), whole.at("memory").at("peak_bytes"));
  const uint64_t least =
      whole.at("memory").at("least_limit_bytes").get<uint64_t>() + (uint64_t{2} << 20);
  const auto tight = run(eval, "eval", std::to_string(least)).at("run");
  EXPECT_TRUE(tight.at("memory").at("streamed"));
  EXPECT_LE(tight.at("peak_resident_bytes"), least);
  expect_same_file("eval/accuracy.csv", "eval-whole/accuracy.csv");
  expect_same_file("eval/questions/multiple_choice.jsonl",
                   "eval-whole/questions/multiple_choice.jsonl");
}

TEST_F(MemoryLimit, LetsActivationsThatDoNotFitWaitOnTheDiskOfTheResults) {
  const std::vector<std::string> sweep{"sweep", "--strategies", "simple,random", "--n", "0-6"};
  run(sweep, "held", "64GiB");
  std::vector<std::string> words = sweep;
  words.insert(words.end(), {"--model",
                             model(),
                             "--documents",
                             text_file(),
                             "--max-tokens",
                             "32",
                             "--limit",
                             "4",
                             "--documents-per-step",
                             "2",
                             "--threads",
                             "2",
                             "--dtype",
                             "bf16",
                             "--set",
                             "statistics.draws=200",
                             "--out",
                             path("spilled"),
                             "--format",
                             "json",
                             "--memory-limit",
                             "20MB"});
  // 64 kB above the least, an activation being 98 kB. The baseline of the next try may be larger by some pages.
  ChildOutput child = plumb(words);
  for (int tries = 0; tries < 20 && child.exit_code == 6; ++tries) {
    words.back() = std::to_string(least_limit(child.err) + 64'000);
    child = plumb(words);
  }
  ASSERT_EQ(child.exit_code, 0) << child.err;
  EXPECT_GT(parse_json(child.out).at("run").at("spilled_bytes"), 0);
  for (const char* file : {"/loss.csv", "/loss_documents.csv"})
    expect_same_file(std::string("held") + file, std::string("spilled") + file);
}

TEST_F(MemoryLimit, LeavesARunItsVerdictsButThoseOfTheCost) {
  const auto whole = run({"profile"}, "run-whole", "64GiB");
  const auto bytes = [&](const char* key) { return whole.at("memory").at(key).get<uint64_t>(); };
  const uint64_t tight = bytes("peak_bytes") - kBlocks / 2 * bytes("block_bytes");
  const auto json =
      run({"run", "--calibration", text_file(), "--n", "0-6:3", "--set", "cost.n=0-6:2", "--set",
           "questions.limit=24", "--set", "rows_per_pack=1024"},
          "run", std::to_string(tight));
  std::map<std::string, std::string> outcomes;
  for (const auto& verdict : json.at("verdicts"))
    outcomes[verdict.at("claim")] = verdict.at("verdict");
  const std::string results = read_file(path("run/results.json"));
  EXPECT_TRUE(results.find("the stage cost did not run: a model without 0 blocks needs") !=
              results.npos);
  EXPECT_TRUE(results.find("streamed: blocks of") != results.npos);
  EXPECT_EQ(outcomes["residual-reconnection"], "PASS");
  EXPECT_EQ(outcomes["memory-falls"], "NOT RUN");
}

INSTANTIATE_TEST_SUITE_P(Dtypes, MemoryLimitOf, ::testing::Values("fp32", "bf16"));

}  // namespace
}  // namespace plumb::harness::testing
