#include <gtest/gtest.h>

#include "base/testing.h"
#include "harness/fetch/download.h"
#include "harness/fetch/http.h"

namespace plumb::harness {
namespace {

using plumb::testing::error_of;

TEST(HubUrl, IsTakenApartAndShownWithoutItsQuery) {
  const Url url = parse_url("HTTPS://Hub.Example:8443/a/b?Signature=secret#part");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "hub.example");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.path, "/a/b");
  EXPECT_EQ(url.query, "Signature=secret");
  EXPECT_EQ(url.shown(), "https://hub.example:8443/a/b");
  EXPECT_EQ(parse_url("https://hub.example").shown(), "https://hub.example/");
}

TEST(HubUrl, SameOriginIsSchemeHostAndPort) {
  const Url hub = parse_url("https://hub.example/x");
  EXPECT_TRUE(hub.same_origin(parse_url("https://HUB.example:443/y?z")));
  for (const char* other :
       {"http://hub.example/x", "https://hub.example:444/x", "https://hub.example.evil/x",
        "https://evil.hub.example/x", "https://hub.example./x"})
    EXPECT_FALSE(hub.same_origin(parse_url(other))) << other;
}

TEST(HubUrl, RefusesWhatIsNoPlainWebAddress) {
  for (const char* bad : {"", "x", "/x", "//host/x", "file:///etc/passwd", "ftp://host/",
                          "gopher://host/", "dict://host/", "https://", "https://user@host/",
                          "https://user:secret@host/", "https://ho st/", "https://host/a\nb",
                          "https://host:0/", "https://host:65536/", "javascript:1"}) {
    const Error error = error_of([&] { parse_url(bad); });
    EXPECT_EQ(error.kind(), ErrorKind::kNetwork) << bad;
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
  }
}

TEST(HubRedirect, IsResolvedAgainstWhereItCameFrom) {
  const Url from = parse_url("https://hub.example/org/name/file?x=1");
  const auto to = [&](const char* location) { return redirected(from, location).text(); };
  EXPECT_EQ(to("/new/path?q"), "https://hub.example:443/new/path?q");
  EXPECT_EQ(to("other"), "https://hub.example:443/org/name/other");
  EXPECT_EQ(to("../other"), "https://hub.example:443/org/other");
  EXPECT_EQ(to("//cdn.example/f"), "https://cdn.example:443/f");
  EXPECT_EQ(to("http://hub.example/f"), "http://hub.example:80/f");
  EXPECT_EQ(to("https://[::1]:9/f"), "https://[::1]:9/f");
  for (const char* bad : {"file:///etc/passwd", "ftp://hub.example/f", "gopher://hub.example/f",
                          "https://user:pw@hub.example/f", "//user@cdn.example/f", "https://"})
    EXPECT_EQ(error_of([&] { redirected(from, bad); }).kind(), ErrorKind::kNetwork) << bad;
}

TEST(HubRedirect, MustBeEncryptedUnlessBothEndsAreOnThisMachine) {
  const Url hub = parse_url("https://hub.example"), loop = parse_url("http://127.0.0.1:8000");
  EXPECT_NO_THROW(require_allowed(hub, parse_url("https://cdn.example/f")));
  EXPECT_NO_THROW(require_allowed(loop, parse_url("http://localhost:9/f")));
  EXPECT_NO_THROW(require_allowed(loop, parse_url("http://[::1]:9/f")));
  EXPECT_NO_THROW(require_allowed(loop, parse_url("https://cdn.example/f")));
  EXPECT_EQ(error_of([&] { require_allowed(hub, parse_url("http://hub.example/f")); }).kind(),
            ErrorKind::kNetwork);
  EXPECT_EQ(error_of([&] { require_allowed(loop, parse_url("http://cdn.example/f")); }).kind(),
            ErrorKind::kNetwork);
}

TEST(HubRedirect, FromAPublicHubNeverLeadsIntoThisMachineOrItsLink) {
  const Url hub = parse_url("https://hub.example");
  for (const char* bad :
       {"https://127.0.0.1/", "https://127.9.9.9/", "https://localhost/", "https://x.localhost/",
        "https://localhost./", "https://[::1]/", "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data", "https://0.0.0.0/", "https://[::]/",
        "https://[fe80::1]/", "https://0x7f.1/", "https://2130706433/"})
    EXPECT_EQ(error_of([&] { require_allowed(hub, parse_url(bad)); }).kind(), ErrorKind::kNetwork)
        << bad;
  EXPECT_NO_THROW(require_allowed(hub, parse_url("https://128.0.0.1/")));
}

TEST(HubRetryAfter, IsSecondsOrADateAndNothingElse) {
  const std::time_t now = 1'700'000'000;  // Tue, 14 Nov 2023 22:13:20 GMT
  const auto seconds = [&](const char* value) {
    const auto wait = retry_after(value, now);
    return wait ? wait->count() : -1;
  };
  EXPECT_EQ(seconds("0"), 0);
  EXPECT_EQ(seconds("120"), 120);
  EXPECT_EQ(seconds("Tue, 14 Nov 2023 22:14:20 GMT"), 60);
  EXPECT_EQ(seconds("Tue, 14 Nov 2023 22:12:20 GMT"), 0);
  EXPECT_GT(seconds("99999999999999999999999"), 86400);
  for (const char* garbage : {"", "soon", "-5", "1.5", "10 s", "0x10", "12:"})
    EXPECT_EQ(seconds(garbage), -1) << garbage;
}

TEST(HubRetry, IsForWhatMayPass) {
  HttpResponse response;
  response.end = HttpEnd::kAnswered;
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    response.status = status;
    EXPECT_TRUE(is_worth_another_try(response)) << status;
  }
  for (const int status : {200, 400, 401, 403, 404, 416, 451, 501}) {
    response.status = status;
    EXPECT_FALSE(is_worth_another_try(response)) << status;
  }
  response.end = HttpEnd::kCut;
  EXPECT_TRUE(is_worth_another_try(response));
  response.end = HttpEnd::kTooLong;
  EXPECT_FALSE(is_worth_another_try(response));
}

TEST(HubRetry, EndsAfterTheTriesUnlessThereWasProgress) {
  HubSettings settings;
  settings.first_backoff = std::chrono::milliseconds(0);
  settings.tries = 3;
  const StopFlag stop = false;
  const HttpResponse cut;
  Patience patience(settings, stop);
  EXPECT_TRUE(patience.again(cut, false));
  EXPECT_TRUE(patience.again(cut, false));
  EXPECT_TRUE(patience.again(cut, true));
  EXPECT_TRUE(patience.again(cut, false));
  EXPECT_FALSE(patience.again(cut, false));
  HttpResponse limited;
  limited.end = HttpEnd::kAnswered;
  limited.status = 429;
  limited.headers["retry-after"] = "86400";
  EXPECT_FALSE(Patience(settings, stop).again(limited, false)) << "nobody waits for a day";
  HttpResponse nobody;
  nobody.end = HttpEnd::kUnreachable;
  Patience first(settings, stop, true);
  EXPECT_TRUE(first.again(nobody, false));
  EXPECT_FALSE(first.again(nobody, false));
  const StopFlag stopped = true;
  EXPECT_THROW(Patience(settings, stopped).again(cut, false), Stopped);
}

TEST(HubListing, GoesOnAtTheNextPage) {
  EXPECT_EQ(next_page("<https://h/api?cursor=2>; rel=\"next\""), "https://h/api?cursor=2");
  EXPECT_EQ(next_page("<https://h/1>; rel=\"first\", <https://h/2>; rel=\"next\""), "https://h/2");
  for (const char* none :
       {"", "<https://h/1>; rel=\"last\"", "https://h/1; rel=\"next\"", ">a<; rel=\"next\""})
    EXPECT_EQ(next_page(none), "") << none;
}

TEST(HubContentRange, IsTakenWholeOrNotAtAll) {
  const auto range = content_range("bytes 5-9/10");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 5u);
  EXPECT_EQ(range->last, 9u);
  EXPECT_EQ(range->size, 10u);
  ASSERT_TRUE(content_range("bytes 5-9/*"));
  EXPECT_FALSE(content_range("bytes 5-9/*")->size);
  for (const char* bad :
       {"", "bytes", "bytes */10", "bytes 5-/10", "bytes 9-5/10", "bytes 5-10/10", "bytes 5-9/10x",
        "items 5-9/10", "bytes 5-9", "bytes -5-9/10", "bytes 5-9/99999999999999999999999"})
    EXPECT_FALSE(content_range(bad)) << bad;
}

}  // namespace
}  // namespace plumb::harness
