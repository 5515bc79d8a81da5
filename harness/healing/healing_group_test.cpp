#include "harness/healing/healing_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/testing.h"

namespace plumb::harness {
namespace {

HealingOptions step_of(int64_t batch, int64_t accumulation) {
  HealingOptions out;
  out.batch = batch;
  out.accumulation = accumulation;
  return out;
}

TEST(ShareBatches, LeavesWholeProductsAsTheyAre) {
  HealingOptions options = step_of(3, 4);
  for (const int64_t ranks : {1, 2, 4}) EXPECT_FALSE(share_batches(ranks, options));
  EXPECT_EQ(options.batch, 3);
  EXPECT_EQ(options.accumulation, 4);
}

// Over all small steps: the sequences stay, every rank has as many products, and none could be larger.
TEST(ShareBatches, MakesTheLargestProductsThatAllCanHaveAsManyOf) {
  for (int64_t batch = 1; batch <= 8; ++batch)
    for (int64_t accumulation = 1; accumulation <= 6; ++accumulation)
      for (int64_t ranks = 1; ranks <= 6; ++ranks) {
        const int64_t sequences = batch * accumulation;
        HealingOptions options = step_of(batch, accumulation);
        if (sequences % ranks != 0) {
          const Error error = plumb::testing::error_of([&] { share_batches(ranks, options); });
          EXPECT_EQ(error.kind(), ErrorKind::kUsage);
          EXPECT_THAT(error.what(), ::testing::HasSubstr(text("a step of ", sequences)));
          EXPECT_THAT(error.what(), ::testing::HasSubstr("needed is a multiple"));
          continue;
        }
        share_batches(ranks, options);
        EXPECT_EQ(options.batch * options.accumulation, sequences);
        EXPECT_EQ(options.accumulation % ranks, 0);
        for (int64_t larger = options.batch + 1; larger <= batch; ++larger)
          EXPECT_FALSE(sequences % larger == 0 && sequences / larger % ranks == 0)
              << batch << " x " << accumulation << " for " << ranks << ": " << larger;
      }
}

}  // namespace
}  // namespace plumb::harness
