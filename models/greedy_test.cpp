#include "models/greedy.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/synthetic/tiny_decoder.h"

namespace plumb::models {
namespace {

using plumb::testing::error_of;
using Ids = std::vector<int32_t>;

const Decoder& decoder() {
  static const Decoder one = fixtures::tiny_decoder({.max_positions = 64});
  return one;
}

Ids random_ids(size_t count, uint64_t seed) {
  Rng rng(seed, 1);
  Ids out(count);
  for (int32_t& id : out) id = static_cast<int32_t>(rng.below(256));
  return out;
}

/// Logits after `ids` without a cache: every block over the whole text.
std::vector<float> logits_after(const Ids& ids) {
  at::Tensor tokens = at::empty({1, static_cast<int64_t>(ids.size())}, at::kLong);
  std::copy(ids.begin(), ids.end(), tokens.mutable_data_ptr<int64_t>());
  at::Tensor x = decoder().embed(tokens);
  for (int64_t i = 0; i < decoder().block_count(); ++i) x = decoder().run_block(i, x);
  const at::Tensor row = decoder().logits(x.narrow(1, x.size(1) - 1, 1)).contiguous();
  return {row.const_data_ptr<float>(), row.const_data_ptr<float>() + row.numel()};
}

/// Each token is the most likely one after everything before it, wherever the lead is larger than rounding.
void expect_greedy(const Ids& prompt, const Ids& written) {
  Ids all = prompt;
  for (const int32_t token : written) {
    const std::vector<float> logits = logits_after(all);
    const float best = *std::max_element(logits.begin(), logits.end());
    EXPECT_GE(logits[static_cast<size_t>(token)], best - 1e-4f) << "after " << all.size();
    all.push_back(token);
  }
}

TEST(Greedy, WritesTheMostLikelyTokens) {
  const std::vector<Ids> prompts = {random_ids(9, 1), random_ids(1, 2)};
  const auto written = write_greedily(decoder(), prompts, {.max_tokens = 12});
  ASSERT_EQ(written.size(), 2u);
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(written[i].size(), 12u);
    expect_greedy(prompts[i], written[i]);
  }
}

TEST(Greedy, RunsWhatPromptsShareOnce) {
  const Ids header = random_ids(20, 3);
  std::vector<Ids> prompts;
  for (uint64_t i = 0; i < 4; ++i) {
    prompts.push_back(header);
    for (const int32_t id : random_ids(1 + i, 10 + i)) prompts.back().push_back(id);
  }
  prompts.push_back(header);  // the whole of it is shared but for its own last token
  const auto written = write_greedily(decoder(), prompts, {.max_tokens = 6});
  for (size_t i = 0; i < prompts.size(); ++i) expect_greedy(prompts[i], written[i]);
  EXPECT_EQ(write_greedily(decoder(), prompts, {.max_tokens = 6}), written);
}

TEST(Greedy, EndsAtTheEndTokenAndWhereItIsTold) {
  const std::vector<Ids> prompts = {random_ids(9, 1)};
  const Ids free = write_greedily(decoder(), prompts, {.max_tokens = 8}).front();
  const auto first_of = [&](int32_t token) { return std::find(free.begin(), free.end(), token); };
  const Ids before(free.begin(), first_of(free[5]));
  EXPECT_EQ(write_greedily(decoder(), prompts, {.max_tokens = 8, .end = free[5]}).front(), before);
  const auto three = [](std::span<const int32_t> written) { return written.size() == 3; };
  EXPECT_EQ(write_greedily(decoder(), prompts, {8, std::nullopt, three}).front(),
            Ids(free.begin(), free.begin() + 3));
}

TEST(Greedy, RefusesWhatDoesNotFit) {
  const auto refused = [](const std::vector<Ids>& prompts, int64_t max_tokens) {
    return error_of([&] { write_greedily(decoder(), prompts, {.max_tokens = max_tokens}); }).kind();
  };
  EXPECT_EQ(refused({random_ids(60, 1)}, 5), ErrorKind::kUsage);
  EXPECT_EQ(refused({{}}, 5), ErrorKind::kUsage);
  EXPECT_EQ(refused({random_ids(3, 1)}, 0), ErrorKind::kUsage);
  EXPECT_TRUE(write_greedily(decoder(), {}, {.max_tokens = 1}).empty());
}

TEST(Greedy, NamesThePromptOfALogitThatIsNotFinite) {
  const Decoder& sound = decoder();
  Head head = sound.head();
  head.norm = head.norm.clone();
  head.norm.mutable_data_ptr<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  std::vector<Block> blocks;
  for (int64_t i = 0; i < sound.block_count(); ++i) blocks.push_back(*sound.block(i));
  const Decoder broken(sound.config(), sound.dtype(), sound.embedding(), blocks, head);
  const std::vector<Ids> prompts = {random_ids(3, 1)};
  const Error error = error_of([&] { write_greedily(broken, prompts, {.max_tokens = 2}); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_NE(std::string(error.what()).find("prompt 0"), std::string::npos);
}

}  // namespace
}  // namespace plumb::models
