#include "harness/pipeline/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/formats/safetensors_file.h"
#include "pruning/plan.h"

namespace plumb::harness {
namespace {

using ::testing::HasSubstr;

/// Llama-2-7B's shape, 24 documents of 256 tokens.
MemoryNeeds needs() {
  MemoryNeeds n;
  n.config.architecture = "llama";
  n.config.block_count = 32;
  n.config.width = 4096;
  n.config.head_count = n.config.kv_head_count = 32;
  n.config.head_width = 128;
  n.config.feed_forward_width = 11008;
  n.config.vocabulary_size = 32000;
  n.config.rotary_width = 128;
  n.dtype = models::Dtype::kBf16;
  n.documents_per_step = 8;
  n.threads = 2;
  n.baseline_bytes = 200'000'000;
  n.profile = {64, 256};
  n.sweep = {24, 256};
  return n;
}

TEST(MemoryPlan, HoldsEverythingWhereItFits) {
  const MemoryPlan plan = plan_memory(needs(), uint64_t{20} << 30);
  EXPECT_FALSE(plan.streamed);
  // The public card's 6,738,415,616 parameters, two bytes each, but for the norms of blocks (four) and the last one,
  // which is not worth counting.
  constexpr uint64_t kParameters = 6'738'415'616, kNorm = 4096;
  EXPECT_EQ(plan.weight_bytes, 2 * (kParameters - 65 * kNorm) + 4 * 64 * kNorm);
  EXPECT_EQ(plan.held_bytes, plan.weight_bytes);
  EXPECT_EQ(plan.peak_bytes, resident_need(needs()));
  EXPECT_EQ(plan.spilled_bytes, 0u);
}

TEST(MemoryPlan, StreamsOneByteBelowThat) {
  const uint64_t need = resident_need(needs());
  EXPECT_FALSE(plan_memory(needs(), need).streamed);
  const MemoryPlan plan = plan_memory(needs(), need - 1);
  EXPECT_TRUE(plan.streamed);
  EXPECT_TRUE(plan.pin_last) << "there is room for it";
  EXPECT_EQ(plan.held_bytes, plan.head_bytes + 3 * plan.block_bytes);
}

TEST(MemoryPlan, NamesTheLeastLimitAndThatOneDoes) {
  const MemoryPlan any = plan_memory(needs(), uint64_t{4} << 30);
  const uint64_t least = any.least_limit_bytes;
  const MemoryPlan plan = plan_memory(needs(), least);
  EXPECT_EQ(plan.peak_bytes, least);
  EXPECT_EQ(plan.room_bytes, 0u) << "everything that waits is in the file";
  EXPECT_FALSE(plan.pin_last);
  const Error error = testing::error_of([&] { plan_memory(needs(), least - 1); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_THAT(error.what(), HasSubstr(text(least, " bytes")));
  EXPECT_THAT(error.what(), HasSubstr("raise --memory-limit"));
}

TEST(MemoryPlan, NeverExceedsItsLimitAndLosesNoActivation) {
  Rng rng(4);
  int streamed = 0, pinned = 0, spilled = 0;
  for (int i = 0; i < 2000; ++i) {
    MemoryNeeds n = needs();
    n.config.block_count = 1 + static_cast<int64_t>(rng.below(90));
    n.config.width = 64 * (1 + static_cast<int64_t>(rng.below(128)));
    n.config.tied_embeddings = rng.below(2) == 0;
    n.dtype = rng.below(2) == 0 ? models::Dtype::kFp32 : models::Dtype::kBf16;
    n.sweep.documents = static_cast<int64_t>(rng.below(100));
    n.profile.documents = static_cast<int64_t>(rng.below(100));
    const uint64_t limit = uint64_t{1} << (27 + rng.below(10));
    try {
      const MemoryPlan plan = plan_memory(n, limit);
      EXPECT_LE(plan.peak_bytes, limit);
      EXPECT_LE(plan.least_limit_bytes, plan.peak_bytes);
      EXPECT_EQ(plan.room_bytes + plan.spilled_bytes, plan.waiting_bytes);
      EXPECT_GE(plan.peak_bytes, plan.baseline_bytes + plan.held_bytes + plan.room_bytes);
      streamed += plan.streamed;
      pinned += plan.pin_last;
      spilled += plan.spilled_bytes > 0;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kResource);
    }
  }
  for (const int seen : {streamed, pinned, spilled}) EXPECT_GT(seen, 50);
}

TEST(MemoryPlan, CountsPacksOfQuestionsWhereTheyAreTheLargerPass) {
  MemoryNeeds n = needs();
  n.profile.documents = n.sweep.documents = 0;
  const auto need_of = [&](int64_t packs, int64_t rows) {
    n.questions = {packs, rows};
    return resident_need(n);
  };
  const uint64_t none = need_of(0, 0), few = need_of(1, 4096), many = need_of(1, 8192);
  // Every plan of the trie may hold its activations, two bytes a value.
  const uint64_t activations = uint64_t{4096} * 4096 * 2 * 32;
  EXPECT_GT(few, none + activations);
  EXPECT_GT(many, few + activations);
  EXPECT_EQ(need_of(7, 4096), few) << "packs are walked one after the other";
  n.questions = {7, 4096};
  const MemoryPlan streamed = plan_memory(n, plan_memory(n, few).least_limit_bytes);
  EXPECT_TRUE(streamed.streamed);
  EXPECT_EQ(streamed.waiting_bytes, 7 * activations) << "together where blocks come and go";
  n.sweep.documents = 24;
  EXPECT_GE(resident_need(n), few);
}

TEST(MemoryPlan, PacksGrowWithTheWidthsRoomAndShrinkWithTheLimit) {
  const models::ModelConfig config = needs().config;
  const auto rows = [&](uint64_t limit) {
    return rows_of_a_pack(config, models::Dtype::kBf16, limit);
  };
  EXPECT_EQ(rows(0), (int64_t{1} << 26) / (4096 * 2));
  EXPECT_EQ(rows(uint64_t{64} << 30), rows(0));
  EXPECT_LT(rows(uint64_t{1} << 30), rows(0));
  EXPECT_LT(rows(uint64_t{512} << 20), rows(uint64_t{1} << 30));
  EXPECT_EQ(rows(1), 512);
  MemoryNeeds n = needs();
  n.profile.documents = n.sweep.documents = 0;
  n.questions = {1, rows(uint64_t{1} << 30)};
  MemoryNeeds without = n;
  without.questions = {};
  const uint64_t working = plan_memory(n, uint64_t{64} << 30).working_bytes -
                           plan_memory(without, uint64_t{64} << 30).working_bytes;
  // A thread's own: eight panels of what a block makes of 32 tokens, scores of four heads, a band of weights.
  const auto floats = static_cast<uint64_t>(
      8 * 32 *
          (2 * config.width + std::max(config.width, config.head_count * config.head_width) +
           config.feed_forward_width) +
      4 * 32 * (rows(uint64_t{1} << 30) + 32));
  const uint64_t own = static_cast<uint64_t>(n.threads) * (4 * floats + (uint64_t{4} << 20));
  EXPECT_LE(working, (uint64_t{1} << 30) / 8 + own);
}

TEST(MemoryPlan, CountsTheActivationsOfABranchFromItsBlockToItsLastChild) {
  const auto trie_of = [](const std::vector<std::vector<int64_t>>& removed) {
    std::vector<pruning::PruningPlan> plans;
    for (const auto& blocks : removed) plans.push_back({6, blocks, "explicit", ""});
    return pruning::make_trie(plans);
  };
  EXPECT_EQ(peak_waiting(trie_of({{}}), 6, false), 1);
  // 0 1 2 3 4 5 and 0 1 5: the output of 1 waits for 5, where it isn't held.
  EXPECT_EQ(peak_waiting(trie_of({{}, {2, 3, 4}}), 6, false), 2);
  EXPECT_EQ(peak_waiting(trie_of({{}, {2, 3, 4}}), 6, true), 1);
  // Three branches in block 4.
  EXPECT_EQ(peak_waiting(trie_of({{}, {2}, {2, 3}}), 6, true), 3);
}

TEST(ParseBytes, TakesUnitsOfBothKinds) {
  EXPECT_EQ(parse_bytes("1GiB"), uint64_t{1} << 30);
  EXPECT_EQ(parse_bytes("800MB"), 800'000'000u);
  EXPECT_EQ(parse_bytes("1.5 GB"), 1'500'000'000u);
  EXPECT_EQ(parse_bytes("1073741824"), uint64_t{1} << 30);
  EXPECT_EQ(parse_bytes("2TiB"), uint64_t{2} << 40);
}

TEST(ParseBytes, RefusesEverythingElse) {
  for (const char* words : {"", "GiB", "-1GiB", "1 GiBs", "1gib", "nan", "inf", "1e30", "0", "999",
                            "1GiB ", "0x10000000", "99999999TiB", "1  GiB"}) {
    const Error error = testing::error_of([&] { parse_bytes(words); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage) << words;
    EXPECT_THAT(error.what(), HasSubstr("1GiB")) << words;
  }
}

/// A system's files below a folder.
class AvailableMemory : public ::testing::Test {
 protected:
  AvailableMemory() {
    put("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n");
    put("proc/self/status", "Name: plumb\nVmRSS:\t 100 kB\n");
    put("proc/self/cgroup", "");
  }
  void put(const std::string& file, const std::string& content) const {
    fixtures::put(folder_ / file, content);
  }
  uint64_t kilobytes() const { return available_memory_bytes(folder_.path().string()) / 1024; }
  static std::string of(uint64_t kilobytes) { return std::to_string(kilobytes * 1024) + "\n"; }

  plumb::testing::TemporaryFolder folder_;
};

TEST_F(AvailableMemory, IsWhatTheSystemHasAndThisProcess) { EXPECT_EQ(kilobytes(), 8100u); }

TEST_F(AvailableMemory, StaysBelowTheLimitsOfEveryCgroupOfVersionTwo) {
  put("proc/self/cgroup", "0::/a/b\n");
  put("sys/fs/cgroup/a/memory.max", of(5000));
  put("sys/fs/cgroup/a/memory.current", of(3000));
  put("sys/fs/cgroup/a/memory.stat", "anon 1\nactive_file 1024000\ninactive_file 512000\n");
  put("sys/fs/cgroup/a/b/memory.max", "max\n");
  put("sys/fs/cgroup/a/b/memory.current", of(2000));
  EXPECT_EQ(kilobytes(), 5000u - (3000 - 1500) + 100) << "file pages can be taken back";
  put("sys/fs/cgroup/a/b/memory.max", of(2500));
  EXPECT_EQ(kilobytes(), 600u);
}

TEST_F(AvailableMemory, StaysBelowTheLimitsOfVersionOneInAContainerToo) {
  put("proc/self/cgroup", "9:cpu:/x\n4:memory:/docker/0123\n0::/\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", of(4000));
  put("sys/fs/cgroup/memory/memory.usage_in_bytes", of(1000));
  put("sys/fs/cgroup/memory/memory.stat",
      "inactive_file 1\ntotal_inactive_file 102400\ntotal_active_file 102400\n");
  EXPECT_EQ(kilobytes(), 4000u - 800 + 100);
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");  // none
  EXPECT_EQ(kilobytes(), 8100u);
}

TEST_F(AvailableMemory, IsNothingMoreThanThisProcessWhereAGroupIsFull) {
  put("proc/self/cgroup", "0::/\n");
  put("sys/fs/cgroup/memory.max", of(500));
  put("sys/fs/cgroup/memory.current", of(600));
  EXPECT_EQ(kilobytes(), 100u);
}

}  // namespace
}  // namespace plumb::harness
