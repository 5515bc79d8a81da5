// Commands on a model of the Hub, from outside: a Hub on loopback, a cache of the test's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "fixtures/hub/hub_faults.h"
#include "fixtures/hub/loopback_hub.h"
#include "harness/cli/program_testing.h"

namespace plumb::harness {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;
using testing::plumb;
using Words = std::vector<std::string>;

const std::string kCommit(40, 'c');
const std::string kToken = "hf_TheSecretOfTheTests";

class HubCommands : public testing::TinyCase {
 protected:
  void SetUp() override {
    TinyCase::SetUp();
    for (const auto& [name, value] :
         std::map<std::string, std::string>{{"HF_ENDPOINT", hub_.endpoint()},
                                            {"HF_HOME", path("hf")},
                                            {"HF_HUB_CACHE", path("hf/hub")},
                                            {"HF_TOKEN", kToken}})
      ::setenv(name.c_str(), value.c_str(), 1);
    hub_.add({"org/gguf",
              false,
              {{kCommit, {{"model.gguf", model_bytes(), true}, {"README.md", "# x\n"}}}},
              {{"main", kCommit}, {"v1.0", kCommit}}});
  }
  void TearDown() override {
    for (const char* name :
         {"HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"})
      ::unsetenv(name);
  }

  /// "org/folder": the tiny model as transformers has it, without its last block.
  void add_folder() {
    ASSERT_EQ(
        plumb({"prune", "--model", model(), "--blocks", "9", "--out", path("folder")}).exit_code,
        0);
    fixtures::HubRepository repository{"org/folder", false, {{kCommit, {}}}, {{"main", kCommit}}};
    for (const auto& entry : fs::directory_iterator(path("folder")))
      repository.commits[kCommit].push_back({entry.path().filename().string(),
                                             read_file(entry.path()),
                                             entry.path().extension() == ".safetensors"});
    repository.commits[kCommit].push_back({"pytorch_model.bin", "a pickle", true});
    hub_.add(repository);
  }

  /// The JSON of a command that succeeds. The token is in nothing that it said.
  json result_of(Words words) {
    words.insert(words.end(), {"--format", "json"});
    const ChildOutput said = plumb(words);
    EXPECT_EQ(said.exit_code, 0) << said.err;
    EXPECT_EQ((said.out + said.err).find(kToken), std::string::npos);
    return said.exit_code == 0 ? json::parse(said.out) : json();
  }
  void expect_refused(const Words& words, int code, const std::string& words_of_error) {
    const ChildOutput said = plumb(words);
    EXPECT_EQ(said.exit_code, code) << said.err;
    EXPECT_THAT(said.err, AllOf(HasSubstr(words_of_error), Not(HasSubstr(kToken))));
    EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 1) << said.err;
  }

  fixtures::LoopbackHub hub_;
};

TEST_F(HubCommands, FetchOnceAndSayCommitFolderAndFiles) {
  const json dry = result_of({"fetch", "org/gguf", "--dry-run"});
  EXPECT_EQ(dry["fetched_bytes"], 0);
  EXPECT_GT(dry["missing_bytes"], model_bytes().size());
  const json first = result_of({"fetch", "org/gguf@v1.0"});
  EXPECT_EQ(first["commit"], kCommit);
  EXPECT_EQ(first["revision"], "v1.0");
  EXPECT_EQ(first["folder"], path("hf/hub/models--org--gguf/snapshots/" + kCommit));
  EXPECT_EQ(first["files"].size(), 2u);
  EXPECT_EQ(first["fetched_bytes"], dry["missing_bytes"]);
  EXPECT_EQ(read_file(first["model"].get<std::string>()), model_bytes());
  const json again = result_of({"fetch", "org/gguf@v1.0"});
  EXPECT_EQ(again["fetched_bytes"], 0);
  EXPECT_TRUE(again["files"][0]["was_cached"]);
  const json chosen =
      result_of({"fetch", "org/gguf", "--include", "*.md", "--include", "R?ADME.md"});
  EXPECT_EQ(chosen["files"].size(), 1u);
}

TEST_F(HubCommands, PinTheRevisionInEveryResult) {
  const json origin = {{"repository", "org/gguf"}, {"revision", "v1.0"}, {"commit", kCommit}};
  EXPECT_EQ(result_of({"inspect", "--model", "org/gguf@v1.0"})["origin"], origin);
  const json pruned =
      result_of({"prune", "--model", "org/gguf@v1.0", "--blocks", "3", "--out", path("pruned")});
  EXPECT_EQ(pruned["base_origin"], origin);
  const json written = json::parse(read_file(path("pruned/plumb.json")));
  for (const auto& [key, value] : origin.items()) EXPECT_EQ(written["base"][key], value);
  const json profile = result_of({"profile", "--model", "org/gguf@v1.0", "--documents", text_file(),
                                  "--max-tokens", "32", "--limit", "16", "--out", path("profile")});
  EXPECT_EQ(profile["model"]["origin"], origin);
}

TEST_F(HubCommands, RunOnAModelOfTheHubAndReportItsCommit) {
  Words words = run_words();
  words[2] = "org/gguf@v1.0";
  const ChildOutput said = plumb(words);
  ASSERT_EQ(said.exit_code, 0) << said.err;
  const std::string results = read_file(out() + "/results.json"),
                    report = read_file(out() + "/report.html");
  for (const std::string& text : {results, report, read_file(out() + "/provenance.json")}) {
    EXPECT_NE(text.find(kCommit), std::string::npos);
    EXPECT_NE(text.find("org/gguf"), std::string::npos);
    EXPECT_EQ(text.find(kToken), std::string::npos);
    EXPECT_EQ(text.find(path("hf")), std::string::npos) << "a path of this machine";
  }
  EXPECT_EQ(plumb({"verify", "--run", out()}).err, "");
}

TEST_F(HubCommands, OpenASnapshotThroughItsLinksAndFetchNoPickle) {
  add_folder();
  const json local = result_of({"inspect", "--model", path("folder")});
  const json fetched = result_of({"inspect", "--model", "org/folder"});
  EXPECT_EQ(fetched["sha256"], local["sha256"]);
  EXPECT_EQ(fetched["config"], local["config"]);
  EXPECT_EQ(fetched["name"], "org/folder") << "not the commit, which is the snapshot's folder";
  for (const auto& request : hub_.requests())
    EXPECT_EQ(request.path.find(".bin"), std::string::npos);
}

TEST_F(HubCommands, GoOnWithoutANetworkWithWhatTheCacheHas) {
  result_of({"fetch", "org/gguf"});
  ::setenv("HF_ENDPOINT", "http://127.0.0.1:1", 1);  // tcpmux: nothing listens
  const ChildOutput said = plumb({"inspect", "--model", "org/gguf"});
  EXPECT_EQ(said.exit_code, 0);
  EXPECT_THAT(said.err, HasSubstr("the Hub cannot be reached"));
  ::setenv("HF_HUB_OFFLINE", "1", 1);
  EXPECT_EQ(plumb({"inspect", "--model", "org/gguf"}).err, "");
  expect_refused({"inspect", "--model", "org/other"}, 5, "fetch it once where there is a network");
}

TEST_F(HubCommands, SayWhatIsWrongWithAName) {
  expect_refused({"inspect", "--model", "org/absent"}, 2, "which is no file or folder here");
  expect_refused({"inspect", "--model", "org/gguf@v9"}, 2, "has no revision 'v9'");
  expect_refused({"fetch", "org"}, 2, "needed org/name");
  expect_refused({"fetch"}, 2, "repository is missing");
  expect_refused({"fetch", "org/gguf", "--include", "*.txt"}, 2,
                 "has no file that matches '*.txt'");
  expect_refused({"fetch", "--dataset", "org/gguf"}, 2, "org/gguf");
  hub_.on({.part = "/api/"}, fixtures::status(403, "GatedRepo", "gated"));
  expect_refused({"inspect", "--model", "org/gguf"}, 5, "HF_TOKEN");
}

TEST_F(HubCommands, ListVerifyAndRemoveWhatTheCacheHas) {
  result_of({"fetch", "org/gguf"});
  const json list = result_of({"cache", "ls"});
  ASSERT_EQ(list["repositories"].size(), 1u);
  EXPECT_EQ(list["repositories"][0]["repository"], "org/gguf");
  EXPECT_EQ(list["repositories"][0]["revisions"][0]["references"][0], "main");
  EXPECT_TRUE(result_of({"cache", "verify"})["faults"].empty());
  const fs::path blob =
      fs::canonical(path("hf/hub/models--org--gguf/snapshots/" + kCommit + "/model.gguf"));
  std::string bytes = model_bytes();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_file_atomically(blob, bytes);
  const ChildOutput wrong = plumb({"cache", "verify", "org/gguf"});
  EXPECT_EQ(wrong.exit_code, 4);
  EXPECT_THAT(wrong.out, HasSubstr(blob.string()));
  expect_refused({"cache", "rm"}, 2, "needed ORG/NAME or --partials");
  expect_refused({"cache", "rm", "org/other"}, 2, "has no 'org/other'");
  expect_refused({"cache", "prune"}, 2, "needed ls, verify or rm");
  EXPECT_GT(result_of({"cache", "rm", "org/gguf"})["freed_bytes"], model_bytes().size());
  EXPECT_EQ(result_of({"cache", "ls"})["repositories"].size(), 0u);
}

}  // namespace
}  // namespace plumb::harness
