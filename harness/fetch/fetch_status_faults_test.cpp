// What the Hub may answer instead of the bytes, where it may send a client on to, and where the token may go.

#include <gtest/gtest.h>

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

HubFault busy(int code, const std::string& retry_after) {
  return both(status(code, "", "busy"), header("Retry-After", retry_after));
}

std::vector<FaultCase> statuses() {
  return {
      {"401", status(401, "", "Invalid credentials"), kAlways, kNetwork, "401"},
      {"401 of a gated repository", status(401, "GatedRepo", "Access is restricted"), kAlways,
       kNetwork},
      {"403", status(403, "", "Forbidden"), kAlways, kNetwork, "403"},
      {"403 of a gated repository", status(403, "GatedRepo", "Access is restricted"), kAlways,
       kNetwork},
      {"404 of a file that was listed", status(404, "EntryNotFound", "Entry not found"), kAlways,
       kNetwork, "404"},
      {"408", status(408), kOnce},
      {"408 every time", status(408), kAlways, kNetwork, "408"},
      {"410", status(410), kAlways, kNetwork, "410"},
      {"429 without Retry-After", status(429), kOnce},
      {"429, Retry-After 0", busy(429, "0"), kOnce},
      {"429, Retry-After a date that has passed", busy(429, "Wed, 21 Oct 2015 07:28:00 GMT"),
       kOnce},
      {"429, Retry-After of a day", busy(429, "86400"), kAlways, kNetwork, "429"},
      {"429, Retry-After a date in 2120", busy(429, "Mon, 21 Oct 2120 07:28:00 GMT"), kAlways,
       kNetwork, "429"},
      {"429, Retry-After of 2^70", busy(429, "1180591620717411303424"), kAlways, kNetwork, "429"},
      {"429, Retry-After garbage", busy(429, "soon\x01; maybe"), kOnce},
      {"429, Retry-After negative", busy(429, "-5"), kOnce},
      {"429 every time", status(429), kAlways, kNetwork, "429"},
      {"451", status(451, "", "Unavailable For Legal Reasons"), kAlways, kNetwork, "451"},
      {"500", status(500), kOnce},
      {"500 every time", status(500), kAlways, kNetwork, "500"},
      {"501 every time", status(501), kAlways, kNetwork, "501"},
      {"502", status(502), kOnce},
      {"503, Retry-After 0", busy(503, "0"), kOnce},
      {"504 twice", status(504), 2},
      {"204, no content", status(204), kAlways, kNetwork},
      {"a status of 999", status(999), kAlways, kNetwork},
  };
}

TEST(FetchStatusFaults, OfTheBytesEndInTheRightFileOrInTheRightError) {
  const auto faults = statuses();
  for (const FaultCase& fault : faults)
    for (const bool lfs : {false, true}) {
      HubTrial trial;
      const HubFile& file = lfs ? trial.large() : trial.plain();
      expect_ending(trial, file, fault, testing::body_of(file));
    }
  testing::print_count("of a file's status", faults.size());
}

TEST(FetchStatusFaults, OfTheListingEndInTheRightFileOrInTheRightError) {
  std::vector<FaultCase> faults = {
      {"404 of the repository", status(404, "RepoNotFound", "Repository not found"), kAlways,
       kUsage, "org/model"},
      {"401 of a repository that is not there", status(401, "RepoNotFound", "Repository not found"),
       kAlways, kUsage, "org/model"},
      {"404 of the revision", status(404, "RevisionNotFound", "Invalid rev id"), kAlways, kUsage,
       "main"},
      {"403 of a gated repository", status(403, "GatedRepo", "Access is restricted"), kAlways,
       kNetwork, "org/model"},
      {"401", status(401, "", "Invalid username or password."), kAlways, kNetwork, "401"},
      {"429, Retry-After 1", busy(429, "1"), kOnce},
      {"503", status(503), kOnce},
      {"503 every time", status(503), kAlways, kNetwork, "503"},
      {"451", status(451), kAlways, kNetwork, "451"},
      {"reset", cut_header(20, LoopbackResponse::Ending::kReset), kOnce},
      {"nothing at all",
       cut_header(0, LoopbackResponse::Ending::kStall),
       kOnce,
       {},
       "",
       testing::kShort},
      {"cut in the middle", cut_at(0.5), kOnce},
  };
  for (const FaultCase& fault : faults) {
    HubTrial trial;
    expect_ending(trial, trial.large(), fault, {.part = "/api/"});
  }
  testing::print_count("of the listing's status", faults.size());
}

std::vector<FaultCase> redirects(const LoopbackHub& hub, const std::string& other) {
  const std::string path = "/org/model/resolve/" + std::string(testing::kCommit) + "/plain.json";
  const std::string cdn = hub.cdn();
  std::vector<FaultCase> cases;
  for (const int code : {301, 302, 303, 307, 308})
    cases.push_back({"redirect to itself", redirect(code, path), kOnce});
  const auto refused = [&](const char* name, const std::string& to) {
    cases.push_back({name, redirect(302, to), kAlways, kNetwork});
  };
  refused("redirect in a circle", path);
  refused("redirect without Location", "");
  refused("redirect to another host of this machine that knows nothing", other + "/x");
  refused("redirect to file:", "file:///etc/passwd");
  refused("redirect to ftp:", "ftp://127.0.0.1/plain.json");
  refused("redirect to gopher:", "gopher://127.0.0.1/plain.json");
  refused("redirect to scp:", "scp://127.0.0.1/plain.json");
  refused("redirect to data:", "data:text/plain,x");
  refused("redirect with a user", "http://user:word@127.0.0.1/plain.json");
  refused("redirect to the metadata service", "http://169.254.169.254/latest/meta-data");
  refused("redirect to the metadata service in decimal", "http://2852039166/latest");
  refused("redirect to the metadata service within IPv6", "http://[::ffff:169.254.169.254]/latest");
  refused("redirect to a private address without encryption", "http://10.0.0.1/plain.json");
  refused("redirect to a host without encryption", "http://example.com/plain.json");
  refused("redirect to no address", "http://");
  refused("redirect to port 0", "http://127.0.0.1:0/plain.json");
  refused("redirect to port 99999", "http://127.0.0.1:99999/plain.json");
  refused("redirect with a space", "http://127.0.0.1 /plain.json");
  refused("redirect to https that is not there", "https://127.0.0.1:1/plain.json");
  return cases;
}

TEST(FetchRedirects, LeadToTheFileOrAreRefused) {
  LoopbackServer other(
      [](const LoopbackRequest&) {
        LoopbackResponse response;
        response.status = 404;
        return response;
      },
      "127.0.0.2");
  const std::string elsewhere = text("http://127.0.0.2:", other.port());
  const size_t count = redirects(HubTrial().hub(), elsewhere).size();
  for (size_t i = 0; i < count; ++i) {
    HubTrial trial;
    const FaultCase fault = redirects(trial.hub(), elsewhere)[i];
    expect_ending(trial, trial.plain(), fault, testing::body_of(trial.plain()));
  }
  testing::print_count("of redirects", count);
}

/// A server at another address or port that has the file too, and what was asked of it.
class OtherServer {
 public:
  OtherServer(const HubFile& file, const std::string& address, int port = 0)
      : server_(
            [this, file](const LoopbackRequest& request) {
              const std::lock_guard lock(mutex_);
              requests_.push_back(request);
              LoopbackResponse response;
              response.body = file.bytes;
              for (const auto& [name, value] : headers_) response.set(name, value);
              return response;
            },
            address, port),
        address_(address) {}
  std::string url() const { return text("http://", address_, ":", server_.port(), "/x"); }
  int port() const { return server_.port(); }
  void add_header(const std::string& name, const std::string& value) {
    headers_.emplace_back(name, value);
  }
  /// At least one request, and none with the token.
  void expect_asked_without_token() {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(requests_.empty());
    for (const auto& request : requests_) {
      EXPECT_EQ(request.header("authorization"), "");
      for (const auto& [name, value] : request.headers)
        EXPECT_EQ(value.find(testing::kToken), std::string::npos) << name;
      EXPECT_EQ(request.target.find(testing::kToken), std::string::npos);
    }
  }

 private:
  std::mutex mutex_;
  std::vector<LoopbackRequest> requests_;
  std::vector<std::pair<std::string, std::string>> headers_;
  LoopbackServer server_;
  std::string address_;
};

TEST(FetchToken, StaysWithTheHubsSchemeHostAndPort) {
  for (const char* where : {"another port", "another host", "another host, same port"}) {
    SCOPED_TRACE(where);
    HubTrial trial;
    const HubFile& file = trial.plain();
    const bool host = std::string(where) != "another port";
    const int port = std::string(where) == "another host, same port" ? trial.hub().port() : 0;
    OtherServer other(file, host ? "127.0.0.2" : "127.0.0.1", port);
    expect_ending(trial, file, {"redirect to the file elsewhere", redirect(307, other.url())},
                  testing::body_of(file));
    other.expect_asked_without_token();
    const auto requests = trial.hub().requests();
    EXPECT_TRUE(std::any_of(requests.begin(), requests.end(), [](const auto& request) {
      return request.header("authorization") == text("Bearer ", testing::kToken);
    }));
  }
}

TEST(FetchToken, FollowsAnAddressWithoutScheme) {
  HubTrial trial;
  OtherServer other(trial.plain(), "127.0.0.1");
  const std::string without = other.url().substr(5);  // "//127.0.0.1:port/x"
  expect_ending(trial, trial.plain(), {"redirect to //host", redirect(302, without)},
                testing::body_of(trial.plain()));
  other.expect_asked_without_token();
}

// A server that is not the Hub has no say in what a file is.
TEST(FetchToken, BelievesNoHubHeadersOfAnotherHost) {
  HubTrial trial;
  OtherServer other(trial.plain(), "127.0.0.1");
  other.add_header("X-Linked-Etag", "\"" + std::string(64, 'a') + "\"");
  other.add_header("X-Linked-Size", "3");
  other.add_header("X-Repo-Commit", testing::kLaterCommit);
  expect_ending(trial, trial.plain(), {"X-Linked-* of another host", redirect(302, other.url())},
                testing::body_of(trial.plain()));
}

TEST(FetchRedirects, AreFollowedTwentyTimesAndNoMore) {
  for (const int hops : {5, 20, 21}) {
    HubTrial trial;
    const std::string path = "/org/model/resolve/" + std::string(testing::kCommit) + "/plain.json";
    auto left = std::make_shared<std::atomic<int>>(hops);
    const HubFault hop = [=](const LoopbackRequest& request, LoopbackResponse& response) {
      if ((*left)-- > 0) redirect(302, path)(request, response);
    };
    std::optional<ErrorKind> kind;
    if (hops > 20) kind = kNetwork;
    const std::string name = text(hops, " redirects");
    expect_ending(trial, trial.plain(), {name.c_str(), hop, kAlways, kind},
                  testing::body_of(trial.plain()));
  }
}

// Small files by way of a relative redirect, and a listing in pages, are how the Hub answers on a good day.
TEST(FetchRedirects, WithinTheHubKeepTheToken) {
  HubTrial trial;
  trial.hub().set_relative_redirects(true);
  trial.hub().set_page_size(1);
  for (const HubFile* file : {&trial.plain(), &trial.large()})
    EXPECT_EQ(testing::fetch_one(trial, *file).said, "");
  for (const auto& request : trial.hub().requests())
    EXPECT_EQ(request.headers.count("authorization"), request.port == trial.hub().port() ? 1U : 0U);
}

}  // namespace
}  // namespace plumb::harness
