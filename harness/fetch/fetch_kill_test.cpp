// `plumb fetch` killed at random moments, and twice at once.

#include <gtest/gtest.h>

#include <iostream>
#include <thread>

#include "base/rng.h"
#include "fixtures/hub/hub_faults.h"
#include "harness/fetch/fetch_child_testing.h"

namespace plumb::harness {
namespace {

/// Sent at a pace at which there is time to be killed.
class FetchKilled : public testing::ShardedModel {
 protected:
  FetchKilled() { hub().on({.part = "/lfs/"}, fixtures::pace(2'000'000)); }

  /// Until that many bytes of shards were sent in all, or the program ended.
  void wait_for_bytes(testing::Child& child, uint64_t bytes) {
    while (!child.has_ended() && hub().cdn_bytes() < bytes)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  /// Kills the program once so many bytes of shards were sent, then lets it run to its end.
  void kill_and_resume(uint64_t at_bytes, int after_ms) {
    SCOPED_TRACE(text("killed after ", at_bytes, " bytes and ", after_ms, " ms"));
    std::filesystem::remove_all(cache());
    {
      const auto child = start();
      wait_for_bytes(*child, hub().cdn_bytes() + at_bytes);
      std::this_thread::sleep_for(std::chrono::milliseconds(after_ms));
      if (!child->has_ended()) child->kill(), ++killed_;
      child->wait();
    }
    hub().wait_until_idle();
    expect_sound_cache();
    const uint64_t kept = kept_bytes(), sent = hub().cdn_bytes();
    kept_in_all_ += kept;
    EXPECT_EQ(start()->wait(), 0) << output();
    // To the byte: what was kept is not fetched again.
    EXPECT_EQ(hub().cdn_bytes() - sent, shard_bytes() - kept);
    expect_right_files();
  }

  void run_campaign(uint64_t count, uint64_t seed) {
    Rng rng(seed);
    for (uint64_t i = 0; i < count; ++i)
      kill_and_resume(rng.below(shard_bytes()), static_cast<int>(rng.below(i % 5 == 0 ? 150 : 15)));
    std::cout << killed_ << " of " << count << " were killed while they ran, with "
              << kept_in_all_ / count << " of " << shard_bytes()
              << " bytes kept on average; every second run fetched the rest and no more\n";
    EXPECT_GT(kept_in_all_, 0U);
    EXPECT_GE(killed_ * 10, count * 8);
  }

 private:
  uint64_t killed_ = 0;
  uint64_t kept_in_all_ = 0;
};

TEST_F(FetchKilled, GoesOnWhereItWasAndEndsWithTheRightFiles) { run_campaign(5, 1); }

TEST_F(FetchKilled, ManyTimesInARowStillGetsThere) {
  for (uint64_t kill = 1; kill <= 3; ++kill) {
    const auto child = start();
    wait_for_bytes(*child, shard_bytes() / 4 * kill);
    child->kill();
    child->wait();
    expect_sound_cache();
  }
  EXPECT_EQ(start()->wait(), 0) << output();
  expect_right_files();
}

TEST_F(FetchKilled, LeavesTheWorkToAnotherThatWaitedForIt) {
  const auto first = start("first");
  wait_for_bytes(*first, shard_bytes() / 3);
  const auto second = start("second");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  first->kill();
  EXPECT_EQ(second->wait(), 0) << output("second");
  expect_right_files();
}

// Two processes that want the same at the same time fetch it once.
TEST_F(FetchKilled, TwoAtOnceFetchEachByteOnce) {
  const auto first = start("first"), second = start("second");
  EXPECT_EQ(first->wait(), 0) << output("first");
  EXPECT_EQ(second->wait(), 0) << output("second");
  EXPECT_EQ(hub().cdn_bytes(), shard_bytes());
  expect_right_files();
}

// On some file systems of clusters flock says yes to everybody; then each has a part of its own.
TEST_F(FetchKilled, TwoAtOnceWhereLocksDoNotHoldEndRightToo) {
  const auto locks = testing::preload("no_flock");
  const auto first = start("first", locks), second = start("second", locks);
  EXPECT_EQ(first->wait(), 0) << output("first");
  EXPECT_EQ(second->wait(), 0) << output("second");
  EXPECT_GT(hub().cdn_bytes(), shard_bytes());
  expect_right_files();
}

using FetchKilledLong = FetchKilled;

TEST_F(FetchKilledLong, GoesOnWhereItWasAndEndsWithTheRightFiles) { run_campaign(50, 2); }

}  // namespace
}  // namespace plumb::harness
