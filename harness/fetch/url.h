#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace plumb::harness {

/// An http or https address, taken apart by libcurl. The query may hold a signature, so it is never shown.
struct Url {
  std::string scheme;  ///< "https" or "http"
  std::string host;    ///< lower case; IPv6 in brackets
  uint16_t port = 0;
  std::string path;   ///< begins with '/'
  std::string query;  ///< without '?'; empty: none

  std::string text() const;  ///< whole, for the request
  std::string shown()
      const;  ///< for people: no query; the port only where it is not the scheme's own
  bool same_origin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};

/// Error{kNetwork} for what is no http(s) address, has a user or password, or holds spaces or control characters. The
/// message shows nothing of a word that it could not take apart.
Url parse_url(std::string_view word);

/// Where `location`, as a response from `from` gave it, leads: absolute, "//host/..", "/path" or relative. Errors as
/// `parse_url`.
Url redirected(const Url& from, std::string_view location);

/// "localhost", 127.0.0.0/8 and ::1: this machine.
bool is_loopback(const Url& url);
/// Loopback, link-local (metadata services of clouds among them) and unspecified addresses, which no public hub's files
/// are on.
bool is_machine_local(const Url& url);

/// Error{kNetwork} where a request that began at `endpoint` must not go on to `next`: to http unless both are loopback,
/// or from a public hub to a machine-local address.
void require_allowed(const Url& endpoint, const Url& next);

}  // namespace plumb::harness
