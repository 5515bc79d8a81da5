#include "base/process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace plumb {
namespace {

/// Waits for a signal.
pid_t sleeping_child() {
  const pid_t child = ::fork();
  if (child == 0)
    for (;;) ::pause();
  return child;
}

TEST(Process, IsAtWorkWhileItRuns) {
  EXPECT_TRUE(is_at_work(::getpid()));
  EXPECT_TRUE(is_at_work(1)) << "another user's as well";
  const pid_t child = sleeping_child();
  ASSERT_GT(child, 0);
  EXPECT_TRUE(is_at_work(child));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(is_at_work(child));
}

// kill(2) finds it until its parent has asked.
TEST(Process, IsNotAtWorkWhenItHasEndedAndNobodyAsked) {
  const pid_t child = sleeping_child();
  ASSERT_GT(child, 0);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  siginfo_t how = {};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &how, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(::kill(child, 0), 0);
  EXPECT_FALSE(is_at_work(child));
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST(Process, IsNotAtWorkWhereThereCanBeNone) {
  for (const pid_t none : {0, -1, 999'999'998}) EXPECT_FALSE(is_at_work(none)) << none;
}

}  // namespace
}  // namespace plumb
