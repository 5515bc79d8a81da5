// `plumb fetch` killed before, or failing at, each single call that changes the disk.

#include <gtest/gtest.h>

#include <cerrno>
#include <iostream>

#include "harness/fetch/fetch_child_testing.h"

namespace plumb::harness {
namespace {

class FetchCrash : public testing::ShardedModel {
 protected:
  /// The exit code of a fetch whose nth such call fails so (0: is not reached, the process is killed).
  int run(const std::string& call, int nth, int error) {
    std::filesystem::remove_all(cache());
    std::vector<std::string> variables = testing::preload("failing_disk");
    variables.insert(variables.end(),
                     {"PLUMB_TEST_DISK=" + cache().string(), "PLUMB_TEST_DISK_CALL=" + call,
                      text("PLUMB_TEST_DISK_NTH=", nth), text("PLUMB_TEST_DISK_ERROR=", error)});
    return start("output", variables)->wait();
  }
  void expect_recovery() {
    expect_sound_cache();
    EXPECT_EQ(start()->wait(), 0) << output();
    expect_right_files();
  }
  /// Kills before the first call, the one `step` later, and so on until a fetch gets through; gives their count.
  int kill_before_each(int step) {
    for (int nth = 1;; nth += step) {
      SCOPED_TRACE(text("killed before call ", nth));
      const int code = run("any", nth, 0);
      if (code == 0) return (nth - 1 + step - 1) / step;
      EXPECT_EQ(code, 128 + SIGKILL) << output();
      expect_recovery();
      if (HasFailure() || nth > 1000) return nth;
    }
  }
  void expect_errors(const std::vector<std::pair<const char*, int>>& failures) {
    for (const auto& [call, error] : failures) {
      SCOPED_TRACE(text(call, " fails with ", error));
      EXPECT_EQ(run(call, 2, error), 6) << output();
      std::cout << call << ": " << output();
      expect_recovery();
    }
  }
};

TEST_F(FetchCrash, BeforeACallThatChangesTheDiskLeavesNothingWrong) {
  const int count = kill_before_each(30);
  std::cout << count << " kills before a call\n";
  EXPECT_GE(count, 3);
}

TEST_F(FetchCrash, OrFailureOfTheDiskIsAnErrorAndLeavesNothingWrong) {
  expect_errors({{"mkdir", EROFS},
                 {"pwrite", ENOSPC},
                 {"fsync", EIO},
                 {"rename", EXDEV},
                 {"symlink", ENOSPC}});
}

// exFAT and some network shares have none.
TEST_F(FetchCrash, DiskWithoutLinksGetsCopies) {
  EXPECT_EQ(run("symlink", 1, EPERM), 0) << output();
  expect_right_files();
}

using FetchCrashLong = FetchCrash;

TEST_F(FetchCrashLong, BeforeEveryCallThatChangesTheDiskLeavesNothingWrong) {
  std::cout << kill_before_each(1) << " kills, one before every call\n";
}

TEST_F(FetchCrashLong, FailuresOfOtherKindsAreErrorsAndLeaveNothingWrong) {
  expect_errors({{"open", ENOSPC},
                 {"open", EMFILE},
                 {"pwrite", EDQUOT},
                 {"pwrite", EIO},
                 {"fsync", ENOSPC},
                 {"rename", ENOSPC},
                 {"rename", EACCES}});
}

TEST_F(FetchCrashLong, FailureOfEveryCallIsAnErrorAndLeavesNothingWrong) {
  int count = 0;
  for (const char* call : {"open", "mkdir", "pwrite", "fsync", "rename", "symlink"})
    for (int nth = 1;; ++nth, ++count) {
      SCOPED_TRACE(text(call, " ", nth));
      const int code = run(call, nth, ENOSPC);
      if (code == 0) break;
      EXPECT_EQ(code, 6) << output();
      expect_recovery();
      ASSERT_FALSE(HasFailure());
    }
  std::cout << count << " calls failed, one in each run\n";
}

}  // namespace
}  // namespace plumb::harness
