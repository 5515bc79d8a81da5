#include "harness/fetch/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/error.h"
#include "harness/fetch/http_transfer.h"

namespace plumb::harness {

namespace {

constexpr int kMostRedirects = 20;
constexpr auto kLongestWait = std::chrono::minutes(5);

bool is_redirect(const HttpResponse& response) {
  const int s = response.status;
  return response.end == HttpEnd::kAnswered &&
         (s == 301 || s == 302 || s == 303 || s == 307 || s == 308);
}

/// Where a redirect leads; every fault in it names who sent it.
Url next_hop(const Url& endpoint, const HttpResponse& response) {
  try {
    const std::string location = response.header("location");
    if (location.empty())
      throw Error(ErrorKind::kNetwork, "it has no Location, needed is an address");
    const Url next = redirected(response.url, location);
    require_allowed(endpoint, next);
    return next;
  } catch (const Error& error) {
    throw error.within(text("a redirect from '", response.url.shown(), "'"));
  }
}

void wait(std::chrono::milliseconds duration, const StopFlag& stop) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (std::chrono::steady_clock::now() < end) {
    if (stop) throw Stopped{};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    std::this_thread::sleep_for(
        std::clamp(left, std::chrono::milliseconds(0), std::chrono::milliseconds(20)));
  }
  if (stop) throw Stopped{};
}

}  // namespace

std::string HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

std::optional<uint64_t> HttpResponse::content_length() const {
  const std::string word = header("content-length");
  uint64_t value = 0;
  const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (word.empty() || error != std::errc() || rest != word.data() + word.size())
    return std::nullopt;
  return value;
}

HttpClient::HttpClient(const HubSettings& settings, const StopFlag& stop)
    : transfer_(std::make_unique<Transfer>(settings.authorities)),
      settings_(settings),
      endpoint_(parse_url(settings.endpoint)),
      stop_(stop) {}
HttpClient::~HttpClient() = default;

HttpResponse HttpClient::send(const HttpRequest& request, const HttpBody& body) {
  require_allowed(endpoint_, request.url);
  HttpRequest hop = request;
  bool at_home = request.url.same_origin(endpoint_);
  for (int hops = 0; hops <= kMostRedirects; ++hops) {
    HttpResponse response = transfer_->perform(hop, at_home ? settings_.token : "", body, stop_);
    if (!is_redirect(response)) return response;
    if (request.head && !response.header("x-linked-etag").empty()) return response;
    hop.url = next_hop(endpoint_, response);
    at_home = at_home && hop.url.same_origin(endpoint_);
    if (!at_home) hop.if_range.clear();
    if (request.head && !at_home) return response;
  }
  throw Error(ErrorKind::kNetwork, text("'", request.url.shown(), "' was redirected more than ",
                                        kMostRedirects, " times; the server sends in circles"));
}

HttpResponse HttpClient::send_patiently(const HttpRequest& request, const HttpBody& body) {
  Patience patience(settings_, stop_, request.first_contact);
  for (;;) {
    HttpResponse response = send(request, body);
    if (!is_worth_another_try(response) || !patience.again(response, false)) return response;
  }
}

std::optional<std::chrono::seconds> retry_after(std::string_view value, std::time_t now) {
  int64_t seconds = 0;
  const auto [end, status] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  constexpr int64_t kForever = int64_t{1} << 40;
  const bool number = !value.empty() && end == value.data() + value.size();
  if (number && status == std::errc::result_out_of_range) return std::chrono::seconds(kForever);
  if (number && status == std::errc() && seconds >= 0)
    return std::chrono::seconds(std::min(seconds, kForever));
  if (value.find(':') == std::string_view::npos) return std::nullopt;  // what no date is without
  const std::time_t date = curl_getdate(std::string(value).c_str(), nullptr);
  if (date == -1) return std::nullopt;
  return std::chrono::seconds(std::max<std::time_t>(0, date - now));
}

bool is_worth_another_try(const HttpResponse& response) {
  if (response.end != HttpEnd::kAnswered) return response.end != HttpEnd::kTooLong;
  const int s = response.status;
  return s == 408 || s == 429 || (s >= 500 && s != 501 && s != 505);
}

bool Patience::again(const HttpResponse& failed, bool progress) {
  failures_ = progress ? 1 : failures_ + 1;
  const bool hopeless = first_contact_ && failed.end == HttpEnd::kUnreachable;
  const int tries = hopeless ? std::min(2, settings_.tries) : settings_.tries;
  if (failures_ >= tries) return false;
  std::chrono::milliseconds pause = settings_.first_backoff * (1 << std::min(failures_ - 1, 6));
  if (const auto asked = retry_after(failed.header("retry-after"), std::time(nullptr))) {
    if (*asked > kLongestWait) return false;
    if (failed.end == HttpEnd::kAnswered)
      pause = std::max<std::chrono::milliseconds>(pause, *asked);
  }
  wait(std::min<std::chrono::milliseconds>(pause, kLongestWait), stop_);
  return true;
}

}  // namespace plumb::harness
