// A checkpoint of 4 GiB, profiled and swept under a limit of 1 GiB: the same bytes as from the model in memory.

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <thread>

#include "base/file.h"
#include "base/json_fields.h"
#include "fixtures/synthetic/large_checkpoint.h"
#include "harness/cli/program_testing.h"
#include "harness/pipeline/memory_plan.h"

namespace plumb::harness::testing {
namespace {

constexpr uint64_t kLimit = uint64_t{1} << 30;

/// A memory cgroup that children are started in, where the system lets this process make one (version 1 or 2).
class MemoryCgroup {
 public:
  explicit MemoryCgroup(uint64_t limit) {
    for (const auto& [mount, file] : {std::pair("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                                      std::pair("/sys/fs/cgroup", "memory.max")}) {
      const fs::path group = fs::path(mount) / plumb::text("plumb_test_", ::getpid());
      std::error_code failed;
      if (!fs::exists(fs::path(mount) / "cgroup.procs") || !fs::create_directory(group, failed))
        continue;
      std::ofstream(group / file) << limit << std::flush;
      uint64_t set = 0;
      if (std::ifstream(group / file) >> set && set <= limit) {
        path_ = group;
        return;
      }
      fs::remove(group, failed);
    }
  }
  ~MemoryCgroup() {
    if (path_) ::rmdir(path_->c_str());
  }
  MemoryCgroup(const MemoryCgroup&) = delete;
  MemoryCgroup& operator=(const MemoryCgroup&) = delete;
  const std::optional<fs::path>& path() const { return path_; }

 private:
  std::optional<fs::path> path_;
};

/// The largest VmRSS of the process whose id comes into `pid_file`, every 50 ms.
class ResidentSampler {
 public:
  explicit ResidentSampler(fs::path pid_file)
      : pid_file_(std::move(pid_file)), thread_([this] { run(); }) {}
  ~ResidentSampler() { stop(); }
  uint64_t stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return most_;
  }

 private:
  void run() {
    while (!stopping_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      int pid = 0;
      if (!(std::ifstream(pid_file_) >> pid)) continue;
      std::ifstream status(plumb::text("/proc/", pid, "/status"));
      for (std::string word; status >> word;)
        if (uint64_t kilobytes = 0; word == "VmRSS:" && status >> kilobytes)
          most_ = std::max(most_.load(), kilobytes * 1024);
    }
  }
  fs::path pid_file_;
  std::atomic<bool> stopping_ = false;
  std::atomic<uint64_t> most_ = 0;
  std::thread thread_;
};

class MemoryLimitLong : public ::testing::TestWithParam<const char*> {  // parameter: dtype
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<plumb::testing::TemporaryFolder>();
    fixtures::write_large_checkpoint(path("model"), {});
    std::string lines;
    for (int document = 0; document < 4; ++document) lines += tiny_document(document, 128);
    fixtures::put(path("text.jsonl"), lines);
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::string path(const std::string& name) { return *folder_ / name; }

  static std::vector<std::string> words(std::vector<std::string> first, const std::string& out) {
    first.insert(first.end(), {"--model", path("model"), "--documents", path("text.jsonl"),
                               "--max-tokens", "128", "--limit", "4", "--documents-per-step", "4",
                               "--dtype", GetParam(), "--out", path(out), "--format", "json"});
    return first;
  }

  static std::string tokens_per_second(const nlohmann::ordered_json& json, bool sweep) {
    if (sweep) return plumb::text(json.at("tokens_per_second").get<double>());
    return plumb::text(4 * 128 / json.at("seconds").get<double>());
  }

  static std::unique_ptr<plumb::testing::TemporaryFolder> folder_;
};
std::unique_ptr<plumb::testing::TemporaryFolder> MemoryLimitLong::folder_;

TEST_P(MemoryLimitLong, OfAGibibyteChangesNoByteOfAFourGibibyteModel) {
  const uint64_t need = std::string(GetParam()) == "fp32" ? uint64_t{10} << 30 : uint64_t{6} << 30;
  if (available_memory_bytes() < need)
    GTEST_SKIP() << "the model in memory, to compare with, needs " << need << " bytes; "
                 << available_memory_bytes() << " are available";
  const MemoryCgroup group(kLimit);
  if (!group.path())
    std::cout << "no memory cgroup can be made here: VmRSS is sampled every 50 ms instead\n";
  const std::vector<std::string> profile{"profile"},
      sweep{"sweep", "--plans", path("profile-whole/plans.csv"), "--n", "0-30:10"};
  for (const auto& command : {profile, sweep}) {
    const std::string name = command.front();
    const ChildOutput whole = plumb(words(command, name + "-whole"));
    ASSERT_EQ(whole.exit_code, 0) << whole.err;

    std::vector<std::string> limited = words(command, name);
    limited.insert(limited.end(), {"--memory-limit", "1GiB"});
    const std::string enter =
        group.path() ? plumb::text("echo $$ > ", group.path()->string(), "/cgroup.procs && ") : "";
    const fs::path pid_file = path("pid");
    fs::remove(pid_file);
    std::vector<std::string> shell{
        "-c", plumb::text(enter, "echo $$ > ", pid_file.string(), " && exec \"$0\" \"$@\""),
        std::string(PLUMB_BINARY_DIR) + "/plumb"};
    shell.insert(shell.end(), limited.begin(), limited.end());
    ResidentSampler sampler(pid_file);
    const ChildOutput streamed = run_child("/bin/sh", shell);
    const uint64_t sampled = sampler.stop();
    ASSERT_EQ(streamed.exit_code, 0) << streamed.err;

    const auto run_of = [](const nlohmann::ordered_json& json) {
      return json.contains("run") ? json.at("run") : json;
    };
    const auto a = run_of(parse_json(whole.out)), b = run_of(parse_json(streamed.out));
    EXPECT_FALSE(a.at("memory").at("streamed"));
    EXPECT_TRUE(b.at("memory").at("streamed"));
    const uint64_t peak = b.at("peak_resident_bytes");
    EXPECT_LE(peak, kLimit);
    EXPECT_LE(sampled, kLimit);
    for (const char* file : {"distances.csv", "distances_post_norm.csv", "plans.csv", "loss.csv",
                             "loss_documents.csv"}) {
      const fs::path expected = fs::path(path(name + "-whole")) / file;
      if (fs::exists(expected)) {
        EXPECT_EQ(read_file(path(name) + "/" + file), read_file(expected)) << file;
      }
    }
    std::cout << GetParam() << " " << name << ": " << tokens_per_second(a, name == "sweep")
              << " tokens/s in memory, peak " << a.at("peak_resident_bytes") << "; under 1 GiB "
              << tokens_per_second(b, name == "sweep") << " tokens/s, peak " << peak
              << " (predicted " << b.at("memory").at("peak_bytes") << ", sampled " << sampled
              << ")\n";
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, MemoryLimitLong, ::testing::Values("bf16", "fp32"));

}  // namespace
}  // namespace plumb::harness::testing
