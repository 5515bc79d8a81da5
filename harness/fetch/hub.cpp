#include "harness/fetch/hub.h"

#include "base/error.h"
#include "base/json_fields.h"
#include "harness/cli/console.h"

namespace plumb::harness {

namespace {

constexpr uint64_t kMostListingBytes = 64u << 20;
constexpr int kMostPages = 2000;  // of 1000 names

std::string kind_path(const HubId& id) {
  return id.kind == RepositoryKind::kDataset ? "datasets/" : "";
}

/// A revision is one part of an address, so its slashes are not parts of the path.
std::string encoded(const std::string& revision) {
  std::string out;
  for (const char c : revision) {
    if (c == '/') {
      out += "%2F";
    } else {
      out += c;
    }
  }
  return out;
}

Listing parse_listing(const std::string& body) {
  Listing listing;
  try {
    const auto json = parse_json(body);
    listing.commit = json.at("sha").get<std::string>();
    for (const auto& sibling :
         json.at("siblings").get_ref<const nlohmann::ordered_json::array_t&>())
      listing.names.push_back(sibling.at("rfilename").get<std::string>());
  } catch (const std::exception&) {
    throw Error(ErrorKind::kNetwork,
                "its list of files is not what the Hub sends (JSON with sha and siblings); is "
                "there a login page or a "
                "proxy in between?");
  }
  if (!is_commit(listing.commit))
    throw Error(ErrorKind::kNetwork,
                text("its commit is '", printable(listing.commit.substr(0, 60)),
                     "', needed 40 hex digits"));
  return listing;
}

/// A validator may go into If-Range only where it is strong, and nothing but plain characters is sent back.
std::string strong_validator(const std::string& header) {
  const bool quoted = header.size() > 2 && header.front() == '"' && header.back() == '"';
  if (!quoted || header.size() > 200) return {};
  for (const char c : header)
    if (c <= ' ' || c > '~') return {};
  return header;
}

}  // namespace

void HubClient::refuse(const HttpResponse& response, const HubId& id,
                       const std::string& what) const {
  const std::string name = text("'", shown(id), "'");
  if (response.end == HttpEnd::kUnreachable)
    throw Unreachable(ErrorKind::kNetwork,
                      text("the Hub cannot be reached (", response.failure, ")"));
  if (response.end != HttpEnd::kAnswered)
    throw Error(ErrorKind::kNetwork, text(what, " could not be fetched: ", response.failure,
                                          "; run it again, it goes on where it stopped"));
  const std::string code = response.header("x-error-code");
  const std::string said = text("'", response.url.shown(), "' answered ", response.status);
  const bool gated = code == "GatedRepo";
  if (code == "RevisionNotFound")
    throw Error(ErrorKind::kUsage, text(name, " has no revision '", printable(id.revision), "'"));
  if (code == "RepoNotFound" || (response.status == 404 && code.empty() && what == name))
    throw Error(ErrorKind::kUsage,
                text("the Hub has no repository ", name,
                     settings_.token.empty() ? " that can be read without a token; check its name, "
                                               "or set HF_TOKEN if it is private"
                                             : " that this token can read; check its name"));
  if (gated || response.status == 403)
    throw Error(ErrorKind::kNetwork,
                text("access to ", name, " is ", gated ? "gated" : "refused", " (", said,
                     "); accept its terms on its "
                     "page at the Hub and set HF_TOKEN to a token that may read it"));
  if (response.status == 401)
    throw Error(ErrorKind::kNetwork,
                text(name, " needs ", settings_.token.empty() ? "a token" : "another token",
                     ", or is not there (", said,
                     "; the Hub tells the two apart only to who may read it); check its name, set "
                     "HF_TOKEN, or log in "
                     "with `hf auth login`"));
  if (response.status == 429)
    throw Error(
        ErrorKind::kNetwork,
        text("the Hub takes no more requests for now (", said,
             settings_.token.empty() ? "); wait some minutes, or set HF_TOKEN, which allows more"
                                     : "); wait some minutes"));
  if (response.status == 451)
    throw Error(ErrorKind::kNetwork,
                text(what, " is not available for legal reasons (", said, ")"));
  throw Error(ErrorKind::kNetwork, text(what, " could not be fetched: ", said, ", needed 200"));
}

std::string HubClient::api(const HubId& id) const {
  const bool dataset = id.kind == RepositoryKind::kDataset;
  return text(settings_.endpoint, "/api/", dataset ? "datasets/" : "models/", id.repository);
}

std::string HubClient::text_of(const Url& url, const HubId& id, HttpResponse& response,
                               bool first_contact) {
  HttpRequest request;
  request.url = url;
  request.window = settings_.metadata_timeout;
  request.most_bytes = kMostListingBytes;
  request.first_contact = first_contact;
  std::string body;
  const HttpBody collect{[&](const HttpResponse&) { body.clear(); },
                         [&](std::span<const std::byte> bytes) {
                           body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                         }};
  response = http_.send_patiently(request, collect);
  if (!response.answered(200)) refuse(response, id, text("'", shown(id), "'"));
  return body;
}

Listing HubClient::list(const HubId& id) {
  HttpResponse response;
  const std::string body =
      text_of(parse_url(text(api(id), "/revision/", encoded(id.revision))), id, response, true);
  try {
    Listing listing = parse_listing(body);
    if (is_commit(id.revision) && listing.commit != id.revision)
      throw Error(ErrorKind::kNetwork, text("commit ", id.revision,
                                            " was asked for, but the Hub gave ", listing.commit));
    return listing;
  } catch (const Error& error) {
    throw error.within(shown(id));
  }
}

std::vector<std::string> HubClient::list_folder(const HubId& id, const std::string& commit,
                                                const std::string& folder) {
  std::vector<std::string> names;
  const Url first = parse_url(text(api(id), "/tree/", commit, folder.empty() ? "" : "/", folder,
                                   "?recursive=true&expand=false"));
  Url page = first;
  for (int pages = 0; pages < kMostPages; ++pages) {
    HttpResponse response;
    const std::string body = text_of(page, id, response, false);
    try {
      const auto json = parse_json(body);
      for (const auto& entry : json.get_ref<const nlohmann::ordered_json::array_t&>())
        if (entry.at("type") == "file") names.push_back(entry.at("path").get<std::string>());
    } catch (const std::exception&) {
      throw Error(ErrorKind::kNetwork,
                  text(shown(id), ": a page of its list of files is not what the Hub sends"));
    }
    const std::string next = next_page(response.header("link"));
    if (next.empty()) return names;
    page = redirected(page, next);
    if (!page.same_origin(first))
      throw Error(ErrorKind::kNetwork, text(shown(id), ": its list of files goes on at '",
                                            page.shown(), "', needed is the Hub itself"));
  }
  throw Error(ErrorKind::kNetwork,
              text(shown(id), ": its list of files has more than ", kMostPages, " pages"));
}

std::string next_page(std::string_view link) {
  while (!link.empty()) {
    const size_t open = link.find('<'), close = link.find('>');
    if (open == link.npos || close == link.npos || close < open) return {};
    const std::string_view address = link.substr(open + 1, close - open - 1);
    const size_t comma = link.find(',', close);
    const std::string_view parameters =
        link.substr(close, comma == link.npos ? comma : comma - close);
    if (parameters.find("rel=\"next\"") != parameters.npos ||
        parameters.find("rel=next") != parameters.npos)
      return std::string(address);
    link = comma == link.npos ? std::string_view() : link.substr(comma + 1);
  }
  return {};
}

Url HubClient::file_url(const HubId& id, const std::string& commit, const std::string& name) const {
  return parse_url(
      text(settings_.endpoint, "/", kind_path(id), id.repository, "/resolve/", commit, "/", name));
}

FileMetadata HubClient::metadata(const HubId& id, const std::string& commit,
                                 const std::string& name) {
  HttpRequest request;
  request.url = file_url(id, commit, name);
  request.head = true;
  request.window = settings_.metadata_timeout;
  request.most_bytes = UINT64_MAX;
  const HttpResponse response = http_.send_patiently(request);
  const std::string what = text("'", name, "' of '", shown(id), "'");
  const bool linked = !response.header("x-linked-etag").empty();
  const bool leads_away =
      response.end == HttpEnd::kAnswered && response.status >= 300 && response.status < 400;
  if (!response.answered(200) && !leads_away) refuse(response, id, what);
  const auto wrong = [&](const std::string& found) {
    return Error(ErrorKind::kNetwork, text("the Hub's answer for ", what, " ", found, "; is '",
                                           response.url.shown(), "' a Hub?"));
  };
  if (leads_away && !linked)
    throw wrong("sends elsewhere before it names the bytes (X-Linked-ETag)");
  const std::string answered_commit = response.header("x-repo-commit");
  if (answered_commit != commit)
    throw wrong(
        text("is for commit '", printable(answered_commit.substr(0, 60)), "', needed ", commit));
  FileMetadata out;
  const std::string header = response.header(linked ? "x-linked-etag" : "etag");
  const auto etag = etag_in(header);
  if (!etag)
    throw wrong(header.empty() ? "has no ETag, needed is one of 40 or 64 hex digits"
                               : text("has the ETag '", printable(header.substr(0, 100)),
                                      "', needed are 40 or 64 hex digits"));
  out.etag = *etag;
  HttpResponse sized = response;
  if (!response.header("x-linked-size").empty())
    sized.headers["content-length"] = response.header("x-linked-size");
  else if (leads_away)
    sized.headers.erase("content-length");  // that of the redirect
  const auto size = sized.content_length();
  if (!size || *size > INT64_MAX)
    throw wrong("has no size that can be (X-Linked-Size or Content-Length)");
  out.size_bytes = *size;
  out.validator = strong_validator(response.header("etag"));
  return out;
}

}  // namespace plumb::harness
