// One cache for Plumb and for huggingface_hub: each reads what the other fetched, goes on where it stopped, and fetches
// nothing twice.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "fixtures/hub/hub_faults.h"
#include "harness/fetch/fetch_testing.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using namespace fixtures;  // the faults
using nlohmann::json;
using testing::HubTrial;
using testing::kCommit;

class FetchPeer : public ::testing::Test {
 protected:
  void SetUp() override {
    python_ = plumb::testing::peer_python("huggingface_hub");
    if (!python_.missing.empty()) GTEST_SKIP() << python_.missing;
    repository_ = {"org/model",
                   false,
                   {{kCommit,
                     {{"config.json", "{\"model_type\": \"llama\"}\n"},
                      {"README.md", "# A model\n"},
                      {"empty.txt", ""},
                      {"nested/deeper/tokenizer.json", "{\"model\": {}}\n"},
                      {"model.safetensors", testing::noise(300'000, 3), true},
                      {"nested/same.safetensors", testing::noise(300'000, 3), true}}}},
                   {{"main", kCommit}, {"v1.0", kCommit}}};
    trial_.hub().add(repository_);
    HubRepository dataset = repository_;
    dataset.dataset = true;
    dataset.id = "org/data";
    trial_.hub().add(dataset);
  }

  HubId id(bool dataset, const std::string& revision = "main") const {
    return {dataset ? "org/data" : "org/model", revision,
            dataset ? RepositoryKind::kDataset : RepositoryKind::kModel};
  }
  Snapshot plumb_fetches(bool dataset, const std::string& revision = "main") {
    return harness::fetch(trial_.settings(), id(dataset, revision), {{"*"}});
  }
  /// hub_peer.py's JSON. `action`: "fetch" or "read"; `online`: whether the Hub may be asked.
  json peer(const std::string& action, bool dataset, const std::string& more = "") {
    const std::string hub = action == "fetch" ? "HF_ENDPOINT=" + trial_.hub().endpoint()
                                              : "HF_ENDPOINT=http://127.0.0.1:1 HF_HUB_OFFLINE=1";
    const std::string command =
        text(hub, " HF_HUB_DISABLE_TELEMETRY=1 '", python_.path, "' '", PLUMB_SOURCE_DIR,
             "/fixtures/hub/hub_peer.py' ", action, " --repository ", id(dataset).repository,
             dataset ? " --dataset" : "", " --cache '", trial_.cache().string(), "' ", more,
             " --out '", trial_.path("cache-said.json").string(), "' >'",
             trial_.path("cache-log").string(), "' 2>&1");
    if (std::system(command.c_str()) != 0)
      throw Error(ErrorKind::kInternal, read_file(trial_.path("cache-log")));
    return json::parse(read_file(trial_.path("cache-said.json")));
  }
  void expect_right(const json& said, const fs::path& folder) const {
    EXPECT_EQ(said.at("folder"), folder.string());
    json expected;
    for (const HubFile& file : repository_.commits.at(kCommit))
      expected[file.name] = sha256_hex(file.bytes);
    EXPECT_EQ(said.at("files"), expected);
    EXPECT_EQ(said.at("cache").at("warnings"), json::array());
  }
  void expect_right(const Snapshot& snapshot) const {
    EXPECT_EQ(snapshot.files.size(), repository_.commits.at(kCommit).size());
    for (const HubFile& file : repository_.commits.at(kCommit))
      EXPECT_TRUE(read_file(snapshot.folder / file.name) == file.bytes) << file.name;
    trial_.expect_sound_cache();
  }
  /// Requests for bytes since `forget_requests`.
  size_t gets() const {
    size_t count = 0;
    for (const auto& request : trial_.hub().requests())
      count += request.method == "GET" && request.path.rfind("/api/", 0) != 0 ? 1 : 0;
    return count;
  }

  plumb::testing::PeerPython python_;
  HubRepository repository_;
  mutable HubTrial trial_;
};

TEST_F(FetchPeer, ReadsWhatPlumbFetched) {
  for (const bool dataset : {false, true}) {
    const Snapshot snapshot = plumb_fetches(dataset);
    expect_right(snapshot);
    const json said = peer("read", dataset);
    expect_right(said, snapshot.folder);
    const json& repository = said.at("cache").at("repositories").at(0);
    EXPECT_EQ(repository.at("type"), dataset ? "dataset" : "model");
    EXPECT_EQ(repository.at("id"), id(dataset).repository);
    EXPECT_EQ(repository.at("revisions"), (json{{kCommit, {"main"}}}));
  }
}

TEST_F(FetchPeer, ReadsCopiesAndOtherRevisionsToo) {
  trial_.settings().links = false;
  const Snapshot snapshot = plumb_fetches(false, "v1.0");
  expect_right(peer("read", false, "--revision v1.0"), snapshot.folder);
}

TEST_F(FetchPeer, FindsNothingToFetchAndNothingWrongInWhatPlumbFetched) {
  const Snapshot snapshot = plumb_fetches(false);
  trial_.hub().forget_requests();
  const json said = peer("fetch", false, "--verify");
  expect_right(said, snapshot.folder);
  EXPECT_EQ(gets(), 0U);
  EXPECT_EQ(said.at("verified").at("checked"), snapshot.files.size());
  EXPECT_EQ(said.at("verified").at("mismatches"), json::array());
  EXPECT_EQ(said.at("verified").at("missing"), json::array());
}

TEST_F(FetchPeer, LeavesNothingForPlumbToFetch) {
  for (const bool dataset : {false, true}) {
    const json said = peer("fetch", dataset);
    trial_.hub().forget_requests();
    const Snapshot snapshot = plumb_fetches(dataset);
    expect_right(said, snapshot.folder);
    expect_right(snapshot);
    EXPECT_EQ(snapshot.fetched_bytes, 0U);
    EXPECT_EQ(gets(), 0U);
    for (const FetchedFile& file : snapshot.files) EXPECT_TRUE(file.was_cached) << file.name;
    trial_.settings().offline = true;
    expect_right(plumb_fetches(dataset));
    trial_.settings().offline = false;
  }
}

TEST_F(FetchPeer, FinishesWhatPlumbBeganAndTheOtherWayRound) {
  // Plumb stops in the middle of the large files.
  trial_.hub().on({.part = "/lfs/"}, cut_at(0.5));
  EXPECT_THROW(plumb_fetches(false), Error);
  trial_.hub().no_more_faults();
  const Snapshot folder_of = look_up(trial_.settings(), id(false), {{"*"}});
  expect_right(peer("fetch", false), folder_of.folder);
  expect_right(plumb_fetches(false));
  // The other stops; what it leaves has names of its own, and Plumb does not mind.
  trial_.hub().on({.part = "/lfs/"}, status(403));

  const std::string command =
      text("HF_ENDPOINT=", trial_.hub().endpoint(), " '", python_.path, "' '", PLUMB_SOURCE_DIR,
           "/fixtures/hub/hub_peer.py' fetch --repository org/data --dataset --cache '",
           trial_.cache().string(), "' --out /dev/null >/dev/null 2>&1");
  EXPECT_NE(std::system(command.c_str()), 0);
  trial_.hub().no_more_faults();
  expect_right(plumb_fetches(true));
  expect_right(peer("read", true), look_up(trial_.settings(), id(true), {{"*"}}).folder);
}

}  // namespace
}  // namespace plumb::harness
