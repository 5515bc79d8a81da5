// `plumb sweep` killed at random moments, before single calls that change the disk, and with a disk
// that fails.

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <iostream>
#include <thread>

#include "base/rng.h"
#include "harness/cli/resume_testing.h"

namespace plumb::harness::testing {
namespace {

class ResumeKilled : public ResumeCase {
 protected:
  /// Once so many steps stand (0: at once, before there is a journal even), and some milliseconds
  /// later.
  void kill_after(size_t steps, int milliseconds) {
    const auto child = start(words("out"));
    while (steps > 0 && !child->has_ended() && kept_steps("out") < steps)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    if (!child->has_ended()) child->kill(), ++killed_;
    child->wait();
    most_kept_ = std::max(most_kept_, kept_steps("out"));
  }

  void run_campaign(uint64_t count, uint64_t seed) {
    Rng rng(seed);
    for (uint64_t i = 0; i < count && !HasFailure(); ++i) {
      const size_t steps = i % 5 == 0 ? 0 : 1 + rng.below(14);
      const int milliseconds = static_cast<int>(rng.below(steps == 0 ? 300 : 12));
      SCOPED_TRACE(text("killed after ", steps, " steps and ", milliseconds, " ms"));
      fs::remove_all(path("out"));
      kill_after(steps, milliseconds);
      expect_resumed("out");
    }
    std::cout << killed_ << " of " << count << " killed, at most after " << most_kept_
              << " steps; every one went on to the same bytes\n";
    EXPECT_GE(killed_ * 10, count * 6);
    EXPECT_GT(most_kept_, 0u);
  }

  /// The exit code of a sweep whose nth such call fails so (0: is not reached, the process is
  /// killed).
  int run(const std::string& call, int nth, int error) {
    fs::remove_all(path("out"));
    return start(words("out"), failing_disk("out", call, nth, error))->wait();
  }

  /// Kills before the first call, the one `step` later, and so on until a sweep gets through; gives
  /// their count.
  int kill_before_each(int step) {
    for (int nth = 1, count = 0;; nth += step, ++count) {
      SCOPED_TRACE(text("killed before call ", nth));
      const int code = run("any", nth, 0);
      if (code == 0) return count;
      EXPECT_EQ(code, 128 + SIGKILL) << said();
      fs::create_directories(path("out"));
      expect_resumed("out");
      if (HasFailure() || nth > 5000) return count;
    }
  }

  uint64_t killed_ = 0;
  size_t most_kept_ = 0;
};

TEST_F(ResumeKilled, GoesOnAndEndsWithTheSameBytes) { run_campaign(5, 1); }

TEST_F(ResumeKilled, ManyTimesInARowStillGetsThere) {
  for (const size_t steps : {2, 5, 9}) {
    kill_after(steps, 0);
    if (HasFailure()) return;
  }
  expect_resumed("out");
}

TEST_F(ResumeKilled, BeforeACallThatChangesTheDiskLosesNothing) {
  const int count = kill_before_each(60);
  std::cout << count << " kills before a call\n";
  EXPECT_GE(count, 2);
}

TEST_F(ResumeKilled, OrAFailureOfTheDiskIsAnErrorAndLosesNothing) {
  const std::vector<std::pair<const char*, int>> failures{
      {"pwrite", ENOSPC}, {"fsync", EIO}, {"mkdir", EROFS}};
  for (const auto& [call, error] : failures) {
    SCOPED_TRACE(text(call, " fails with ", error));
    EXPECT_EQ(run(call, call == std::string("mkdir") ? 2 : 6, error), 6) << said();
    std::cout << call << ": " << said();
    expect_resumed("out");
  }
}

using ResumeKilledLong = ResumeKilled;

TEST_F(ResumeKilledLong, GoesOnAndEndsWithTheSameBytes) { run_campaign(100, 2); }

TEST_F(ResumeKilledLong, BeforeEveryCallThatChangesTheDiskLosesNothing) {
  std::cout << kill_before_each(1) << " kills, one before every call\n";
}

// partial.json is for people alone, so that what fails of it is no error.
TEST_F(ResumeKilledLong, FailureOfEveryCallIsAnErrorOrHarmlessAndLosesNothing) {
  int errors = 0, harmless = 0;
  for (const char* call : {"open", "mkdir", "write", "pwrite", "fsync", "fsync-folder", "rename"})
    for (int nth = 1, in_a_row = 0; in_a_row < 40 && nth < 400; ++nth) {
      SCOPED_TRACE(text(call, " ", nth));
      const int code = run(call, nth, ENOSPC);
      EXPECT_TRUE(code == 0 || code == 6) << code << said();
      ++(code == 6 ? errors : harmless);
      in_a_row = code == 0 ? in_a_row + 1 : 0;
      fs::create_directories(path("out"));
      expect_resumed("out");
      ASSERT_FALSE(HasFailure());
    }
  std::cout << errors << " failures ended with 6, " << harmless << " changed nothing\n";
}

}  // namespace
}  // namespace plumb::harness::testing
