// `plumb sweep`, `eval` and `heal` in several processes: the same bytes as in one, and what happens when one of them ends.

#include <gmock/gmock.h>

#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/csv.h"
#include "base/file.h"
#include "harness/cli/several_testing.h"

namespace plumb::harness::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

class SeveralSweep : public SeveralCase {
 protected:
  /// Many steps, each a document.
  Words long_words(const std::string& folder) const {
    return words(
        folder,
        {{"--documents", path("long.jsonl")}, {"--limit", "120"}, {"--documents-per-step", "1"}});
  }
};
class SeveralHeal : public SeveralCase {};
class SeveralRefused : public SeveralCase {};

TEST_F(SeveralSweep, GivesTheBytesOfOneProcess) {
  for (const int count : {2, 4}) {
    SCOPED_TRACE(text(count, " processes"));
    fs::remove_all(path("out"));
    expect_end(count, words("out"), 0);
    EXPECT_EQ(differences(files("out"), whole_), "");
    const Json run = Json::parse(read_file(path("out/sweep.json"))).at("run");
    EXPECT_EQ(run.at("processes"), count);
  }
}

TEST_F(SeveralSweep, GoesOnFromAnotherNumberOfProcesses) {
  stop_before_step("out", 9);  // of one
  expect_end(2, words("out"), 0);
  EXPECT_EQ(differences(files("out"), whole_), "");
  EXPECT_THAT(said(), HasSubstr("8 finished steps of the run before"));
}

// It is named, nothing is half written, and what it and the others finished stands.
TEST_F(SeveralSweep, EndsWithTheNameOfARankThatDiesAndGoesOn) {
  const auto alone = start(long_words("alone"));
  ASSERT_EQ(alone->wait(), 0) << said();
  for (const int rank : {1, 0}) {
    SCOPED_TRACE(text("rank ", rank));
    fs::remove_all(path("out"));
    const auto child = start_several(2, long_words("out"));
    ASSERT_TRUE(kill_rank(*child, rank, path("out/partial.json"))) << said();
    EXPECT_THAT(child->wait(), AnyOf(6, 128 + SIGKILL)) << said();
    EXPECT_THAT(said(), HasSubstr(text("plumb: rank ", rank, " of 2 (")));
    EXPECT_THAT(said(), HasSubstr("died: it was killed"));
    EXPECT_FALSE(fs::exists(path("out/sweep.json")));
    EXPECT_FALSE(fs::exists(path("out/loss.csv")));
    EXPECT_GE(kept_steps("out"), 1u);
    expect_end(2, long_words("out"), 0);
    EXPECT_THAT(said(), HasSubstr("finished steps of the run before"));
    EXPECT_EQ(differences(files("out"), files("alone")), "");
  }
}

TEST_F(SeveralSweep, StopsForASignalAndGoesOn) {
  const auto child = start_several(2, long_words("out"));
  while (!child->has_ended() && !fs::exists(path("out/partial.json")))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_FALSE(child->has_ended()) << said();
  child->send(SIGINT);
  EXPECT_NE(child->wait(), 0);
  // mpirun hands the signal on when it comes to it: all was done by then, or nothing stands.
  EXPECT_EQ(fs::exists(path("out/sweep.json")), fs::exists(path("out/loss.csv")));
  const auto rest = start(long_words("out"));
  ASSERT_EQ(rest->wait(), 0) << said();
  const auto alone = start(long_words("alone"));
  ASSERT_EQ(alone->wait(), 0) << said();
  EXPECT_EQ(differences(files("out"), files("alone")), "");
}

TEST_F(SeveralSweep, AnErrorOfAllIsSaidOnce) {
  expect_end(3, words("out", {{"--n", "0-99"}}), 2);
  const std::string once = said();
  size_t times = 0;
  for (size_t at = once.find("plumb: "); at != std::string::npos; at = once.find("plumb: ", at + 1))
    ++times;
  EXPECT_EQ(times, 1u) << once;
  EXPECT_FALSE(fs::exists(path("out")));
}

// The unit of all sums is a product, whoever computes it.
TEST_F(SeveralHeal, GivesTheBytesOfOneProcess) {
  const auto alone = start(heal_words("alone"));
  ASSERT_EQ(alone->wait(), 0) << said();
  for (const int count : {2, 4}) {
    SCOPED_TRACE(text(count, " processes"));
    expect_end(count, heal_words(text("of", count)), 0);
    EXPECT_EQ(differences(healed(text("of", count)), healed("alone")), "");
    const Json run = Json::parse(read_file(path(text("of", count, "/healing.json")))).at("run");
    EXPECT_EQ(run.at("processes"), count);
    EXPECT_EQ(run.at("exchange"), "MPI");
  }
}

// Gradients stay there: the plug-in moves them.
TEST_F(SeveralHeal, OnADeviceGivesTheBytesOfOneProcess) {
  const std::map<std::string, std::string> there{
      {"--device", std::string(PLUMB_BINARY_DIR) + "/libplumb_fake_device.so"},
      {"--dtype", "fp32"},
      {"--steps", "6"}};
  const auto alone = start(heal_words("alone", there));
  ASSERT_EQ(alone->wait(), 0) << said();
  expect_end(2, heal_words("two", there), 0);
  EXPECT_EQ(differences(healed("two"), healed("alone")), "");
  const Json run = Json::parse(read_file(path("two/healing.json"))).at("run");
  EXPECT_EQ(run.at("exchange"), "files");
}

// Where there are fewer products than processes they become smaller. Then the sums of a product are others: README.md derives
// the tolerance.
TEST_F(SeveralHeal, MakesProductsSmallerWhereThereAreTooFew) {
  const std::map<std::string, std::string> step{
      {"--batch", "4"}, {"--accumulation", "1"}, {"--dtype", "fp32"}};
  expect_end(2, heal_words("two", step), 0);
  EXPECT_THAT(said(), HasSubstr("2 processes compute products of 2 sequences, 2 a step"));
  auto smaller = step;
  smaller["--batch"] = smaller["--accumulation"] = "2";
  const auto same = start(heal_words("smaller", smaller));
  ASSERT_EQ(same->wait(), 0) << said();
  EXPECT_EQ(differences(healed("two"), healed("smaller")), "");
  const auto whole = start(heal_words("whole", step));
  ASSERT_EQ(whole->wait(), 0) << said();
  const auto a = parse_csv(read_file(path("whole/training.csv")));
  const auto b = parse_csv(read_file(path("two/training.csv")));
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 1; i < a.size(); ++i)
    EXPECT_NEAR(std::stod(a[i][1]), std::stod(b[i][1]), 1e-4 * std::stod(a[i][1])) << "step " << i;
}

TEST_F(SeveralHeal, EndsWithTheNameOfARankThatDiesAndGoesOn) {
  const std::map<std::string, std::string> longer{{"--steps", "160"}};
  const auto alone = start(heal_words("alone", longer));
  ASSERT_EQ(alone->wait(), 0) << said();
  const auto child = start_several(2, heal_words("out", longer));
  ASSERT_TRUE(kill_rank(*child, 1, path("out/.stages/heal.safetensors"))) << said();
  EXPECT_THAT(child->wait(), AnyOf(6, 128 + SIGKILL)) << said();
  EXPECT_THAT(said(), HasSubstr("plumb: rank 1 of 2 ("));
  EXPECT_FALSE(fs::exists(path("out/adapter")));
  EXPECT_FALSE(fs::exists(path("out/healing.json")));
  // By another number of processes: the products of a step are the same.
  expect_end(4, heal_words("out", longer), 0);
  const Json run = Json::parse(read_file(path("out/healing.json"))).at("run");
  EXPECT_GE(run.at("resumed_steps"), 3);
  EXPECT_EQ(differences(healed("out"), healed("alone")), "");
}

TEST_F(SeveralRefused, WhereAStepCannotBeShared) {
  expect_end(3, heal_words("out"), 2);
  EXPECT_THAT(said(), HasSubstr("a step of 4 sequences (--batch 1 x --accumulation 4) for 3 "
                                "processes; needed is a multiple of them"));
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(SeveralRefused, ByCommandsThatShareNothing) {
  expect_end(2,
             {"profile", "--model", model(), "--documents", text_file(), "--max-tokens", "32",
              "--limit", "4", "--out", path("out")},
             2);
  EXPECT_THAT(said(), HasSubstr("plumb profile runs in one process"));
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(SeveralRefused, WithoutThePluginAndWithoutPmi) {
  Child missing(words("out"), {"PLUMB_MPI_PLUGIN=/nowhere.so", "OMPI_COMM_WORLD_SIZE=2"},
                path("said"));
  EXPECT_EQ(missing.wait(), 6);
  EXPECT_THAT(said(), HasSubstr("a launcher started several processes, which need MPI"));
  Child srun(words("out"), {"SLURM_STEP_NUM_TASKS=2"}, path("said"));
  EXPECT_EQ(srun.wait(), 6);
  EXPECT_THAT(said(), HasSubstr("srun --mpi=pmix"));
}

}  // namespace
}  // namespace plumb::harness::testing
