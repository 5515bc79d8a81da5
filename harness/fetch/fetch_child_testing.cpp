#include "harness/fetch/fetch_child_testing.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "harness/fetch/fetch_testing.h"

extern char** environ;

namespace plumb::harness::testing {

namespace fs = std::filesystem;
using fixtures::HubFile;

Child::Child(const std::vector<std::string>& words, const std::vector<std::string>& variables,
             const fs::path& output, const std::vector<std::string>& launcher) {
  std::vector<std::string> all = launcher;
  all.push_back(std::string(PLUMB_BINARY_DIR) + "/plumb");
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> argv, environment;
  for (std::string& word : all) argv.push_back(word.data());
  argv.push_back(nullptr);
  for (const std::string& variable : variables)
    environment.push_back(const_cast<char*>(variable.c_str()));
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (std::string_view(*variable).substr(0, 3) != "HF_") environment.push_back(*variable);
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const int flags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), flags, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  EXPECT_EQ(::posix_spawnp(&id_, argv[0], &actions, nullptr, argv.data(), environment.data()), 0);
  posix_spawn_file_actions_destroy(&actions);
}

Child::~Child() {
  if (id_ > 0) kill(), wait();
}

void Child::kill() const { send(SIGKILL); }

void Child::send(int signal) const { ::kill(id_, signal); }

bool Child::has_ended() {
  if (id_ > 0 && ::waitpid(id_, &status_, WNOHANG) == id_) id_ = -1;
  return id_ < 0;
}

int Child::wait() {
  if (id_ > 0) ::waitpid(id_, &status_, 0);
  id_ = -1;
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

std::vector<std::string> preload(const std::string& name) {
  return {text("LD_PRELOAD=", PLUMB_BINARY_DIR, "/libplumb_", name, ".so"),
          // AddressSanitizer's own library wants to be the first.
          "ASAN_OPTIONS=detect_odr_violation=0:verify_asan_link_order=0"};
}

ShardedModel::ShardedModel() {
  nlohmann::json map;
  for (uint64_t i = 1; i <= 3; ++i) {
    const std::string name = text("model-0000", i, "-of-00003.safetensors");
    map[text("tensor", i)] = name;
    files_.push_back({name, noise(300'000 + 70'000 * i, i), true});
    shard_bytes_ += files_.back().bytes.size();
  }
  files_.push_back({"model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump()});
  files_.push_back({"config.json", "{\"model_type\": \"llama\"}\n"});
  hub_.add({"org/model", false, {{kCommit, files_}}, {{"main", kCommit}}});
}

std::unique_ptr<Child> ShardedModel::start(const std::string& output,
                                           const std::vector<std::string>& variables) const {
  std::vector<std::string> all = {"HF_ENDPOINT=" + hub_.endpoint(),
                                  "HF_HUB_CACHE=" + cache().string()};
  all.insert(all.end(), variables.begin(), variables.end());
  return std::make_unique<Child>(std::vector<std::string>{"fetch", "org/model"}, all,
                                 folder_ / output);
}

std::string ShardedModel::output(const std::string& name) const {
  return read_file(folder_ / name);
}

uint64_t ShardedModel::kept_bytes() const {
  uint64_t bytes = 0;
  for (const HubFile& file : files_) {
    if (!file.lfs) continue;
    const fs::path blob = cache() / "models--org--model" / "blobs" / fixtures::hub_hash(file);
    for (const fs::path& path : {blob, fs::path(blob.string() + ".incomplete")})
      if (fs::exists(path)) bytes += fs::file_size(path);
  }
  return bytes;
}

void ShardedModel::expect_sound_cache() const { testing::expect_sound_cache(cache()); }

void ShardedModel::expect_right_files() const {
  expect_sound_cache();
  const fs::path folder = cache() / "models--org--model" / "snapshots" / kCommit;
  for (const HubFile& file : files_)
    EXPECT_TRUE(read_file(folder / file.name) == file.bytes) << file.name;
}

}  // namespace plumb::harness::testing
