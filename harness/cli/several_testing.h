#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/cli/resume_testing.h"

/// `plumb` in several processes that mpirun starts. For tests alone.
namespace plumb::harness::testing {

/// Why several processes cannot be tested here, or empty.
std::string why_not_several();

/// mpirun and what it needs here: as root, and with more processes than cores.
std::vector<std::string> mpirun(int count);

/// The process that mpirun `parent` has started as this rank; 0 where there is none.
pid_t rank_of(pid_t parent, int rank);

/// A sweep and a healing, each in `count` processes.
class SeveralCase : public ResumeCase {
 protected:
  void SetUp() override;

  /// Ends with this code; output in said().
  void expect_end(int count, const Words& words, int code) const;
  std::unique_ptr<Child> start_several(int count, const Words& words) const;
  /// Kills a rank as soon as `path` is there. False where the command was done before.
  bool kill_rank(Child& child, int rank, const std::string& path) const;

  /// 20 steps of 4 products of one sequence, by changes.
  Words heal_words(const std::string& folder,
                   const std::map<std::string, std::string>& more = {}) const;
  /// Files of a healing that must not depend on the processes: adapter, base, training.csv without speeds, healing.json
  /// without `run`.
  Files healed(const std::string& folder) const;
};

}  // namespace plumb::harness::testing
