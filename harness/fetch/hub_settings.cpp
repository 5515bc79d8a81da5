// huggingface_hub's environment variables, so that both programs agree about cache, token and endpoint.

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "harness/cli/console.h"
#include "harness/fetch/hub.h"
#include "harness/fetch/url.h"

namespace plumb::harness {

namespace fs = std::filesystem;

namespace {

std::string_view trimmed(std::string_view word) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const size_t first = word.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return word.substr(first, word.find_last_not_of(kSpace) - first + 1);
}

/// The first of the variables that is set to more than white space, without the white space around it.
std::string variable(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* value = std::getenv(name); value != nullptr && !trimmed(value).empty())
      return std::string(trimmed(value));
  return {};
}

bool is_on(const char* name) {
  std::string value = variable({name});
  for (char& c : value)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

/// "~" and "~/..." as the home folder.
fs::path expanded(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  const char* home = std::getenv("HOME");
  return fs::path(home == nullptr ? "/" : home) / fs::path(path.size() > 2 ? path.substr(2) : "");
}

std::chrono::milliseconds seconds(const char* name, std::chrono::milliseconds fallback) {
  const std::string word = variable({name});
  if (word.empty()) return fallback;
  double value = 0;
  const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (status != std::errc() || end != word.data() + word.size() || !(value > 0) || value > 86400)
    throw Error(ErrorKind::kUsage, text(name, " is '", printable(word),
                                        "', needed seconds, above 0 and at most 86400"));
  return std::chrono::milliseconds(std::max<int64_t>(1, static_cast<int64_t>(value * 1000)));
}

fs::path home_of_hub() {
  if (const std::string home = variable({"HF_HOME"}); !home.empty()) return expanded(home);
  const std::string caches = variable({"XDG_CACHE_HOME"});
  return expanded(caches.empty() ? "~/.cache" : caches) / "huggingface";
}

/// It goes into a header, where a line end would begin another header.
void require_token(std::string_view token, const std::string& origin) {
  for (const char c : token)
    if (c <= ' ' || c > '~')
      throw Error(ErrorKind::kUsage,
                  text(origin,
                       " holds a space, a control or a foreign character, needed one word "
                       "such as hf_...; it is not shown here"));
}

std::string checked_token(std::string_view raw, const std::string& origin) {
  require_token(trimmed(raw), origin);
  return std::string(trimmed(raw));
}

std::string token_of(const fs::path& home) {
  if (is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return {};
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})
    if (const std::string value = variable({name}); !value.empty())
      return checked_token(value, text("the token in ", name));
  const std::string named = variable({"HF_TOKEN_PATH"});
  const fs::path file = named.empty() ? home / "token" : expanded(named);
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return {};
  return checked_token(read_file(file), text("the token in '", file.string(), "'"));
}

void require_endpoint(const std::string& word) {
  try {
    const Url url = parse_url(word);
    if (!url.query.empty() || word.find('#') != std::string::npos)
      throw Error(ErrorKind::kUsage, "it has a query or a fragment");
    if (url.scheme == "http" && !is_loopback(url))
      throw Error(ErrorKind::kUsage,
                  "it is http on another machine, where anybody could read the token");
  } catch (const Error& error) {
    throw Error(ErrorKind::kUsage,
                text("the Hub's endpoint (HF_ENDPOINT) is not usable: ", error.what(),
                     "; needed an address such as "
                     "https://huggingface.co (http only on this machine)"));
  }
}

}  // namespace

void require_usable(const HubSettings& settings) {
  require_endpoint(settings.endpoint);
  require_token(settings.token, "the token");
}

HubSettings hub_settings() {
  HubSettings out;
  const fs::path home = home_of_hub();
  if (const std::string endpoint = variable({"HF_ENDPOINT"}); !endpoint.empty())
    out.endpoint = endpoint.substr(0, endpoint.find_last_not_of('/') + 1);
  const std::string cache = variable({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"});
  out.cache = cache.empty() ? home / "hub" : expanded(cache);
  out.token = token_of(home);
  out.authorities = variable({"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"});
  out.offline = is_on("HF_HUB_OFFLINE") || is_on("TRANSFORMERS_OFFLINE");
  out.links = !is_on("HF_HUB_DISABLE_SYMLINKS");
  out.metadata_timeout = seconds("HF_HUB_ETAG_TIMEOUT", out.metadata_timeout);
  out.stall_timeout = seconds("HF_HUB_DOWNLOAD_TIMEOUT", out.stall_timeout);
  require_usable(out);
  return out;
}

}  // namespace plumb::harness
