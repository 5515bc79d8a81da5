#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "harness/fetch/fetch.h"
#include "harness/fetch/http.h"

namespace plumb::harness {

/// 40 lower-case hex digits.
bool is_commit(std::string_view word);
/// A name of bytes: 40 (git blob) or 64 (sha256) lower-case hex digits. It becomes a file's name, so nothing else is one.
bool is_etag(std::string_view word);
/// The name of bytes in an ETag header: weak or not, with quotes or not, in lower case. None where it is anything else.
std::optional<std::string> etag_in(std::string_view header);

/// Whether a path of a repository may become a path here: parts of letters, digits, '.', '_' and '-' that begin with a
/// letter or a digit, so that none is "." or "..".
bool is_safe_path(std::string_view name);
/// Whether a file of that name may run code when Python reads it: .bin, .pt, .pth, .ckpt, .pkl and their like.
bool is_pickle(std::string_view name);
/// '*' is any run of characters, also of '/'; '?' is one.
bool matches(std::string_view pattern, std::string_view name);

/// What the Hub says of a repository at a revision.
struct Listing {
  std::string commit;
  std::vector<std::string> names;  ///< as the Hub gave them: not yet trusted
};

/// What the Hub says of a file at a commit.
struct FileMetadata {
  std::string etag;
  uint64_t size_bytes = 0;
  std::string validator;  ///< for If-Range at the endpoint; empty: none that is strong
};

/// The Hub could not be reached at all; what to do without it is the caller's choice.
class Unreachable : public Error {
 public:
  using Error::Error;
};

/// The Hub's protocol over one HttpClient. Errors as `fetch`.
class HubClient {
 public:
  HubClient(const HubSettings& settings, const StopFlag& stop)
      : settings_(settings), http_(settings, stop) {}

  Listing list(const HubId& id);
  /// The paths below a folder of the repository (empty: all), page by page.
  std::vector<std::string> list_folder(const HubId& id, const std::string& commit,
                                       const std::string& folder);
  FileMetadata metadata(const HubId& id, const std::string& commit, const std::string& name);
  Url file_url(const HubId& id, const std::string& commit, const std::string& name) const;
  HttpClient& http() { return http_; }

  /// Throws the Error of a response that is no success, in the words of a user.
  [[noreturn]] void refuse(const HttpResponse& response, const HubId& id,
                           const std::string& what) const;

 private:
  std::string api(const HubId& id) const;
  /// The body of a 200, and its head.
  std::string text_of(const Url& url, const HubId& id, HttpResponse& response, bool first_contact);
  const HubSettings& settings_;
  HttpClient http_;
};

/// The address of the next page in a Link header, or empty.
std::string next_page(std::string_view link);

/// Error{kUsage} for an endpoint that is no https address (http on this machine) and for a token that is not one word.
void require_usable(const HubSettings& settings);

/// "org/name", with "data set " before it where it is one.
std::string shown(const HubId& id);

}  // namespace plumb::harness
