#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>

#include "base/file.h"
#include "base/testing.h"
#include "harness/fetch/hub.h"

namespace plumb::harness {
namespace {

using plumb::testing::error_of;
using plumb::testing::TemporaryFolder;

using Values = std::map<std::string, std::string>;

/// Environment variables of one test; what was there before comes back.
class Variables {
 public:
  explicit Variables(const Values& values) {
    for (const char* name :
         {"HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME",
          "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN",
          "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_ETAG_TIMEOUT",
          "HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_DISABLE_SYMLINKS", "SSL_CERT_FILE",
          "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HOME"}) {
      const char* value = std::getenv(name);
      before_[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
      ::unsetenv(name);
    }
    ::setenv("HOME", "/nowhere", 1);
    for (const auto& [name, value] : values) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Variables() {
    for (const auto& [name, value] : before_) {
      if (value) {
        ::setenv(name.c_str(), value->c_str(), 1);
      } else {
        ::unsetenv(name.c_str());
      }
    }
  }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

TEST(HubId, TakesOrganisationNameAndRevision) {
  const HubId plain = parse_hub_id("mistralai/Mistral-7B-v0.1", RepositoryKind::kModel);
  EXPECT_EQ(plain.repository, "mistralai/Mistral-7B-v0.1");
  EXPECT_EQ(plain.revision, "main");
  const HubId pinned = parse_hub_id("01-ai/Yi_6B@refs/pr/3", RepositoryKind::kDataset);
  EXPECT_EQ(pinned.repository, "01-ai/Yi_6B");
  EXPECT_EQ(pinned.revision, "refs/pr/3");
  EXPECT_EQ(shown(pinned), "data set 01-ai/Yi_6B");
}

TEST(HubId, RefusesWhatWouldBeAnotherPathOrAddress) {
  for (const char* word : {"",
                           "name",
                           "/name",
                           "org/",
                           "org/name/more",
                           "../name",
                           "org/..",
                           "org/a..b",
                           "org/.name",
                           "org/name.",
                           "org/a--b",
                           "org/-a",
                           "org/a b",
                           "org/a%2f",
                           "org/a?x",
                           "org/a#b",
                           "org/a\\b",
                           "org/name.git",
                           "org/n\nx",
                           "org/name@",
                           "org/name@../x",
                           "org/name@a/../b",
                           "org/name@/x",
                           "org/name@x/",
                           "org/name@a..b",
                           "org/name@a b",
                           "org/name@x@y",
                           "org/name@.hidden",
                           "https://host/name",
                           "org/n\xC3\xA4me"})
    EXPECT_FALSE(is_hub_id(word)) << word;
  EXPECT_FALSE(is_hub_id("org/" + std::string(97, 'a')));
  EXPECT_FALSE(is_hub_id("org/name@" + std::string(201, 'a')));
  EXPECT_EQ(error_of([] { parse_hub_id("name", RepositoryKind::kModel); }).kind(),
            ErrorKind::kUsage);
}

TEST(HubEtag, IsAHashAndNothingElse) {
  const std::string git(40, 'a'), sha(64, '0');
  for (const std::string& good :
       {git, "\"" + git + "\"", "W/\"" + sha + "\"", sha, std::string(40, 'A')})
    EXPECT_TRUE(etag_in(good)) << good;
  EXPECT_EQ(etag_in(std::string(40, 'A')), std::string(40, 'a'));
  for (const std::string& bad :
       {std::string(), std::string("\"\""), git.substr(1), git + "a", "\"" + git, git + "\"",
        "w/\"" + git + "\"", "../" + git.substr(3), std::string(39, 'a') + "/",
        std::string(39, 'a') + "g", sha + "-2", git + "\n"})
    EXPECT_FALSE(etag_in(bad)) << bad;
}

TEST(HubPath, HasPlainPartsOnly) {
  for (const char* good :
       {"config.json", "a/b-c/d_e.json", "model-00001-of-00002.safetensors", "1"})
    EXPECT_TRUE(is_safe_path(good)) << good;
  for (const char* bad :
       {"",     ".",    "..",  "../x", "a/../b", "a/./b", "/etc", "a//b", "a/",    "a\\b",
        ".git", "a/.b", "a b", "a\nb", "-a",     "a/-b",  "~/x",  "c:x",  "a%2fb", "\xC3\xA4"})
    EXPECT_FALSE(is_safe_path(bad)) << bad;
  EXPECT_FALSE(is_safe_path(std::string("a\0b", 3)));
  EXPECT_FALSE(is_safe_path(std::string(1025, 'a')));
}

TEST(HubPath, OfAPickleIsKnownByItsEnding) {
  for (const char* name : {"pytorch_model.bin", "a/b.PT", "x.pth", "x.ckpt", "x.pkl", "x.npz"})
    EXPECT_TRUE(is_pickle(name)) << name;
  for (const char* name : {"model.safetensors", "binary", "x.bin.json", "x.gguf"})
    EXPECT_FALSE(is_pickle(name)) << name;
}

TEST(HubPattern, StarTakesAnyRunAndQuestionMarkOneCharacter) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*.json", "a/b.json"));
  EXPECT_TRUE(matches("en/*-0000?-*.gz", "en/train-00001-of-9.gz"));
  EXPECT_TRUE(matches("a**b", "ab"));
  EXPECT_FALSE(matches("*.json", "a.jsonl"));
  EXPECT_FALSE(matches("a?", "a"));
  EXPECT_FALSE(matches("", "a"));
  // Without the rule that only the last star takes more this would need 2^30 steps.
  EXPECT_FALSE(matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(3000, 'a')));
}

TEST(HubSettingsOfEnvironment, FollowHuggingFacesOrder) {
  {
    const Variables none(Values{});
    const HubSettings hub = hub_settings();
    EXPECT_EQ(hub.endpoint, "https://huggingface.co");
    EXPECT_EQ(hub.cache, "/nowhere/.cache/huggingface/hub");
    EXPECT_TRUE(hub.token.empty());
    EXPECT_FALSE(hub.offline);
    EXPECT_TRUE(hub.links);
  }
  {
    const Variables some(Values{{"XDG_CACHE_HOME", "/xdg"},
                                {"HF_ENDPOINT", " https://hub.example/mirror// "},
                                {"HF_TOKEN", "hf_abc\n"},
                                {"TRANSFORMERS_OFFLINE", "yes"},
                                {"HF_HUB_DISABLE_SYMLINKS", "1"},
                                {"HF_HUB_ETAG_TIMEOUT", "2.5"},
                                {"HF_HUB_DOWNLOAD_TIMEOUT", "60"},
                                {"SSL_CERT_FILE", "/ca.pem"}});
    const HubSettings hub = hub_settings();
    EXPECT_EQ(hub.endpoint, "https://hub.example/mirror");
    EXPECT_EQ(hub.cache, "/xdg/huggingface/hub");
    EXPECT_EQ(hub.token, "hf_abc");
    EXPECT_TRUE(hub.offline);
    EXPECT_FALSE(hub.links);
    EXPECT_EQ(hub.metadata_timeout.count(), 2500);
    EXPECT_EQ(hub.stall_timeout.count(), 60000);
    EXPECT_EQ(hub.authorities, "/ca.pem");
  }
  const Variables cache(Values{{"HF_HOME", "~/hf"}, {"HF_HUB_CACHE", "/cache"}});
  EXPECT_EQ(hub_settings().cache, "/cache");
  ::unsetenv("HF_HUB_CACHE");
  EXPECT_EQ(hub_settings().cache, "/nowhere/hf/hub");
}

TEST(HubSettingsOfEnvironment, AnEmptyEndpointIsTheDefault) {
  for (const char* blank : {"", " ", "\t\n"}) {
    const Variables variables(Values{{"HF_ENDPOINT", blank}});
    EXPECT_EQ(hub_settings().endpoint, "https://huggingface.co");
  }
}

TEST(HubSettingsOfEnvironment, RefuseAnEndpointThatWouldShowTheToken) {
  for (const char* bad :
       {"http://hub.example", "ftp://hub.example", "file:///etc", "hub.example", "https://",
        "//hub.example", "https://user:secret@hub.example", "https://hub.example?x=secret",
        "https://hub.example/#secret", "https://a b", "https://hub.example\r\nX: secret"}) {
    const Variables variables(Values{{"HF_ENDPOINT", bad}});
    const Error error = error_of([] { hub_settings(); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage) << bad;
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
  }
  for (const char* good :
       {"http://127.0.0.1:8080", "http://localhost:80/x", "http://[::1]:9", "https://127.0.0.1"}) {
    const Variables variables(Values{{"HF_ENDPOINT", good}});
    EXPECT_EQ(hub_settings().endpoint, good);
  }
}

TEST(HubSettingsOfEnvironment, RefuseATokenOfMoreThanOneWordAndDoNotShowIt) {
  for (const char* bad : {"hf_secret\r\nX-Evil: 1", "hf_secret\nx", "hf secret", "hf_\x01secret",
                          "hf_secret\xC3\xA4"}) {
    const Variables variables(Values{{"HF_TOKEN", bad}});
    const Error error = error_of([] { hub_settings(); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
  }
}

TEST(HubSettingsOfEnvironment, ReadTheTokenFileUnlessToldNotTo) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "token", "hf_file\n");
  write_file_atomically(folder / "other", "hf_other\n");
  const Variables variables(Values{{"HF_HOME", folder.path().string()}});
  EXPECT_EQ(hub_settings().token, "hf_file");
  ::setenv("HF_TOKEN_PATH", (folder / "other").c_str(), 1);
  EXPECT_EQ(hub_settings().token, "hf_other");
  ::setenv("HF_TOKEN", "hf_variable", 1);
  EXPECT_EQ(hub_settings().token, "hf_variable");
  ::setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "TRUE", 1);
  EXPECT_EQ(hub_settings().token, "");
}

TEST(HubSettingsOfEnvironment, RefuseTimesThatAreNone) {
  for (const char* bad : {"0", "-1", "ten", "1e9", "nan", "10s"}) {
    const Variables variables(Values{{"HF_HUB_ETAG_TIMEOUT", bad}});
    EXPECT_EQ(error_of([] { hub_settings(); }).kind(), ErrorKind::kUsage) << bad;
  }
}

}  // namespace
}  // namespace plumb::harness
