#include "harness/pipeline/stage_cache.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/file.h"
#include "base/testing.h"
#include "fixtures/formats/safetensors_file.h"
#include "harness/pipeline/publish.h"
#include "harness/pipeline/results.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using fixtures::put;
using testing::error_of;

const Json kKey = {{"model", "abc"}, {"seed", 1}};
const Json kResult = {{"values", {0.1, 1e308, 5e-324, -0.0, 1.0 / 3}}, {"name", "\u00e9\n"}};

fs::path only_file(const fs::path& folder) {
  fs::path found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) found = entry.path();
  return found;
}

TEST(StageCache, GivesBackTheBitsThatWereStored) {
  const testing::TemporaryFolder folder;
  const StageCache cache(folder.path());
  EXPECT_FALSE(cache.load("sweep", kKey));
  cache.store("sweep", kKey, kResult);
  const auto back = cache.load("sweep", kKey);
  ASSERT_TRUE(back);
  for (size_t i = 0; i < kResult["values"].size(); ++i) {
    const double a = kResult["values"][i], b = (*back)["values"][i];
    EXPECT_EQ(std::memcmp(&a, &b, sizeof a), 0) << a;
  }
  EXPECT_EQ((*back)["name"], kResult["name"]);
  EXPECT_EQ(cache.load(StageCache::entry_name("sweep", kKey)), back);
}

TEST(StageCache, KnowsNoEntryOfAnotherKeyOrStage) {
  const testing::TemporaryFolder folder;
  const StageCache cache(folder.path());
  cache.store("sweep", kKey, kResult);
  EXPECT_FALSE(cache.load("profile", kKey));
  EXPECT_FALSE(cache.load("sweep", {{"model", "abc"}, {"seed", 2}}));
  // The same name with another key inside, as if two keys had one hash.
  const Json other = {{"model", "abd"}, {"seed", 1}};
  cache.store("sweep", other, kResult);
  const auto from = fs::path(cache.folder()) / StageCache::entry_name("sweep", kKey);
  const auto to = fs::path(cache.folder()) / StageCache::entry_name("sweep", other);
  fs::remove_all(to);
  fs::rename(from, to);
  EXPECT_FALSE(cache.load("sweep", other));
}

TEST(StageCache, TrustsNoChangedByteAndNoPart) {
  const testing::TemporaryFolder folder;
  const StageCache cache(folder.path());
  cache.store("sweep", kKey, kResult);
  const fs::path file = only_file(cache.folder());
  const std::string bytes = read_file(file);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    put(file, changed);
    EXPECT_FALSE(cache.load("sweep", kKey)) << "byte " << i;
    put(file, bytes.substr(0, i));
    // Without its last line end the file still has every byte that the checksum is over.
    if (i + 1 < bytes.size()) {
      EXPECT_FALSE(cache.load("sweep", kKey)) << "cut at " << i;
    }
  }
  put(file, bytes);
  EXPECT_TRUE(cache.load("sweep", kKey));
}

TEST(StageResults, ComeBackFromJsonToTheBit) {
  SweepResult sweep;
  sweep.plans = {{4, {1, 2}, "simple", "why"}, {4, {}, "simple", ""}};
  sweep.losses.loss_nats = {{0.1, 5e-324}, {1e308, 1.0 / 3}};
  sweep.text = {"t.jsonl", "00", 8, {3, 7}};
  sweep.vocabulary_size = 50;
  sweep.seconds = 0.7;
  const SweepResult back = sweep_from_json(Json::parse(to_json(sweep).dump()));
  EXPECT_EQ(back.losses.loss_nats, sweep.losses.loss_nats);
  EXPECT_EQ(back.text.documents, sweep.text.documents);
  EXPECT_EQ(to_json(back), to_json(sweep));

  ProfileResult profile;
  profile.profile = {metrics::DistanceMatrix(2, 2), {{0.1, 0.2}, {0.3, 0.4}}, {0.5, 1.0 / 3}};
  profile.profile.before_norm.at(2, 0, 1) = 1.0 / 7;
  profile.text = sweep.text;
  const ProfileResult again = profile_from_json(Json::parse(to_json(profile).dump()));
  EXPECT_EQ(again.profile.before_norm.at(2, 0, 1), 1.0 / 7);
  EXPECT_EQ(to_json(again), to_json(profile));
}

TEST(StageResults, OfAnotherShapeAreRefused) {
  SweepResult sweep;
  sweep.plans = {{4, {1, 2}, "simple", "why"}};
  sweep.losses.loss_nats = {{0.1, 0.2}};
  sweep.text = {"t.jsonl", "00", 8, {3, 7}};
  const Json good = to_json(sweep);
  EXPECT_NO_THROW(sweep_from_json(good));
  for (const auto& [key, value] : good.items()) {
    Json without = good;
    without.erase(key);
    EXPECT_ANY_THROW(sweep_from_json(without)) << key;
  }
  Json short_row = good;
  short_row["loss_nats"][0].erase(0);
  EXPECT_ANY_THROW(sweep_from_json(short_row));
  Json no_plan = good;
  no_plan["plans"][0]["removed"] = {4};
  EXPECT_ANY_THROW(sweep_from_json(no_plan));
}

TEST(Publish, PutsAllFilesOrNone) {
  const testing::TemporaryFolder folder;
  const fs::path out = folder / "out";
  publish({{"a.csv", "1"}, {"report.html", "2"}}, out);
  EXPECT_EQ(read_file(out / "a.csv") + read_file(out / "report.html"), "12");
  {
    const testing::FileSizeLimit limit(100);
    EXPECT_EQ(error_of([&] {
                publish({{"a.csv", "3"}, {"report.html", std::string(200, 'x')}}, out);
              }).kind(),
              ErrorKind::kResource);
  }
  EXPECT_EQ(read_file(out / "a.csv") + read_file(out / "report.html"), "12");
  EXPECT_EQ(std::distance(fs::directory_iterator(out), fs::directory_iterator()), 2);
}

TEST(Publish, TriesAFolderWithoutLeavingIt) {
  const testing::TemporaryFolder folder;
  try_writable_folder(folder / "a/b/");
  EXPECT_FALSE(fs::exists(folder / "a"));
  fs::create_directory(folder / "old");
  try_writable_folder(folder / "old");
  EXPECT_TRUE(fs::exists(folder / "old"));
  put(folder / "file", "x");
  EXPECT_EQ(error_of([&] { try_writable_folder(folder / "file/below"); }).kind(),
            ErrorKind::kResource);
}

TEST(Publish, RemovesWhatDeadProcessesLeft) {
  const testing::TemporaryFolder folder;
  const std::string mine = ".partial-" + std::to_string(getpid());
  for (const std::string& name :
       {mine, std::string(".partial-999999999"), std::string(".partial-x"), std::string("kept")})
    put(folder.path() / name / "file", "x");
  remove_leftovers(folder.path());
  EXPECT_TRUE(fs::exists(folder.path() / mine));  // still at work
  EXPECT_FALSE(fs::exists(folder / ".partial-999999999"));
  EXPECT_TRUE(fs::exists(folder / ".partial-x"));
  EXPECT_TRUE(fs::exists(folder / "kept"));
}

}  // namespace
}  // namespace plumb::harness
