#include "harness/fetch/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/error.h"

namespace plumb::harness {

namespace {

struct Cleanup {
  void operator()(CURLU* handle) const { curl_url_cleanup(handle); }
};
using Handle = std::unique_ptr<CURLU, Cleanup>;

constexpr unsigned int kStrict = CURLU_DISALLOW_USER;

/// A part of an address, empty where there is none.
std::string part(CURLU* handle, CURLUPart which, unsigned int flags = 0) {
  char* value = nullptr;
  if (curl_url_get(handle, which, &value, flags) != CURLUE_OK) return {};
  std::string out = value;
  curl_free(value);
  return out;
}

std::string lower(std::string word) {
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return word;
}

[[noreturn]] void refuse(CURLUcode code) {
  const char* why = code == CURLUE_USER_NOT_ALLOWED     ? "it names a user or password"
                    : code == CURLUE_UNSUPPORTED_SCHEME ? "its scheme is not https"
                    : code == CURLUE_MALFORMED_INPUT    ? "it is malformed"
                                                        : curl_url_strerror(code);
  throw Error(ErrorKind::kNetwork,
              text("an address is refused: ", why, "; needed https://host/path"));
}

void set(const Handle& handle, std::string_view word) {
  const std::string whole(word);
  if (whole.find('\0') != std::string::npos) refuse(CURLUE_MALFORMED_INPUT);
  if (const CURLUcode code = curl_url_set(handle.get(), CURLUPART_URL, whole.c_str(), kStrict))
    refuse(code);
}

Url taken_apart(const Handle& handle) {
  Url url;
  url.scheme = lower(part(handle.get(), CURLUPART_SCHEME));
  if (url.scheme != "https" && url.scheme != "http") refuse(CURLUE_UNSUPPORTED_SCHEME);
  url.host = lower(part(handle.get(), CURLUPART_HOST));
  const std::string port = part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::from_chars(port.data(), port.data() + port.size(), url.port);
  url.path = part(handle.get(), CURLUPART_PATH);
  url.query = part(handle.get(), CURLUPART_QUERY);
  if (url.host.empty() || url.port == 0) refuse(CURLUE_MALFORMED_INPUT);
  if (url.path.empty()) url.path.push_back('/');
  return url;
}

/// The host as an IPv4 address in host order; false where it is none. IPv4 inside of IPv6 counts.
bool ipv4_of(const std::string& host, uint32_t& address) {
  in_addr four = {};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) {
    address = ntohl(four.s_addr);
    return true;
  }
  in6_addr six = {};
  if (host.size() < 2 ||
      ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &six) != 1 ||
      !IN6_IS_ADDR_V4MAPPED(&six))
    return false;
  std::memcpy(&address, &six.s6_addr[12], sizeof address);
  address = ntohl(address);
  return true;
}

bool ipv6_of(const std::string& host, in6_addr& address) {
  if (host.size() < 2 || host.front() != '[') return false;
  const std::string inner = host.substr(1, host.find_first_of("%]") - 1);
  return ::inet_pton(AF_INET6, inner.c_str(), &address) == 1;
}

}  // namespace

std::string Url::text() const {
  return plumb::text(scheme, "://", host, ":", port, path, query.empty() ? "" : "?", query);
}

std::string Url::shown() const {
  const bool usual = port == (scheme == "https" ? 443 : 80);
  return plumb::text(scheme, "://", host, usual ? "" : plumb::text(":", port), path);
}

Url parse_url(std::string_view word) {
  const Handle handle(curl_url());
  set(handle, word);
  return taken_apart(handle);
}

Url redirected(const Url& from, std::string_view location) {
  const Handle handle(curl_url());
  set(handle, from.text());
  set(handle, location);  // libcurl resolves it against what is there
  return taken_apart(handle);
}

bool is_loopback(const Url& url) {
  uint32_t four = 0;
  if (ipv4_of(url.host, four)) return four >> 24 == 127;
  in6_addr six = {};
  if (ipv6_of(url.host, six)) return IN6_IS_ADDR_LOOPBACK(&six) != 0;
  std::string host = url.host;
  if (host.ends_with('.')) host.pop_back();
  return host == "localhost" || host.ends_with(".localhost");
}

bool is_machine_local(const Url& url) {
  if (is_loopback(url)) return true;
  uint32_t four = 0;
  if (ipv4_of(url.host, four)) return four >> 24 == 0 || four >> 16 == 0xA9FE;
  in6_addr six = {};
  return ipv6_of(url.host, six) && (IN6_IS_ADDR_UNSPECIFIED(&six) || IN6_IS_ADDR_LINKLOCAL(&six));
}

void require_allowed(const Url& endpoint, const Url& next) {
  const bool home = is_loopback(endpoint);
  if (next.scheme != "https" && !(home && endpoint.scheme == "http" && is_loopback(next)))
    throw Error(
        ErrorKind::kNetwork,
        text("'", next.shown(), "' is not encrypted, needed https; nothing was sent there"));
  if (!home && is_machine_local(next))
    throw Error(ErrorKind::kNetwork,
                text("'", next.shown(),
                     "' is an address of this machine or its "
                     "own link, where no hub's files are; nothing was sent there"));
}

}  // namespace plumb::harness
