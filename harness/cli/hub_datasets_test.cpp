// `plumb fetch --dataset`, from outside: a Hub on loopback, a cache of the test's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "fixtures/hub/hub_faults.h"
#include "fixtures/hub/loopback_hub.h"
#include "harness/cli/program_testing.h"
#include "harness/datasets/rows_testing.h"

namespace plumb::harness {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace fs = std::filesystem;
using testing::gzipped;
using testing::kDatasetFiles;
using testing::plumb;
using Words = std::vector<std::string>;

const std::string kCommit(40, 'd');

std::string parquet(const std::string& name) {
  return read_file(kDatasetFiles / (name + ".parquet"));
}

class HubDatasets : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, value] : environment_) ::setenv(name.c_str(), value.c_str(), 1);
    add("cais/mmlu", {{"all/test-00000-of-00001.parquet", parquet("mmlu"), true},
                      {"all/dev-00000-of-00001.parquet", parquet("mmlu"), true},
                      {"all/auxiliary_train-00000-of-00001.parquet", "not asked for", true},
                      {"README.md", "---\nlicense: mit\n---\n"}});
    add("allenai/c4", {{"en/c4-train.00000-of-01024.json.gz", shard("train"), true},
                       {"en/c4-train.00001-of-01024.json.gz", shard("more"), true},
                       {"en/c4-validation.00000-of-00008.json.gz", shard("validation"), true}});
    add("me/mine", {{"x/data.csv", "a,b\n1,\"two\nlines\"\n"}, {"notes.txt", "hello"}});
    add("ybisk/piqa", {{"plain_text/validation/0000.parquet", parquet("piqa"), true}},
        "refs/convert/parquet");
  }
  void TearDown() override {
    for (const auto& item : environment_) ::unsetenv(item.first.c_str());
  }

  void add(const std::string& id, const std::vector<fixtures::HubFile>& files,
           const std::string& ref = "main") {
    hub_.add({id, true, {{kCommit, files}}, {{ref, kCommit}}});
  }
  static std::string shard(const std::string& words) {
    return gzipped("{\"text\": \"" + words + "\", \"timestamp\": \"t\", \"url\": \"u\"}\n");
  }
  std::string out() const { return folder_ / "data"; }

  json result_of(Words words) {
    words.insert(words.begin(), {"fetch", "--dataset", "--out", out(), "--format", "json"});
    const ChildOutput said = plumb(words);
    EXPECT_EQ(said.exit_code, 0) << said.err;
    return said.exit_code == 0 ? json::parse(said.out) : json();
  }
  void expect_refused(Words words, int code, const std::string& words_of_error) {
    words.insert(words.begin(), {"fetch", "--dataset", "--out", out()});
    const ChildOutput said = plumb(words);
    EXPECT_EQ(said.exit_code, code) << said.err;
    EXPECT_THAT(said.err, HasSubstr(words_of_error));
    EXPECT_FALSE(fs::exists(out()));
  }

  plumb::testing::TemporaryFolder folder_;
  fixtures::LoopbackHub hub_;
  std::map<std::string, std::string> environment_{{"HF_ENDPOINT", hub_.endpoint()},
                                                  {"HF_HOME", folder_ / "hf"},
                                                  {"HF_HUB_CACHE", folder_ / "hf/hub"}};
};

TEST_F(HubDatasets, ArriveAsQuestionFilesAndAreNotFetchedTwice) {
  if (const std::string why = testing::no_parquet(); !why.empty()) GTEST_SKIP() << why;
  const json first = result_of({"cais/mmlu"});
  EXPECT_EQ(first["commit"], kCommit);
  EXPECT_EQ(first["files"].size(), 2u);  // neither README nor auxiliary_train
  EXPECT_EQ(first["dataset"]["files"][0]["rows"], 3);
  EXPECT_EQ(first["dataset"]["files"][0]["rows_published"], 14042);
  const json expected =
      json::parse(read_file(kDatasetFiles / "rows.json")).at("questions").at("mmlu");
  const auto rows = testing::rows_of(out() + "/mmlu/mmlu_test.jsonl");
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(json(rows[i]), expected[i]);
  const json manifest = json::parse(read_file(out() + "/mmlu/manifest.json"));
  EXPECT_EQ(manifest["read"][1]["sha256"], sha256_hex(parquet("mmlu")));
  const json again = result_of({"cais/mmlu"});
  EXPECT_EQ(again["fetched_bytes"], 0);
  EXPECT_TRUE(again["dataset"]["was_there"]);
}

TEST_F(HubDatasets, ComeFromTheBranchThatThePresetNames) {
  if (const std::string why = testing::no_parquet(); !why.empty()) GTEST_SKIP() << why;
  const json made = result_of({"ybisk/piqa"});
  EXPECT_EQ(made["revision"], "refs/convert/parquet");
  EXPECT_EQ(testing::rows_of(out() + "/piqa/piqa_validation.jsonl").size(), 2u);
}

TEST_F(HubDatasets, AreTheFilesThatAreChosen) {
  result_of({"allenai/c4", "--include", "en/c4-train.*"});
  EXPECT_EQ(read_file(out() + "/c4/c4_en_train.jsonl"),
            "{\"text\":\"train\"}\n{\"text\":\"more\"}\n");
  EXPECT_FALSE(fs::exists(out() + "/c4/c4_en_validation.jsonl"));
  const json mine = result_of({"me/mine"});
  EXPECT_EQ(mine["files"].size(), 1u);
  EXPECT_EQ(read_file(out() + "/me--mine/x/data.jsonl"), "{\"a\":\"1\",\"b\":\"two\\nlines\"}\n");
}

TEST_F(HubDatasets, ThatDoNotFitLeaveNothingBehind) {
  add("google/boolq", {{"data/validation-00000-of-00001.parquet", parquet("piqa"), true}});
  expect_refused({"me/mine", "--include", "notes.txt"}, 2, "'notes.txt' is in no format");
  expect_refused({"allenai/c4@" + kCommit, "--include", "*c4-trane*"}, 2, "");
  if (const std::string why = testing::no_parquet(); !why.empty()) GTEST_SKIP() << why;
  expect_refused({"google/boolq"}, 4, "has no column 'question'");
  const ChildOutput model = plumb({"fetch", "org/model", "--out", out()});
  EXPECT_EQ(model.exit_code, 2);
  EXPECT_THAT(model.err, HasSubstr("--out is for the rows of a data set"));
}

// A shard that is cut on its way is no shard, and no file is made of it.
TEST_F(HubDatasets, OfAFaultyHubAreRightOrAbsent) {
  hub_.on({.side = fixtures::HubRule::Side::kCdn}, fixtures::changed([](std::string bytes) {
            bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
            return bytes;
          }));
  expect_refused({"allenai/c4"}, 4, "is not what the Hub said");  // either shard comes first
  hub_.no_more_faults();
  result_of({"allenai/c4"});
  EXPECT_EQ(read_file(out() + "/c4/c4_en_validation.jsonl"), "{\"text\":\"validation\"}\n");
}

}  // namespace
}  // namespace plumb::harness
