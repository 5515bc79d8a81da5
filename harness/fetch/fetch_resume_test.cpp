// What an interrupted download left is gone on with, and never believed.

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "fixtures/formats/safetensors_file.h"
#include "fixtures/hub/hub_faults.h"
#include "harness/fetch/fetch_testing.h"

namespace plumb::harness {
namespace {

using namespace fixtures;  // the faults
using testing::expect_ending;
using testing::FaultCase;
using testing::HubTrial;
using testing::kAlways;
using testing::kOnce;
using enum ErrorKind;

std::string first_half(const HubFile& file) { return file.bytes.substr(0, file.bytes.size() / 2); }

HubFault status_416(bool with_range) {
  return [=](const LoopbackRequest&, LoopbackResponse& response) {
    response = {};
    response.status = 416;
    if (with_range) response.set("Content-Range", "bytes */7");
  };
}

HubFault whole_instead(const HubFile& file) {
  return [=](const LoopbackRequest&, LoopbackResponse& response) {
    response.status = 200;
    response.remove("Content-Range");
    response.body = file.bytes;
  };
}

HubFault unknown_size() {
  return [](const LoopbackRequest&, LoopbackResponse& response) {
    for (auto& [name, value] : response.headers)
      if (name == "Content-Range") value = value.substr(0, value.find('/')) + "/*";
  };
}

/// As a server that gives so many bytes at a time: a whole answer, and not all that is missing.
HubFault part_of_it() {
  return [](const LoopbackRequest& request, LoopbackResponse& response) {
    if (response.status != 206) return;
    const std::string range = request.header("range");
    const uint64_t first = std::stoull(range.substr(6)), count = (response.body.size() + 1) / 2;
    for (auto& [name, value] : response.headers)
      if (name == "Content-Range")
        value = text("bytes ", first, "-", first + count - 1, value.substr(value.find('/')));
    response.body.resize(count);
  };
}

std::vector<FaultCase> range_faults(const HubFile& file) {
  const std::string size = text(file.bytes.size()), half = text(file.bytes.size() / 2);
  return {
      {"as it should be", [](const LoopbackRequest&, LoopbackResponse&) {}},
      {"200 with all bytes", whole_instead(file)},
      {"200 with all bytes, cut", both(whole_instead(file), cut_at(0.7)), kOnce},
      {"206 that begins elsewhere", header("Content-Range", text("bytes 0-", size, "/", size)),
       kOnce},
      {"206 of another size", header("Content-Range", text("bytes ", half, "-99/100")), kOnce},
      {"206 that does not say the whole size", unknown_size()},
      {"206 of a part of what was asked for", part_of_it(), 3},
      {"206 without Content-Range", without_header("Content-Range"), kOnce},
      {"206 with a Content-Range that is none", header("Content-Range", "bytes all of them"),
       kOnce},
      {"206 with other bytes of the right length",
       changed([](const std::string& bytes) { return std::string(bytes.size(), '?'); }), kOnce},
      {"206 with one byte too few", short_by(1), kOnce},
      {"206 with a byte too many", changed([](const std::string& b) { return b + "x"; }), kOnce},
      {"206 without an end", endless(), kOnce},
      {"416 although bytes are missing", status_416(false), kOnce},
      {"416 that says another size", status_416(true), kOnce},
  };
}

// Some of these servers are wrong once only; then it is the client that must come to the right file on its own, at the
// latest in its next call, which expect_ending asks for.
TEST(FetchResume, EndsInTheRightFileWhateverTheServerMakesOfTheRange) {
  for (const bool lfs : {false, true}) {
    const size_t count = range_faults(HubTrial().plain()).size();
    for (size_t i = 0; i < count; ++i) {
      HubTrial trial;
      const HubFile& file = lfs ? trial.large() : trial.plain();
      trial.leave_incomplete(file, first_half(file));
      expect_ending(trial, file, range_faults(file)[i], testing::body_of(file));
    }
  }
  testing::print_count("of ranges", range_faults(HubTrial().plain()).size() - 1);  // one is none
}

TEST(FetchResume, FetchesOnlyWhatIsMissing) {
  for (const bool lfs : {false, true}) {
    HubTrial trial;
    const HubFile& file = lfs ? trial.large() : trial.plain();
    trial.leave_incomplete(file, first_half(file));
    const uint64_t before = trial.hub().body_bytes();
    Snapshot snapshot = trial.fetch(file.name);
    EXPECT_EQ(snapshot.fetched_bytes, file.bytes.size() - first_half(file).size());
    if (lfs) {  // the Hub's own bytes count listings too
      const auto requests = trial.hub().requests();
      const auto get = std::find_if(requests.begin(), requests.end(), [&](const auto& request) {
        return request.method == "GET" && request.port == trial.hub().cdn_port();
      });
      ASSERT_NE(get, requests.end());
      EXPECT_EQ(get->header("range").rfind(text("bytes=", first_half(file).size(), "-"), 0), 0U);
    }
    EXPECT_LT(trial.hub().body_bytes() - before, file.bytes.size() + 2000);
    EXPECT_FALSE(std::filesystem::exists(trial.incomplete(file)));
    snapshot = trial.fetch(file.name);
    EXPECT_EQ(snapshot.fetched_bytes, 0U);
    EXPECT_TRUE(snapshot.files.at(0).was_cached);
    trial.expect_sound_cache();
  }
}

struct Left {
  const char* name;
  std::string (*bytes)(const HubFile& file);
};

TEST(FetchResume, GetsOverAnythingThatLiesWhereThePartWas) {
  const Left all[] = {
      {"nothing", [](const HubFile&) { return std::string(); }},
      {"all of it", [](const HubFile& file) { return file.bytes; }},
      {"all but a byte", [](const HubFile& f) { return f.bytes.substr(0, f.bytes.size() - 1); }},
      {"more than all of it", [](const HubFile& file) { return file.bytes + "more"; }},
      {"the right size and other bytes",
       [](const HubFile& file) { return std::string(file.bytes.size(), 'o'); }},
      {"half of another commit's file",
       [](const HubFile& file) { return testing::noise(file.bytes.size() / 2, 77); }},
      {"half, with a hole of zeros at its end",
       [](const HubFile& file) {
         return first_half(file).substr(0, file.bytes.size() / 4) +
                std::string(file.bytes.size() / 4, '\0');
       }},
  };
  for (const Left& left : all)
    for (const bool lfs : {false, true}) {
      HubTrial trial;
      const HubFile& file = lfs ? trial.large() : trial.plain();
      trial.leave_incomplete(file, left.bytes(file));
      expect_ending(trial, file, {left.name, [](const LoopbackRequest&, LoopbackResponse&) {}},
                    testing::body_of(file));
    }
  testing::print_count("of what lies in the part's place", std::size(all));
}

// The file changes on the Hub between the listing and the bytes: what comes is not what was said.
TEST(FetchResume, NoticesThatTheFileChangedOnTheWay) {
  for (const bool lfs : {false, true})
    for (const bool resumed : {false, true}) {
      HubTrial trial;
      const HubFile& file = lfs ? trial.large() : trial.plain();
      if (resumed) trial.leave_incomplete(file, first_half(file));
      const HubFault other = [&](const LoopbackRequest& request, LoopbackResponse& response) {
        std::string bytes = testing::noise(file.bytes.size(), 5);
        const bool part = request.header("range") != "" && request.header("if-range").empty();
        response.status = part ? 206 : 200;
        response.body = part ? bytes.substr(bytes.size() / 2) : bytes;
        response.set("ETag", text('"', std::string(lfs ? 64 : 40, 'b'), '"'));
      };
      expect_ending(trial, file,
                    {resumed ? "other bytes and ETag, resumed" : "other bytes and ETag", other,
                     kAlways, kInput},
                    testing::body_of(file));
    }
}

TEST(FetchResume, TakesTheNewCommitOfABranchAndKeepsTheOld) {
  HubTrial trial;
  const Snapshot old = trial.fetch("large.safetensors");
  trial.leave_incomplete(trial.large(), "part of nothing");  // beside the blob that is there
  const Snapshot later = trial.fetch("large.safetensors", "later");
  EXPECT_EQ(later.commit, testing::kLaterCommit);
  EXPECT_NE(read_file(later.files.at(0).path), read_file(old.files.at(0).path));
  EXPECT_TRUE(read_file(old.files.at(0).path) == trial.large().bytes);
  const Snapshot again = trial.fetch("large.safetensors", testing::kCommit);
  EXPECT_EQ(again.fetched_bytes, 0U);
  trial.expect_sound_cache();
}

}  // namespace
}  // namespace plumb::harness
