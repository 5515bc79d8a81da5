// The Hub cuts long lists of files and gives them whole in pages.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fixtures/hub/hub_faults.h"
#include "harness/fetch/fetch_testing.h"

namespace plumb::harness {
namespace {

using namespace fixtures;  // the faults
using plumb::testing::error_of;
using testing::HubTrial;
using testing::kCommit;
using enum ErrorKind;

/// A repository of more files than its first answer names.
class FetchListingPages : public ::testing::Test {
 protected:
  FetchListingPages() {
    std::vector<HubFile> files;
    for (int i = 0; i < 7; ++i)
      files.push_back({text("en/part-", i, ".json"), text("[", i, "]\n")});
    trial_.hub().add({"org/model", false, {{kCommit, files}}, {{"main", kCommit}}});
    trial_.hub().set_page_size(3);
    trial_.hub().on({.part = "/revision/"}, [](const LoopbackRequest&, LoopbackResponse& response) {
      auto listing = nlohmann::json::parse(response.body);
      listing["siblings"].erase(listing["siblings"].begin() + 2, listing["siblings"].end());
      response.body = listing.dump();
    });
    trial_.settings().whole_listing = 2;
  }
  Snapshot fetch_all() { return harness::fetch(trial_.settings(), {"org/model"}, {{"en/*.json"}}); }
  HubTrial trial_;
};

TEST_F(FetchListingPages, AreReadToTheLast) {
  const Snapshot snapshot = fetch_all();
  EXPECT_EQ(snapshot.files.size(), 7U);
  trial_.expect_sound_cache();
  trial_.expect_token_at_the_hub_alone();
}

TEST_F(FetchListingPages, AreNotFollowedToAnotherHost) {
  LoopbackServer other([](const LoopbackRequest& request) {
    ADD_FAILURE() << "was asked for " << request.target;
    return LoopbackResponse();
  });
  for (const std::string& to :
       {text("http://127.0.0.1:", other.port(), "/api/x"), std::string("file:///etc/passwd"),
        text("//127.0.0.1:", other.port(), "/api/x"), std::string("http://169.254.169.254/x")}) {
    trial_.hub().on({.part = "/tree/"}, header("Link", text("<", to, ">; rel=\"next\"")));
    EXPECT_EQ(error_of([&] { fetch_all(); }).kind(), kNetwork) << to;
  }
}

TEST_F(FetchListingPages, InACircleEnd) {
  trial_.hub().on({.part = "/tree/"},
                  [](const LoopbackRequest& request, LoopbackResponse& response) {
                    response.set("Link", text("<", request.target, ">; rel=\"next\""));
                  });
  EXPECT_EQ(error_of([&] { fetch_all(); }).kind(), kNetwork);
}

TEST_F(FetchListingPages, ThatAreNoneAreAnError) {
  for (const char* text : {"", "{}", "[1]", "[{\"type\": \"file\"}]", "<html></html>", "[[[["}) {
    trial_.hub().on({.part = "/tree/"}, body(text));
    EXPECT_EQ(error_of([&] { fetch_all(); }).kind(), kNetwork) << text;
  }
}

}  // namespace
}  // namespace plumb::harness
