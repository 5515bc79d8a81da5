#include "harness/pipeline/estimate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "harness/cli/program_testing.h"
#include "harness/pipeline/model_preview.h"

namespace plumb::harness {
namespace {

using nlohmann::json;
using testing::plumb;

/// A Llama of 12 blocks whose weights, 0.36 GB in bf16, are nowhere.
json config() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"num_hidden_layers", 12},
          {"hidden_size", 1024},
          {"num_attention_heads", 16},
          {"num_key_value_heads", 4},
          {"intermediate_size", 4096},
          {"vocab_size", 8000},
          {"max_position_embeddings", 2048},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 10000.0},
          {"hidden_act", "silu"},
          {"tie_word_embeddings", false},
          {"torch_dtype", "bfloat16"}};
}

// Of a block: 1024 x (1024 + 2 x 256) + 1024 x 1024 + 3 x 1024 x 4096 and two gains; beside them two matrices of
// 8000 x 1024 and the last gain.
constexpr uint64_t kParameters =
    12 * (1024 * 1536 + 1024 * 1024 + 3 * 1024 * 4096 + 2 * 1024) + 2 * 8000 * 1024 + 1024;

class DryRun : public ::testing::Test {
 protected:
  std::string config_file() const {
    fixtures::put(folder_ / "config.json", config().dump());
    return folder_ / "config.json";
  }
  json predicted(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {
        "run",  "--dry-run",   "--model",    config_file(), "--out", folder_ / "out", "--dtype",
        "bf16", "--documents", "none.jsonl", "--n",         "0-10",  "--format",      "json"};
    words.insert(words.end(), more.begin(), more.end());
    const ChildOutput child = plumb(words);
    EXPECT_EQ(child.exit_code, 0) << child.err;
    return child.exit_code == 0 ? json::parse(child.out) : json();
  }
  plumb::testing::TemporaryFolder folder_;
};

TEST_F(DryRun, CountsQuestionsThatAreHereAndNamesTheOthers) {
  const json smoke = predicted(), more = predicted({"--set", "questions.tasks=smoke,mmlu", "--set",
                                                    "questions.data=/nowhere"});
  EXPECT_EQ(smoke.at("questions"), 240);  // the default experiment's
  EXPECT_EQ(smoke.at("questions_missing"), json::array());
  EXPECT_GT(smoke.at("question_seconds"), 0);
  EXPECT_EQ(more.at("questions"), 240);
  EXPECT_EQ(more.at("questions_missing"), json({"mmlu"}));
}

TEST_F(DryRun, CountsTrainingsOfWhatIsHealed) {
  const json none = predicted({"--set", "heal.n=11,30"});  // not in the sweep
  EXPECT_EQ(none.at("healed_plans"), 0);
  EXPECT_EQ(none.at("heal_seconds"), 0);
  EXPECT_EQ(none.at("heal_bytes"), 0);
  const auto healed = [&](const std::string& n, const std::string& rank) {
    return predicted({"--set", "heal.n=" + n, "--set", "heal.documents=absent.jsonl", "--set",
                      "heal.strategies=", "--set", "heal.steps=10", "--set", "heal.batch=4",
                      "--set", "heal.max_tokens=100", "--set", "heal.rank=" + rank});
  };
  const json two = healed("2,8", "8"), large = healed("2,8", "16");
  EXPECT_EQ(two.at("healed_plans"), 4);  // of both strategies
  EXPECT_EQ(two.at("heal_tokens"), 4 * 10 * 4 * 100);
  EXPECT_GT(two.at("heal_seconds"), 0);
  // An adapter, its gradient and two moments in fp32: A and B of gate, up and down of the ten blocks that n = 2 leaves.
  EXPECT_EQ(large.at("heal_bytes").get<int64_t>() - two.at("heal_bytes").get<int64_t>(),
            4 * 4 * 8 * 10 * 3 * (1024 + 4096));
}

TEST_F(DryRun, PredictsAModelThatIsNotHereFromItsConfig) {
  const json out = predicted();
  EXPECT_EQ(out.at("parameters"), kParameters);
  EXPECT_EQ(out.at("model_bytes"), 2 * kParameters);
  EXPECT_EQ(out.at("model_bytes_predicted"), true);
  EXPECT_EQ(out.at("fetched_bytes"), 0);
  EXPECT_EQ(out.at("streamed"), false);
  EXPECT_GT(out.at("peak_bytes"), 2 * kParameters);
  for (const char* seconds : {"load_seconds", "profile_seconds", "sweep_seconds", "cost_seconds"})
    EXPECT_GT(out.at(seconds), 0) << seconds;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(DryRun, SaysThatBlocksAreStreamedUnderALimitThatTheyDoNotFit) {
  const json out = predicted({"--memory-limit", "500MB"});
  EXPECT_EQ(out.at("streamed"), true);
  EXPECT_LE(out.at("peak_bytes"), 500'000'000);
  EXPECT_EQ(out.at("read_bytes"), 4 * kParameters);  // two passes
  EXPECT_TRUE(out.at("cost_seconds").is_null());
}

TEST_F(DryRun, NamesTheLeastLimitThatWouldDo) {
  const ChildOutput child =
      plumb({"run", "--dry-run", "--model", config_file(), "--out", folder_ / "out", "--documents",
             "none.jsonl", "--memory-limit", "20MB"});
  EXPECT_EQ(child.exit_code, 6);
  EXPECT_THAT(child.err, ::testing::HasSubstr("--memory-limit"));
}

TEST(PredictedFileBytes, FollowsTheConfigsDtype) {
  models::ModelConfig c;
  c.block_count = 1;
  c.width = c.feed_forward_width = c.vocabulary_size = 8;
  c.head_count = c.kv_head_count = 1;
  c.head_width = 8;
  const uint64_t fp32 = predicted_file_bytes("{}", c);
  EXPECT_EQ(predicted_file_bytes(R"({"torch_dtype": "float16"})", c), fp32 / 2);
  EXPECT_EQ(predicted_file_bytes(R"({"dtype": "bfloat16"})", c), fp32 / 2);
  EXPECT_THROW(predicted_file_bytes(R"({"torch_dtype": "int8"})", c), Error);
}

TEST(TimesOf, CountsTheSlowerOfReadingAndComputing) {
  Work work;
  work.profile_flops = 100;
  work.sweep_flops = 1000;
  work.configurations = 2;
  MachineSpeed speed;
  speed.block_flops_per_second = speed.head_flops_per_second = speed.decode_bytes_per_second = 10;
  MemoryPlan memory;
  memory.streamed = true;
  const Times streamed = times_of(work, speed, memory, 500, 10);  // 50 s a pass to read
  EXPECT_EQ(streamed.profile, 50);
  EXPECT_EQ(streamed.sweep, 100);
  EXPECT_EQ(streamed.load, 0);
  EXPECT_EQ(streamed.cost, 0);
  memory.streamed = false;
  const Times resident = times_of(work, speed, memory, 500, 10);
  EXPECT_EQ(resident.load, 50);
  EXPECT_EQ(resident.profile, 10);
  EXPECT_EQ(resident.cost, 100);  // each configuration loads the model
}

}  // namespace
}  // namespace plumb::harness
