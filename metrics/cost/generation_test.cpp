#include "metrics/cost/generation.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/testing.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/greedy.h"

namespace plumb::metrics {
namespace {

using plumb::testing::error_of;

const models::Decoder& decoder() {
  static const models::Decoder one =
      fixtures::tiny_decoder({.block_count = 2, .max_positions = 64});
  return one;
}

TEST(MeasureGeneration, TakesEveryTimeAndWritesWhatIsWrittenWithoutAClock) {
  const auto prompts = drawn_prompts(256, 4, 3, 9, 5);
  const GenerationTimes g = measure_generation(decoder(), prompts, {.tokens = 7, .repetitions = 4});
  EXPECT_EQ(g.written, models::write_greedily(decoder(), prompts[0], {.max_tokens = 7}));
  EXPECT_TRUE(g.repeats);
  EXPECT_EQ(g.first_token_ms.size(), 4u);
  EXPECT_EQ(g.again_ms.size(), 4u);
  EXPECT_EQ(g.blocks_ms.size(), 4u);
  ASSERT_EQ(g.token_ms.size(), 4u);
  for (const auto& times : g.token_ms) EXPECT_EQ(times.size(), 6u);
  EXPECT_GE(g.warm_up_rounds, 3);
  EXPECT_LE(g.warm_up_rounds, kMostWarmUpRounds);
}

TEST(MeasureGeneration, KeepsGoogleBenchmarksReportWithoutTheMachinesName) {
  const GenerationTimes g = measure_generation(decoder(), drawn_prompts(256, 2, 1, 5, 5),
                                               {.tokens = 3, .repetitions = 2});
  const auto report = nlohmann::json::parse(g.benchmark_json);
  EXPECT_TRUE(report.at("context").contains("num_cpus"));
  EXPECT_FALSE(report.at("context").contains("host_name"));
  int between = 0;
  for (const auto& run : report.at("benchmarks"))
    between += run.at("run_type") == "iteration" &&
               run.at("name").get<std::string>().starts_with("between_tokens");
  EXPECT_EQ(between, 2);
}

TEST(MeasureGeneration, RefusesWhatDoesNotFit) {
  const auto refused = [](const std::vector<std::vector<std::vector<int32_t>>>& prompts,
                          const GenerationOptions& options) {
    return error_of([&] { measure_generation(decoder(), prompts, options); }).kind();
  };
  EXPECT_EQ(refused(drawn_prompts(256, 2, 1, 60, 1), {.tokens = 5, .repetitions = 2}),
            ErrorKind::kUsage);
  EXPECT_EQ(refused(drawn_prompts(256, 1, 1, 6, 1), {.tokens = 5, .repetitions = 2}),
            ErrorKind::kUsage);
  EXPECT_EQ(refused(drawn_prompts(256, 2, 1, 6, 1), {.tokens = 1, .repetitions = 2}),
            ErrorKind::kUsage);
  EXPECT_EQ(refused({{{1, 2}, {1}}}, {.tokens = 2, .repetitions = 1}), ErrorKind::kUsage);
  EXPECT_EQ(refused({{{}}}, {.tokens = 2, .repetitions = 1}), ErrorKind::kUsage);
}

TEST(DrawnPrompts, AreTheSameForASeedAndDifferFromEachOther) {
  const auto a = drawn_prompts(1000, 3, 2, 8, 4), b = drawn_prompts(1000, 3, 2, 8, 4);
  EXPECT_EQ(a, b);
  EXPECT_NE(a[0][0], a[0][1]);
  EXPECT_NE(a[0], a[1]);
  EXPECT_NE(a, drawn_prompts(1000, 3, 2, 8, 5));
}

}  // namespace
}  // namespace plumb::metrics
