#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/cli/program_testing.h"
#include "harness/fetch/fetch_child_testing.h"

/// A sweep of losses and answers that can be killed, and what it must give in the end. For tests
/// alone.
namespace plumb::harness::testing {

class ResumeCase : public TinyCase {
 protected:
  using Words = std::vector<std::string>;
  using Files = std::map<std::string, std::string>;

  void SetUp() override;

  /// `plumb sweep` of 16 documents and two tasks in 20 steps, into `folder`; `more` wins over what
  /// it says.
  Words words(const std::string& folder, const std::map<std::string, std::string>& more = {}) const;
  /// In a process of its own, with a disk that fails or kills where `disk` says so.
  std::unique_ptr<Child> start(const Words& words, const Words& disk = {}) const;
  /// Variables that make the nth such call below `folder` fail; error 0: the process is killed
  /// before it.
  Words failing_disk(const std::string& folder, const std::string& call, int nth, int error) const;
  /// Stopped before its nth step was kept: a journal of n - 1 steps stands in `folder`.
  void stop_before_step(const std::string& folder, int nth) const;
  std::string said() const;  ///< by the last child

  std::string journal(const std::string& folder) const {
    return path(folder) + "/.stages/sweep.journal";
  }
  /// Steps that stand in it.
  size_t kept_steps(const std::string& folder) const;
  /// Every file of a folder; sweep.json without its object `run`.
  Files files(const std::string& folder) const;
  /// What differs, a name each; empty: the same files with the same bytes.
  static std::string differences(const Files& got, const Files& needed);
  /// `words` again into `folder`, where something was interrupted: goes on from what stands there
  /// and gives the files of the sweep that was not.
  void expect_resumed(const std::string& folder) const;

  Files whole_;  ///< of the sweep that was not interrupted
};

}  // namespace plumb::harness::testing
