// What the Hub says of files and repositories becomes names of files here, so none of it is believed.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "fixtures/hub/hub_faults.h"
#include "harness/fetch/fetch_testing.h"

namespace plumb::harness {
namespace {

using namespace fixtures;  // the faults
using plumb::testing::error_of;
using testing::expect_ending;
using testing::FaultCase;
using testing::HubTrial;
using testing::kAlways;
using testing::kCommit;
using testing::kOnce;
using enum ErrorKind;

/// Of a small file (ETag) and of a large one (X-Linked-Etag) alike.
HubFault etag(const std::string& value) {
  return [=](const LoopbackRequest&, LoopbackResponse& response) {
    response.set(response.status == 302 ? "X-Linked-Etag" : "ETag", value);
  };
}
HubFault without_etag() { return both(without_header("ETag"), without_header("X-Linked-Etag")); }
HubFault size(const std::string& value) {
  return [=](const LoopbackRequest&, LoopbackResponse& response) {
    if (response.status == 302)
      response.set("X-Linked-Size", value);
    else
      response.length = value;
  };
}

std::vector<FaultCase> metadata_faults() {
  return {
      {"no ETag", without_etag(), kAlways, kNetwork, "ETag"},
      {"an empty ETag", etag("\"\""), kAlways, kNetwork, "ETag"},
      {"an ETag with a slash", etag("\"../../../outside\""), kAlways, kNetwork, "ETag"},
      {"an ETag of dots", etag("\"..\""), kAlways, kNetwork, "ETag"},
      {"an absolute ETag", etag("\"/tmp/outside\""), kAlways, kNetwork, "ETag"},
      {"an ETag with a backslash", etag("\"a\\..\\b\""), kAlways, kNetwork, "ETag"},
      {"an ETag of an object store", etag("\"0123456789abcdef0123456789abcdef-12\""), kAlways,
       kNetwork, "ETag"},
      {"an ETag of 39 digits", etag('"' + std::string(39, 'a') + '"'), kAlways, kNetwork, "ETag"},
      {"an ETag of 65 digits", etag('"' + std::string(65, 'a') + '"'), kAlways, kNetwork, "ETag"},
      {"an ETag of 100 kB", etag('"' + std::string(100'000, 'a') + '"'), kAlways, kNetwork},
      {"an ETag of other bytes", etag('"' + std::string(64, 'a') + '"'), kAlways, kInput},
      {"an ETag that is no hex", etag('"' + std::string(40, 'z') + '"'), kAlways, kNetwork, "ETag"},
      {"a size that is too small", size("7"), kAlways, kInput},
      {"a size of zero", size("0"), kAlways, kInput},
      {"a size that is too large", size("60000"), kAlways, kInput},
      {"a negative size", size("-1"), kAlways, kNetwork},
      {"a size that is no number", size("all"), kAlways, kNetwork},
      {"a size of 2^63", size("9223372036854775808"), kAlways, kNetwork},
      {"a size of 2^64", size("18446744073709551616"), kAlways, kNetwork},
      {"a size beyond every disk", size("1152921504606846976"), kAlways, kResource},
      {"no commit", without_header("X-Repo-Commit"), kAlways, kNetwork, "commit"},
      {"a commit that is none", header("X-Repo-Commit", "../../x"), kAlways, kNetwork, "commit"},
      {"another commit", header("X-Repo-Commit", testing::kLaterCommit), kAlways, kNetwork,
       "commit"},
      {"a head of many megabytes", header("X-Filler", std::string(3'000'000, 'x')), kAlways,
       kNetwork},
      {"503 once", status(503), kOnce},
      {"reset once", cut_header(20, LoopbackResponse::Ending::kReset), kOnce},
      {"nothing once",
       cut_header(0, LoopbackResponse::Ending::kStall),
       kOnce,
       {},
       "",
       testing::kShort},
      {"405, as where HEAD is not served", status(405), kAlways, kNetwork, "405"},
      {"404 of the file", status(404, "EntryNotFound", "Entry not found"), kAlways, kNetwork,
       "404"},
  };
}

TEST(FetchMetadataFaults, EndInTheRightFileOrInTheRightError) {
  const auto faults = metadata_faults();
  for (const FaultCase& fault : faults)
    for (const bool lfs : {false, true}) {
      HubTrial trial;
      expect_ending(trial, lfs ? trial.large() : trial.plain(), fault,
                    {.part = "/resolve/", .method = "HEAD", .side = HubRule::Side::kHub});
    }
  testing::print_count("of a file's metadata", faults.size());
}

// Forms of the same name that a Hub or a proxy before it may use.
TEST(FetchMetadata, TakesWeakUnquotedAndUpperCaseEtags) {
  for (const char* form : {"W/\"H\"", "H", "\"H\"", "W/\"U\""})
    for (const bool lfs : {false, true}) {
      HubTrial trial;
      const HubFile& file = lfs ? trial.large() : trial.plain();
      std::string value = form, upper = file.hash;
      for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      if (const size_t at = value.find('H'); at != std::string::npos)
        value.replace(at, 1, file.hash);
      if (const size_t at = value.find('U'); at != std::string::npos) value.replace(at, 1, upper);
      const std::string name = std::string("ETag in the form ") + form;
      expect_ending(trial, file, {name.c_str(), etag(value)}, {.part = "/resolve/"});
    }
}

std::string listing(const std::vector<std::string>& names, const std::string& commit = kCommit) {
  nlohmann::json siblings = nlohmann::json::array();
  for (const std::string& name : names) siblings.push_back({{"rfilename", name}});
  return nlohmann::json{{"id", "org/model"}, {"sha", commit}, {"siblings", siblings}}.dump();
}

TEST(FetchListing, ThatIsNoneIsAnError) {
  const std::string fine = listing({"plain.json", "large.safetensors"});
  const std::pair<const char*, std::string> bodies[] = {
      {"empty", ""},
      {"a login page", "<html><body>Sign in</body></html>"},
      {"cut JSON", fine.substr(0, fine.size() / 2)},
      {"an array", "[]"},
      {"null", "null"},
      {"no commit", "{\"siblings\": []}"},
      {"a commit that is no word", "{\"sha\": 5, \"siblings\": []}"},
      {"a commit with dots", listing({"plain.json"}, "../../../outside")},
      {"an upper-case commit", listing({"plain.json"}, std::string(40, 'A'))},
      {"no siblings", std::string("{\"sha\": \"") + kCommit + "\"}"},
      {"siblings that are a word",
       std::string("{\"sha\": \"") + kCommit + "\", \"siblings\": \"x\"}"},
      {"siblings that are an object",
       std::string("{\"sha\": \"") + kCommit + "\", \"siblings\": {}}"},
      {"a sibling without a name",
       std::string("{\"sha\": \"") + kCommit + "\", \"siblings\": [{\"size\": 1}]}"},
      {"deeper than any listing", std::string(200'000, '[')},
      {"not UTF-8", listing({"plain.json"}) + "\xff"},
      {"no file of that name", listing({"other.json"})},
  };
  for (const auto& [name, bytes] : bodies) {
    HubTrial trial;
    const std::optional<ErrorKind> kind =
        std::string(name) == "no file of that name" ? kUsage : kNetwork;
    expect_ending(trial, trial.plain(), {name, body(bytes), kAlways, kind}, {.part = "/api/"});
  }
  testing::print_count("of the listing's text", std::size(bodies));
}

TEST(FetchListing, WithoutAnEndIsAnError) {
  HubTrial trial;
  expect_ending(trial, trial.plain(), {"a listing without end", endless(), kAlways, kNetwork},
                {.part = "/api/"});
}

// A name in the listing becomes a path in the snapshot: none leaves it, and nothing is fetched before that is known.
TEST(FetchListing, NamesThatLeaveTheFolderAreRefused) {
  for (const std::string& name :
       {std::string("../outside.json"), std::string("a/../../outside.json"),
        std::string("/etc/outside.json"), std::string("a/./b.json"), std::string("a//b.json"),
        std::string("..\\outside.json"), std::string("C:\\outside.json"),
        std::string("~/outside.json"), std::string("a\nb.json"), std::string("a\0b.json", 8),
        std::string("a/..b/../../../outside.json"), std::string("%2e%2e/outside.json"),
        std::string("-rf.json"), std::string("\xe2\x80\xae.json"), std::string(".json/")}) {
    SCOPED_TRACE(name);
    HubTrial trial;
    trial.hub().on({.part = "/api/"}, body(listing({"plain.json", name})));
    try {
      const Snapshot snapshot = harness::fetch(trial.settings(), {"org/model"}, {{"*.json", "*"}});
      for (const FetchedFile& file : snapshot.files) EXPECT_EQ(file.name, "plain.json");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kInput) << error.what();
      const std::string said = error.what();
      EXPECT_EQ(said.find('\n'), std::string::npos);
      EXPECT_EQ(said.find('\0'), std::string::npos);
    }
    for (const auto& request : trial.hub().requests())
      EXPECT_EQ(request.path.find("outside"), std::string::npos) << request.target;
    trial.expect_sound_cache();
  }
}

TEST(FetchListing, NamesThatNoFileSystemHoldsAreAnErrorOfTheDisk) {
  HubTrial trial;
  const HubFile file = {std::string(300, 'n') + ".json", "{}\n"};
  trial.hub().add({"org/model", false, {{kCommit, {file}}}, {{"main", kCommit}}});
  const Error error = error_of([&] { trial.fetch(file.name); });
  EXPECT_TRUE(error.kind() == kResource || error.kind() == kInput) << error.what();
  trial.expect_sound_cache();
}

TEST(FetchListing, AFileThatIsAlsoAFolderIsAnError) {
  HubTrial trial;
  const HubFile file = {"a.json", "{}\n"}, inner = {"a.json/b.json", "[]\n"};
  trial.hub().add({"org/model", false, {{kCommit, {file, inner}}}, {{"main", kCommit}}});
  const Error error =
      error_of([&] { harness::fetch(trial.settings(), {"org/model"}, {{"*.json"}}); });
  EXPECT_TRUE(error.kind() == kResource || error.kind() == kInput) << error.what();
  trial.expect_sound_cache();
}

// The shards that an index names are paths too.
TEST(FetchModel, TakesNoShardOutsideOfTheRepository) {
  for (const char* shard : {"../outside.safetensors", "/etc/outside.safetensors", "a/../../outside",
                            "model-00001.bin", "not-in-the-listing.safetensors", ""}) {
    SCOPED_TRACE(shard);
    HubTrial trial;
    const nlohmann::json index = {{"metadata", {{"total_size", 1}}},
                                  {"weight_map", {{"w", shard}}}};
    trial.hub().add({"org/model",
                     false,
                     {{kCommit,
                       {{"config.json", "{}\n"},
                        {"model.safetensors.index.json", index.dump()},
                        {"model-00001.bin", "pickled", true}}}},
                     {{"main", kCommit}}});
    const Error error = error_of([&] { fetch_model(trial.settings(), {"org/model"}); });
    EXPECT_EQ(error.kind(), kInput) << error.what();
    for (const auto& request : trial.hub().requests())
      EXPECT_EQ(request.path.find("outside"), std::string::npos) << request.target;
    trial.expect_sound_cache();
  }
}

TEST(FetchModel, TakesNoPickle) {
  HubTrial trial;
  trial.hub().add({"org/model",
                   false,
                   {{kCommit, {{"config.json", "{}\n"}, {"pytorch_model.bin", "pickled", true}}}},
                   {{"main", kCommit}}});
  EXPECT_EQ(error_of([&] { fetch_model(trial.settings(), {"org/model"}); }).kind(), kInput);
  EXPECT_EQ(error_of([&] { trial.fetch("pytorch_model.bin"); }).kind(), kInput);
  for (const auto& request : trial.hub().requests())
    EXPECT_EQ(request.path.find("pytorch"), std::string::npos) << request.target;
}

}  // namespace
}  // namespace plumb::harness
