#include "pruning/sweep/written_sweep.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/greedy.h"
#include "pruning/strategy.h"

namespace plumb::pruning {
namespace {

using metrics::Request;
using plumb::testing::error_of;

const models::Decoder& decoder() {
  static const models::Decoder one = fixtures::tiny_decoder({.max_positions = 64});
  return one;
}

/// Questions with a header in common.
std::vector<Request> questions(size_t count) {
  std::vector<Request> out;
  Rng rng(3, 1);
  std::vector<int32_t> header(12);
  for (int32_t& id : header) id = static_cast<int32_t>(rng.below(256));
  for (size_t i = 0; i < count; ++i) {
    Request request;
    request.reading = metrics::Reading::kGeneration;
    request.sequences.push_back({header, 0});
    for (size_t t = 0; t <= i % 3; ++t)
      request.sequences.front().ids.push_back(static_cast<int32_t>(rng.below(256)));
    out.push_back(std::move(request));
  }
  return out;
}

PruningPlan simple(int64_t n) {
  StrategyInputs inputs;
  inputs.block_count = decoder().block_count();
  return make_plan("simple", n, inputs);
}

const WrittenSweepOptions kOptions = {.max_tokens = 5, .requests_per_step = 3};

TEST(WrittenSweep, IsEachPlanAlone) {
  const auto asked = questions(7);
  const std::vector<PruningPlan> plans = {simple(0), simple(2), simple(0), simple(4)};
  const WrittenTexts all = sweep_written(decoder(), asked, plans, kOptions);
  EXPECT_EQ(all.plans_distinct, 3);
  ASSERT_EQ(all.tokens.size(), 4u);
  EXPECT_EQ(all.tokens[0], all.tokens[2]);
  EXPECT_NE(all.tokens[0], all.tokens[1]);
  for (size_t p = 0; p < plans.size(); ++p) {
    const models::Decoder pruned = decoder().with_blocks(plans[p].kept());
    for (size_t first = 0; first < asked.size(); first += 3) {
      std::vector<std::vector<int32_t>> prompts;
      for (size_t i = first; i < std::min<size_t>(first + 3, asked.size()); ++i)
        prompts.push_back(asked[i].sequences.front().ids);
      const auto alone = models::write_greedily(pruned, prompts, {.max_tokens = 5});
      for (size_t i = 0; i < alone.size(); ++i) EXPECT_EQ(all.tokens[p][first + i], alone[i]);
    }
  }
}

// Answers that end at once are empty and not lost.
TEST(WrittenSweep, KeepsWhereAnswersEnd) {
  const auto asked = questions(4);
  const std::vector<PruningPlan> plans = {simple(0)};
  const auto free = sweep_written(decoder(), asked, plans, kOptions).tokens[0];
  WrittenSweepOptions ended = kOptions;
  ended.end = free[1][0];
  EXPECT_TRUE(sweep_written(decoder(), asked, plans, ended).tokens[0][1].empty());
  WrittenSweepOptions stopped = kOptions;
  stopped.stop = [](std::span<const int32_t> written) { return written.size() == 2; };
  const auto halves = sweep_written(decoder(), asked, plans, stopped).tokens[0];
  for (const auto& answer : halves) EXPECT_EQ(answer.size(), 2u);
}

TEST(WrittenSweep, GoesOnFromTheStepsThatAreKnown) {
  const auto asked = questions(7);
  const std::vector<PruningPlan> plans = {simple(0), simple(3)};
  std::map<size_t, std::vector<double>> saved;
  WrittenSweepOptions options = kOptions;
  options.log.finished = [&](size_t step, std::span<const double> numbers) {
    saved[step].assign(numbers.begin(), numbers.end());
  };
  const auto whole = sweep_written(decoder(), asked, plans, options).tokens;
  ASSERT_EQ(saved.size(), 3u);
  for (size_t lost = 0; lost < 3; ++lost) {
    std::vector<size_t> again;
    options.log.known = [&](size_t step) {
      return step == lost ? std::nullopt : std::optional(saved.at(step));
    };
    options.log.finished = [&](size_t step, std::span<const double>) { again.push_back(step); };
    EXPECT_EQ(sweep_written(decoder(), asked, plans, options).tokens, whole);
    EXPECT_EQ(again, std::vector<size_t>{lost});
  }
}

TEST(WrittenSweep, RefusesWhatItCannotAsk) {
  const auto asked = questions(2);
  const std::vector<PruningPlan> plans = {simple(0)};
  const auto kind = [](auto&&... arguments) {
    return error_of([&] { sweep_written(decoder(), arguments...); }).kind();
  };
  EXPECT_EQ(kind(asked, std::span<const PruningPlan>(), kOptions), ErrorKind::kUsage);
  EXPECT_EQ(kind(std::span<const Request>(), plans, kOptions), ErrorKind::kUsage);
  EXPECT_EQ(kind(asked, plans, WrittenSweepOptions{}), ErrorKind::kUsage);
  auto choices = asked;
  choices[1].reading = metrics::Reading::kLetters;
  EXPECT_EQ(kind(choices, plans, kOptions), ErrorKind::kUsage);
  auto other = plans;
  other[0].block_count = 9;
  EXPECT_EQ(kind(asked, other, kOptions), ErrorKind::kUsage);
}

}  // namespace
}  // namespace plumb::pruning
