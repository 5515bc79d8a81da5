// What people have in their environment, and servers that do not prove who they are.

#include <gtest/gtest.h>

#include <cstdlib>

#include "fixtures/formats/safetensors_file.h"
#include "fixtures/hub/channel.h"
#include "fixtures/hub/hub_faults.h"
#include "harness/fetch/fetch_testing.h"

namespace plumb::harness {
namespace {

using namespace fixtures;  // the faults
using plumb::testing::error_of;
using testing::HubTrial;
using testing::kCommit;
using enum ErrorKind;

/// Every variable of the Hub unset, and then as a test sets them; put back at the end.
class HubEnvironment : public ::testing::Test {
 protected:
  HubEnvironment() {
    for (const char* name : kNames) {
      if (const char* value = std::getenv(name)) before_[name] = value;
      ::unsetenv(name);
    }
    set("HOME", folder_.path().string());
  }
  ~HubEnvironment() override {
    for (const char* name : kNames) {
      ::unsetenv(name);
      if (before_.count(name) > 0) set(name, before_[name]);
    }
  }
  void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }
  std::filesystem::path home() const { return folder_.path(); }

 private:
  static constexpr const char* kNames[] = {"HOME",
                                           "HF_ENDPOINT",
                                           "HF_HUB_CACHE",
                                           "HUGGINGFACE_HUB_CACHE",
                                           "HF_HOME",
                                           "XDG_CACHE_HOME",
                                           "HF_TOKEN",
                                           "HUGGING_FACE_HUB_TOKEN",
                                           "HF_TOKEN_PATH",
                                           "HF_HUB_DISABLE_IMPLICIT_TOKEN",
                                           "HF_HUB_OFFLINE",
                                           "TRANSFORMERS_OFFLINE",
                                           "HF_HUB_ETAG_TIMEOUT",
                                           "HF_HUB_DOWNLOAD_TIMEOUT",
                                           "HF_HUB_DISABLE_SYMLINKS",
                                           "SSL_CERT_FILE",
                                           "REQUESTS_CA_BUNDLE",
                                           "CURL_CA_BUNDLE"};
  plumb::testing::TemporaryFolder folder_;
  std::map<std::string, std::string> before_;
};
using FetchSettings = HubEnvironment;

TEST_F(FetchSettings, AreThoseOfHuggingfaceHub) {
  const HubSettings plain = hub_settings();
  EXPECT_EQ(plain.endpoint, "https://huggingface.co");
  EXPECT_EQ(plain.cache, home() / ".cache/huggingface/hub");
  EXPECT_EQ(plain.token, "");
  EXPECT_FALSE(plain.offline);
  EXPECT_TRUE(plain.links);
  put(home() / ".cache/huggingface/token", "hf_stored\n");
  EXPECT_EQ(hub_settings().token, "hf_stored");
  set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
  EXPECT_EQ(hub_settings().token, "");
  ::unsetenv("HF_HUB_DISABLE_IMPLICIT_TOKEN");
  put(home() / "elsewhere", "hf_elsewhere");
  set("HF_TOKEN_PATH", (home() / "elsewhere").string());
  EXPECT_EQ(hub_settings().token, "hf_elsewhere");
  set("HF_TOKEN", "hf_given");
  EXPECT_EQ(hub_settings().token, "hf_given");
  set("XDG_CACHE_HOME", "/x");
  EXPECT_EQ(hub_settings().cache, "/x/huggingface/hub");
  set("HF_HOME", "/h");
  EXPECT_EQ(hub_settings().cache, "/h/hub");
  set("HF_HUB_CACHE", "/c");
  EXPECT_EQ(hub_settings().cache, "/c");
  set("HF_ENDPOINT", "https://mirror.example/");
  EXPECT_EQ(hub_settings().endpoint, "https://mirror.example");
  for (const char* on : {"1", "true", "YES", "on"}) {
    set("TRANSFORMERS_OFFLINE", on);
    EXPECT_TRUE(hub_settings().offline) << on;
  }
  set("TRANSFORMERS_OFFLINE", "0");
  EXPECT_FALSE(hub_settings().offline);
  set("HF_HUB_DOWNLOAD_TIMEOUT", "3");
  EXPECT_EQ(hub_settings().stall_timeout, std::chrono::seconds(3));
}

TEST_F(FetchSettings, OfWhiteSpaceAloneAreAsIfUnset) {
  for (const char* name : {"HF_ENDPOINT", "HF_HUB_CACHE", "HF_HOME", "HF_TOKEN", "HF_HUB_OFFLINE",
                           "HF_TOKEN_PATH", "HF_HUB_ETAG_TIMEOUT"})
    for (const char* value : {"", " ", "\t\n"}) {
      set(name, value);
      const HubSettings settings = hub_settings();
      EXPECT_EQ(settings.endpoint, "https://huggingface.co") << name;
      EXPECT_EQ(settings.cache, home() / ".cache/huggingface/hub") << name;
      EXPECT_EQ(settings.token, "") << name;
    }
}

TEST_F(FetchSettings, EndpointsThatWouldShowTheTokenAreRefused) {
  for (const char* endpoint :
       {"http://huggingface.co", "http://10.0.0.1", "http://127.0.0.1.example.com",
        "huggingface.co", "ftp://huggingface.co", "file:///srv/hub",
        "https://user:hunter2@huggingface.co", "https://", "https://a b",
        "https://huggingface.co/?a=b", "https://huggingface.co\r\nX: y", "javascript:alert(1)",
        "http://127.0.0.1@example.com", "http://localhost.example.com"}) {
    set("HF_ENDPOINT", endpoint);
    const Error error = error_of([] { hub_settings(); });
    EXPECT_EQ(error.kind(), kUsage) << endpoint;
    EXPECT_EQ(std::string(error.what()).find("hunter2"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
  for (const char* endpoint : {"http://127.0.0.1:8000", "http://localhost:8000",
                               "http://[::1]:8000", "https://hub.example:8443/base"}) {
    set("HF_ENDPOINT", endpoint);
    EXPECT_EQ(hub_settings().endpoint, endpoint);
  }
}

TEST_F(FetchSettings, TokensThatWouldEndTheirHeaderAreRefusedAndNotShown) {
  for (const char* token : {"hf_secret\r\nX-Evil: 1", "hf_secret\nX", "hf_sec ret", "hf_\x01secret",
                            "hf_s\xc3\xa4"
                            "cret"}) {
    set("HF_TOKEN", token);
    const Error error = error_of([] { hub_settings(); });
    EXPECT_EQ(error.kind(), kUsage);
    EXPECT_EQ(std::string(error.what()).find("hf_s"), std::string::npos) << error.what();
    HubTrial trial;
    trial.settings().token = token;
    EXPECT_EQ(error_of([&] { trial.fetch("plain.json"); }).kind(), kUsage);
    EXPECT_TRUE(trial.hub().requests().empty());
  }
  set("HF_TOKEN", "hf_fine\n");  // as `cat file` leaves it
  EXPECT_EQ(hub_settings().token, "hf_fine");
}

TEST(FetchIds, ThatAreNoneAreErrorsBeforeAnybodyIsAsked) {
  for (const char* word :
       {"", "/", "a/b/c", "../b", "a/..", "a b/c", "org/model@", "org/mo\ndel", "-a/b",
        "a/b@../../x", "a--b/c", "https://huggingface.co/a/b", "org/model@a b"}) {
    EXPECT_FALSE(is_hub_id(word)) << word;
    EXPECT_EQ(error_of([&] { parse_hub_id(word, RepositoryKind::kModel); }).kind(), kUsage) << word;
  }
  for (const char* word : {"org/model", "mistralai/Mistral-7B-v0.1", "a/b@refs/pr/1", "a/b@v1.0"})
    EXPECT_TRUE(is_hub_id(word)) << word;
  EXPECT_EQ(parse_hub_id("a/b@v1.0", RepositoryKind::kDataset).revision, "v1.0");
}

/// The Hub over https: asks the plain one, and sends what that says.
class TlsHub {
 public:
  TlsHub(HubTrial& trial, HubFault fault)
      : server_(
            [&trial, fault](const LoopbackRequest& request) {
              LoopbackResponse response;
              const bool listing = request.path.rfind("/api/", 0) == 0;
              response.body = listing ? std::string("{\"sha\": \"") + kCommit +
                                            "\", \"siblings\": [{\"rfilename\": \"plain.json\"}]}"
                                      : trial.plain().bytes;
              response.set("X-Repo-Commit", kCommit);
              response.set("ETag", '"' + trial.plain().hash + '"');
              if (!listing && request.method == "GET") fault(request, response);
              return response;
            },
            "127.0.0.1", 0, &identity_) {}
  std::string endpoint() const { return text("https://127.0.0.1:", server_.port()); }
  int port() const { return server_.port(); }
  const TlsIdentity& identity() const { return identity_; }

 private:
  TlsIdentity identity_;
  LoopbackServer server_;
};

TEST(FetchTls, TakesACertificateThatTheUserNamed) {
  HubTrial trial;
  TlsHub tls(trial, [](const LoopbackRequest&, LoopbackResponse&) {});
  tls.identity().write_certificate(trial.path("cache-authority.pem"));
  trial.settings().endpoint = tls.endpoint();
  trial.settings().authorities = trial.path("cache-authority.pem");
  const auto ending = testing::fetch_one(trial, trial.plain());
  EXPECT_EQ(ending.said, "");
}

TEST(FetchTls, RefusesACertificateThatNobodyVouchesFor) {
  HubTrial trial;
  TlsHub tls(trial, [](const LoopbackRequest&, LoopbackResponse&) {});
  trial.settings().endpoint = tls.endpoint();
  const auto ending = testing::fetch_one(trial, trial.plain());
  EXPECT_EQ(ending.kind, kNetwork) << ending.said;
  EXPECT_NE(ending.said.find("certificate"), std::string::npos) << ending.said;
}

TEST(FetchTls, RefusesACertificateOfAnotherHost) {
  HubTrial trial;
  TlsHub tls(trial, [](const LoopbackRequest&, LoopbackResponse&) {});
  tls.identity().write_certificate(trial.path("cache-authority.pem"));
  trial.settings().endpoint = text("https://localhost:", tls.port());  // it is for 127.0.0.1
  trial.settings().authorities = trial.path("cache-authority.pem");
  EXPECT_EQ(testing::fetch_one(trial, trial.plain()).kind, kNetwork);
}

// From https to http on the same host is where others sent the token on (huggingface_hub's pull request 4792).
TEST(FetchTls, IsNotLeftForPlainHttp) {
  HubTrial trial;
  const std::string plain =
      text(trial.hub().endpoint(), "/org/model/resolve/", kCommit, "/plain.json");
  TlsHub tls(trial, redirect(302, plain));
  tls.identity().write_certificate(trial.path("cache-authority.pem"));
  trial.settings().endpoint = tls.endpoint();
  trial.settings().authorities = trial.path("cache-authority.pem");
  EXPECT_EQ(testing::fetch_one(trial, trial.plain()).kind, kNetwork);
  EXPECT_TRUE(trial.hub().requests().empty());
}

TEST(FetchTls, IsSpokenToBySomeoneWhoDoesNotIsAnError) {
  HubTrial trial;
  trial.settings().endpoint = text("https://127.0.0.1:", trial.hub().port());
  trial.settings().metadata_timeout = testing::kShort;  // each waits for the other to speak
  EXPECT_EQ(testing::fetch_one(trial, trial.plain()).kind, kNetwork);
}

}  // namespace
}  // namespace plumb::harness
