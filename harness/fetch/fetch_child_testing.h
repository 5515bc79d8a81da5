#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/testing.h"
#include "fixtures/hub/loopback_hub.h"

/// `plumb fetch` in processes of its own, so that they can be killed. For tests alone.
namespace plumb::harness::testing {

/// The program, or `launcher` that starts it, with variables in its environment (and none that begin with HF_ beside them) and its output in a file.
class Child {
 public:
  Child(const std::vector<std::string>& words, const std::vector<std::string>& variables,
        const std::filesystem::path& output, const std::vector<std::string>& launcher = {});
  ~Child();  ///< kills it
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t id() const { return id_; }
  void kill() const;
  void send(int signal) const;
  bool has_ended();
  /// The exit code; 128 + signal where one ended it.
  int wait();

 private:
  pid_t id_ = -1;
  int status_ = 0;
};

/// Variables that load libplumb_<name>.so of this build before all others.
std::vector<std::string> preload(const std::string& name);

/// "org/model" with config.json, an index and three shards of about 400 kB, and a cache.
class ShardedModel : public ::testing::Test {
 protected:
  ShardedModel();

  /// `plumb fetch org/model`.
  std::unique_ptr<Child> start(const std::string& output = "output",
                               const std::vector<std::string>& variables = {}) const;
  std::filesystem::path cache() const { return folder_ / "cache"; }
  std::string output(const std::string& name = "output") const;

  /// Bytes of shards that are in the cache, whole or in part.
  uint64_t kept_bytes() const;
  uint64_t shard_bytes() const { return shard_bytes_; }
  void expect_sound_cache() const;
  void expect_right_files() const;

  fixtures::LoopbackHub& hub() { return hub_; }

 private:
  plumb::testing::TemporaryFolder folder_;
  std::vector<fixtures::HubFile> files_;
  uint64_t shard_bytes_ = 0;
  fixtures::LoopbackHub hub_;
};

}  // namespace plumb::harness::testing
