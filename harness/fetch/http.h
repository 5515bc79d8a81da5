#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "harness/fetch/fetch.h"
#include "harness/fetch/url.h"

namespace plumb::harness {

/// Set by whoever wants the work of other threads to end; they leave by throwing Stopped.
using StopFlag = std::atomic<bool>;
struct Stopped {};

struct HttpRequest {
  Url url;
  bool head = false;
  /// A transfer that brings nothing for so long has failed, and so has one that is slower than 100 bytes per second over
  /// three times as long.
  std::chrono::milliseconds window{10'000};
  uint64_t most_bytes = 0;  ///< of the body; a longer one ends the transfer
  uint64_t from = 0;        ///< first byte wanted; 0: all, no Range
  std::string if_range;  ///< the validator for `from` at the endpoint; other hosts have other ones
  bool first_contact =
      false;  ///< where no connection can be made, there is one more try and no more
};

/// How a request ended.
enum class HttpEnd {
  kAnswered,     ///< with a whole response, whatever its status
  kUnreachable,  ///< no connection: no such host, nothing listens, no network
  kCut,          ///< a connection that broke, stalled or was too slow
  kTooLong,      ///< more bytes than the request allowed
};

struct HttpResponse {
  HttpEnd end = HttpEnd::kCut;
  std::string failure;                         ///< in words, where it was not answered
  int status = 0;                              ///< 0: no head came
  std::map<std::string, std::string> headers;  ///< names in lower case; of several, the last
  Url url;                                     ///< who answered, after redirects
  uint64_t body_bytes = 0;                     ///< that were handed on

  bool answered(int wanted) const { return end == HttpEnd::kAnswered && status == wanted; }
  std::string header(const std::string& name) const;  ///< empty where there is none
  std::optional<uint64_t> content_length() const;
};

/// Where the bytes of a 200 or 206 go. `head` is called before the first of them; either may throw, which ends the
/// transfer and goes through to the caller of `send`. Bodies of other statuses are dropped.
struct HttpBody {
  std::function<void(const HttpResponse&)> head;
  std::function<void(std::span<const std::byte>)> bytes;
};

/// HTTP over libcurl with the rules of this project: redirects are followed here, at most 20; the token goes to the
/// endpoint's scheme, host and port and nowhere else, and no more once a request has left there; https only, but for an
/// endpoint on this machine; no .netrc, no cookies, no encodings. One object belongs to one thread and keeps connections.
///
/// Errors: Error{kNetwork} for a certificate that does not hold and for a redirect that must not be followed; Stopped when
/// the flag is set. No message holds the token or a query.
class HttpClient {
 public:
  HttpClient(const HubSettings& settings, const StopFlag& stop);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// One try. A HEAD follows redirects within the endpoint only and gives the first response that leaves it as it is.
  HttpResponse send(const HttpRequest& request, const HttpBody& body = {});

  /// `send`, again where that may help: after cut connections, 408, 429 and 5xx, waiting as `Patience` says.
  HttpResponse send_patiently(const HttpRequest& request, const HttpBody& body = {});

 private:
  class Transfer;
  std::unique_ptr<Transfer> transfer_;
  HubSettings settings_;
  Url endpoint_;
  const StopFlag& stop_;
};

/// Seconds to wait that a Retry-After header asks for: a number, or a date (from `now`, seconds since 1970). None where it
/// is neither; 0 for a date that has passed.
std::optional<std::chrono::seconds> retry_after(std::string_view value, std::time_t now);

/// Whether the same request may succeed later.
bool is_worth_another_try(const HttpResponse& response);

/// Decides on another try and waits before it.
class Patience {
 public:
  Patience(const HubSettings& settings, const StopFlag& stop, bool first_contact = false)
      : settings_(settings), stop_(stop), first_contact_(first_contact) {}
  /// Waits (twice as long with every failure in a row, or as long as Retry-After says) and gives true; false where the
  /// tries are used up, and where the Hub asks for more than five minutes. `progress`: the last try brought something, so
  /// that the count starts again.
  bool again(const HttpResponse& failed, bool progress);

 private:
  const HubSettings& settings_;
  const StopFlag& stop_;
  bool first_contact_;
  int failures_ = 0;
};

}  // namespace plumb::harness
