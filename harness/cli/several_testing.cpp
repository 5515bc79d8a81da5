#include "harness/cli/several_testing.h"

#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/csv.h"
#include "base/file.h"

namespace plumb::harness::testing {

std::string why_not_several() {
  if (!fs::exists(std::string(PLUMB_BINARY_DIR) + "/libplumb_mpi.so"))
    return "the MPI plug-in is not built: it needs the Debian package libopenmpi-dev";
  std::istringstream folders(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (fs::exists(folder + "/mpirun")) return "";
  return "there is no mpirun: it is in the Debian package openmpi-bin";
}

std::vector<std::string> mpirun(int count) {
  return {"mpirun", "--allow-run-as-root", "--oversubscribe", "-n", std::to_string(count)};
}

pid_t rank_of(pid_t parent, int rank) {
  const std::string wanted = text("OMPI_COMM_WORLD_RANK=", rank);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string id = entry.path().filename().string();
    if (id.find_first_not_of("0123456789") != std::string::npos) continue;
    try {
      // pid (name) state parent
      const std::string stat = read_file(entry.path() / "stat");
      std::istringstream rest(stat.substr(stat.rfind(')') + 1));
      std::string state;
      pid_t of = 0;
      if (!(rest >> state >> of) || of != parent) continue;
      std::istringstream variables(read_file(entry.path() / "environ"));
      for (std::string one; std::getline(variables, one, '\0');)
        if (one == wanted) return std::stoi(id);
    } catch (const Error&) {
      // It has ended meanwhile.
    }
  }
  return 0;
}

void SeveralCase::SetUp() {
  if (const std::string why = why_not_several(); !why.empty()) GTEST_SKIP() << why;
  ResumeCase::SetUp();
  std::string lines;
  for (int document = 0; document < 300; ++document) lines += tiny_document(document, 40);
  fixtures::put(path("long.jsonl"), lines);
}

std::unique_ptr<Child> SeveralCase::start_several(int count, const Words& words) const {
  return std::make_unique<Child>(words, Words{}, path("said"), mpirun(count));
}

void SeveralCase::expect_end(int count, const Words& words, int code) const {
  EXPECT_EQ(start_several(count, words)->wait(), code) << said();
}

bool SeveralCase::kill_rank(Child& child, int rank, const std::string& path) const {
  while (!child.has_ended() && !fs::exists(path))
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  const pid_t id = child.has_ended() ? 0 : rank_of(child.id(), rank);
  return id != 0 && ::kill(id, SIGKILL) == 0;
}

SeveralCase::Words SeveralCase::heal_words(const std::string& folder,
                                           const std::map<std::string, std::string>& more) const {
  std::map<std::string, std::string> flags{
      {"--model", model()},    {"--documents", path("long.jsonl")},
      {"--first", "4"},        {"--n", "3"},
      {"--max-tokens", "16"},  {"--batch", "1"},
      {"--accumulation", "4"}, {"--steps", "20"},
      {"--rank", "2"},         {"--learning-rate", "1e-2"},
      {"--dropout", "0.1"},    {"--steps-per-state", "3"},
      {"--threads", "1"},      {"--out", path(folder)}};
  for (const auto& [flag, value] : more) flags[flag] = value;
  Words all{"heal"};
  for (const auto& [flag, value] : flags) {
    all.push_back(flag);
    if (!value.empty()) all.push_back(value);
  }
  return all;
}

SeveralCase::Files SeveralCase::healed(const std::string& folder) const {
  Files out;
  for (const char* name : {"adapter/adapter_model.safetensors", "adapter/adapter_config.json",
                           "base/model.safetensors", "base/plumb.json"})
    out[name] = read_file(path(folder) + "/" + name);
  auto json = nlohmann::ordered_json::parse(read_file(path(folder) + "/healing.json"));
  EXPECT_EQ(json.erase("run"), 1u);
  out["healing.json"] = json.dump();
  for (const auto& row : parse_csv(read_file(path(folder) + "/training.csv")))
    out["training.csv"] += row.at(0) + "," + row.at(1) + "," + row.at(2) + "\n";
  return out;
}

}  // namespace plumb::harness::testing
