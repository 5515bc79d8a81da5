#include "harness/cli/resume_testing.h"

#include <gmock/gmock.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/journal.h"

namespace plumb::harness::testing {

void ResumeCase::SetUp() {
  TinyCase::SetUp();
  fixtures::put(path("own.jsonl"), tiny_questions(24));
  fixtures::put(path("easy.jsonl"), tiny_questions(12));
  const auto child = start(words("whole"));
  ASSERT_EQ(child->wait(), 0) << said();
  whole_ = files("whole");
  for (const char* name : {"loss.csv", "loss_documents.csv", "accuracy.csv", "sweep.json",
                           "questions/arc_easy.jsonl", "questions/multiple_choice.jsonl"})
    ASSERT_TRUE(whole_.contains(name)) << name;
  ASSERT_EQ(whole_.size(), 6u);
}

ResumeCase::Words ResumeCase::words(const std::string& folder,
                                    const std::map<std::string, std::string>& more) const {
  std::map<std::string, std::string> flags{{"--model", model()},
                                           {"--documents", text_file()},
                                           {"--max-tokens", "32"},
                                           {"--limit", "16"},
                                           {"--strategies", "similarity,simple,random"},
                                           {"--n", "0-8:2"},
                                           {"--threads", "1"},
                                           {"--documents-per-step", "2"},
                                           {"--rows-per-pack", "300"},
                                           {"--tasks", "arc_easy,multiple_choice"},
                                           {"--out", path(folder)},
                                           {"--set", "statistics.draws=200"}};
  for (const auto& [flag, value] : more) flags[flag] = value;
  Words all{"sweep", "--data", "arc_easy=" + path("easy.jsonl"), "--data",
            "multiple_choice=" + path("own.jsonl")};
  for (const auto& [flag, value] : flags) {
    all.push_back(flag);
    if (!value.empty()) all.push_back(value);
  }
  return all;
}

std::unique_ptr<Child> ResumeCase::start(const Words& words, const Words& disk) const {
  return std::make_unique<Child>(words, disk, path("said"));
}

std::string ResumeCase::said() const { return read_file(path("said")); }

ResumeCase::Words ResumeCase::failing_disk(const std::string& folder, const std::string& call,
                                           int nth, int error) const {
  Words variables = preload("failing_disk");
  variables.insert(variables.end(),
                   {"PLUMB_TEST_DISK=" + path(folder), "PLUMB_TEST_DISK_CALL=" + call,
                    text("PLUMB_TEST_DISK_NTH=", nth), text("PLUMB_TEST_DISK_ERROR=", error)});
  return variables;
}

void ResumeCase::stop_before_step(const std::string& folder, int nth) const {
  fs::remove_all(path(folder));
  // Of what is written with pwrite only the journal's steps come before the results.
  const auto child = start(words(folder), failing_disk(folder, "pwrite", nth, 0));
  ASSERT_EQ(child->wait(), 128 + SIGKILL) << said();
  ASSERT_EQ(kept_steps(folder), static_cast<size_t>(nth - 1));
}

size_t ResumeCase::kept_steps(const std::string& folder) const {
  const size_t lines = Journal(journal(folder)).take_lines().size();
  return lines == 0 ? 0 : lines - 1;
}

ResumeCase::Files ResumeCase::files(const std::string& folder) const {
  Files out;
  for (const auto& entry : fs::recursive_directory_iterator(path(folder))) {
    const std::string name = entry.path().lexically_relative(path(folder)).string();
    if (entry.is_directory() && name != "questions") out[name] = "a folder";
    if (!entry.is_regular_file() || name == ".stages/lock")
      continue;  // a killed process' lock says nothing
    out[name] = read_file(entry.path());
    if (name != "sweep.json") continue;
    auto json = nlohmann::ordered_json::parse(out[name]);
    EXPECT_EQ(json.erase("run"), 1u);
    out[name] = json.dump();
  }
  return out;
}

std::string ResumeCase::differences(const Files& got, const Files& needed) {
  std::string out;
  for (const auto& [name, bytes] : needed)
    if (!got.contains(name))
      out += text(name, ": absent\n");
    else if (got.at(name) != bytes)
      out += text(name, ": other bytes\n");
  for (const auto& [name, bytes] : got)
    if (!needed.contains(name)) out += text(name, ": left over\n");
  return out;
}

void ResumeCase::expect_resumed(const std::string& folder) const {
  const size_t kept = kept_steps(folder);
  const bool finished = fs::exists(path(folder) + "/sweep.json");
  const auto child = start(words(folder));
  ASSERT_EQ(child->wait(), 0) << said();
  EXPECT_EQ(differences(files(folder), whole_), "");
  const auto run = nlohmann::json::parse(read_file(path(folder) + "/sweep.json")).at("run");
  if (!finished) {
    EXPECT_EQ(run.at("resumed_steps"), kept);
  }
}

}  // namespace plumb::harness::testing
