#include "harness/processes/launcher.h"

#include <gtest/gtest.h>

#include <map>

namespace plumb::harness {
namespace {

Launch with(const std::map<std::string, std::string>& variables) {
  return find_launch([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  });
}

TEST(Launcher, IsKnownByWhatItSets) {
  EXPECT_EQ(with({}), Launch::kAlone);
  EXPECT_EQ(with({{"OMPI_COMM_WORLD_SIZE", "2"}, {"PMIX_RANK", "0"}}), Launch::kMpi);
  EXPECT_EQ(with({{"PMI_SIZE", "4"}, {"PMI_RANK", "1"}, {"SLURM_STEP_NUM_TASKS", "4"}}),
            Launch::kMpi);
  EXPECT_EQ(with({{"PMIX_RANK", "3"}, {"SLURM_STEP_NUM_TASKS", "4"}}), Launch::kMpi);
}

TEST(Launcher, OfOneProcessIsNone) {
  EXPECT_EQ(with({{"OMPI_COMM_WORLD_SIZE", "1"}, {"PMIX_RANK", "0"}}), Launch::kAlone);
  EXPECT_EQ(with({{"PMI_SIZE", "1"}}), Launch::kAlone);
  EXPECT_EQ(with({{"PMIX_RANK", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}}), Launch::kAlone);
  // mpirun -n 1 in a larger allocation
  EXPECT_EQ(with({{"OMPI_COMM_WORLD_SIZE", "1"}, {"SLURM_STEP_NUM_TASKS", "4"}}), Launch::kAlone);
}

TEST(Launcher, IsNoScriptOfSbatchThatStartsOneProcess) {
  EXPECT_EQ(with({{"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}, {"SLURM_JOB_ID", "7"}}),
            Launch::kAlone);
}

TEST(Launcher, WithoutPmiIsSeen) {
  EXPECT_EQ(with({{"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "2"}}), Launch::kNoPmi);
}

}  // namespace
}  // namespace plumb::harness
