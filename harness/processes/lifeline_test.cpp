// Connections between processes of this test, each of which ends in its own way.

#include "harness/processes/lifeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "base/testing.h"

namespace plumb::harness {
namespace {

using ::testing::HasSubstr;

constexpr const char* kMachine = "this";

std::string name(int rank) { return text("rank ", rank); }

/// Three ranks: `first` and `other` are what they do once they watch.
class LifelineEnds : public ::testing::Test {
 protected:
  void run(const std::function<void(Lifeline&)>& first,
           const std::function<void(Lifeline&, int rank)>& other) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    ids_[0] = start(0, [&] {
      Lifeline line(3, name);
      Lifeline::Address address = line.address();
      std::strcpy(address.machine, kMachine);
      for (int rank = 1; rank < 3; ++rank)
        if (::write(pipe_ends[1], &address, sizeof address) != sizeof address) ::_exit(99);
      if (!line.accept_all().empty()) ::_exit(98);
      line.watch();
      first(line);
      line.end();
    });
    for (int rank = 1; rank < 3; ++rank)
      ids_[rank] = start(rank, [&, rank] {
        Lifeline::Address address;
        if (::read(pipe_ends[0], &address, sizeof address) != sizeof address) ::_exit(99);
        Lifeline line(rank, 3, name, address, kMachine);
        if (!line.is_connected()) ::_exit(98);
        line.watch();
        other(line, rank);
        line.end();
      });
    for (int rank = 0; rank < 3; ++rank) {
      int status = 0;
      ::waitpid(ids_[rank], &status, 0);
      codes_[rank] = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
  }

  pid_t start(int rank, const std::function<void()>& work) const {
    const pid_t id = ::fork();
    if (id != 0) return id;
    std::freopen((folder_ / ("said" + std::to_string(rank))).c_str(), "w", stderr);
    work();
    std::fflush(stderr);
    ::_exit(0);
  }
  std::string said(int rank) const { return read_file(folder_ / ("said" + std::to_string(rank))); }

  static void wait() { std::this_thread::sleep_for(std::chrono::seconds(20)); }
  /// Long enough for all to watch.
  static void work_a_little() { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }

  plumb::testing::TemporaryFolder folder_;
  pid_t ids_[3] = {};
  int codes_[3] = {};
};

TEST_F(LifelineEnds, InSilenceWhereAllGoesWell) {
  run([](Lifeline&) { work_a_little(); }, [](Lifeline&, int) { work_a_little(); });
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(codes_[rank], 0);
    EXPECT_EQ(said(rank), "");
  }
}

TEST_F(LifelineEnds, WithTheNameOfTheOneThatWasKilled) {
  run([](Lifeline&) { wait(); },
      [](Lifeline&, int rank) {
        work_a_little();
        if (rank == 2) ::kill(::getpid(), SIGKILL);
        wait();
      });
  EXPECT_EQ(codes_[0], 6);
  EXPECT_EQ(codes_[1], 6);
  EXPECT_EQ(codes_[2], 128 + SIGKILL);
  EXPECT_THAT(said(0), HasSubstr("plumb: rank 2 died: "));
  EXPECT_EQ(said(1), "") << "one says it";
}

TEST_F(LifelineEnds, WithTheNameOfTheFirstWhereThatWasKilled) {
  run(
      [](Lifeline&) {
        work_a_little();
        ::kill(::getpid(), SIGKILL);
      },
      [](Lifeline&, int) { wait(); });
  EXPECT_EQ(codes_[1], 6);
  EXPECT_EQ(codes_[2], 6);
  EXPECT_THAT(said(1), HasSubstr("plumb: rank 0 died: "));
  EXPECT_EQ(said(2), "");
}

TEST_F(LifelineEnds, WithTheErrorOfAnotherRankByItsName) {
  run([](Lifeline&) { wait(); },
      [](Lifeline& line, int rank) {
        work_a_little();
        if (rank == 1) line.fail(4, "the file is damaged");
        wait();
      });
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(codes_[rank], 4) << rank;
  EXPECT_EQ(said(0), "plumb: rank 1: the file is damaged\n");
  EXPECT_EQ(said(1), "");
}

TEST_F(LifelineEnds, WithAnErrorThatAllHaveSaidOnce) {
  run(
      [](Lifeline& line) {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        line.fail(2, "--n is missing");
      },
      [](Lifeline& line, int) { line.fail(2, "--n is missing"); });
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(codes_[rank], 2) << rank;
  EXPECT_EQ(said(0), "plumb: --n is missing\n");
  EXPECT_EQ(said(1) + said(2), "");
}

}  // namespace
}  // namespace plumb::harness
