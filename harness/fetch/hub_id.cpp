// Words of the Hub: ids, commits, names of bytes, paths, patterns. All strict, as each becomes a part of a path.

#include <algorithm>
#include <array>

#include "base/error.h"
#include "harness/cli/console.h"
#include "harness/fetch/hub.h"

namespace plumb::harness {

namespace {

constexpr size_t kLongestPart = 96;
constexpr size_t kLongestRevision = 200;
constexpr size_t kLongestPath = 1024;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_hex(std::string_view word, size_t digits) {
  return word.size() == digits && std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

/// One part of a path: begins with a letter, digit or '_' (`first_underscore`), goes on with '.', '_' and '-' as well.
bool is_plain(std::string_view part, bool first_underscore = false) {
  if (part.empty() || !(is_alphanumeric(part.front()) || (first_underscore && part.front() == '_')))
    return false;
  return std::all_of(part.begin(), part.end(),
                     [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

bool are_plain_parts(std::string_view path) {
  for (;;) {
    const size_t slash = path.find('/');
    if (!is_plain(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

/// A name of the Hub's: no "..", and no "--", which the cache's folders use as a separator.
bool is_repository_part(std::string_view part) {
  return part.size() <= kLongestPart && is_plain(part, true) && part.find("..") == part.npos &&
         part.find("--") == part.npos && part.back() != '.' && part.back() != '-' &&
         !part.ends_with(".git");
}

}  // namespace

bool is_hub_id(std::string_view word) {
  const size_t at = word.find('@');
  const std::string_view repository = word.substr(0, at);
  const size_t slash = repository.find('/');
  if (slash == std::string_view::npos) return false;
  if (!is_repository_part(repository.substr(0, slash)) ||
      !is_repository_part(repository.substr(slash + 1)))
    return false;
  if (at == std::string_view::npos) return true;
  const std::string_view revision = word.substr(at + 1);
  return revision.size() <= kLongestRevision && are_plain_parts(revision) &&
         revision.find("..") == revision.npos;
}

HubId parse_hub_id(std::string_view word, RepositoryKind kind) {
  if (!is_hub_id(word))
    throw Error(ErrorKind::kUsage,
                text("'", printable(word), "' is no Hub id, needed org/name or org/name@revision"));
  const size_t at = word.find('@');
  HubId id;
  id.repository = word.substr(0, at);
  if (at != std::string_view::npos) id.revision = word.substr(at + 1);
  id.kind = kind;
  return id;
}

std::string shown(const HubId& id) {
  return (id.kind == RepositoryKind::kDataset ? "data set " : "") + id.repository;
}

bool is_commit(std::string_view word) { return is_hex(word, 40); }
bool is_etag(std::string_view word) { return is_hex(word, 40) || is_hex(word, 64); }

std::optional<std::string> etag_in(std::string_view header) {
  if (header.starts_with("W/")) header.remove_prefix(2);
  if (header.size() >= 2 && header.front() == '"' && header.back() == '"')
    header = header.substr(1, header.size() - 2);
  std::string word(header);
  for (char& c : word)
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  if (!is_etag(word)) return std::nullopt;
  return word;
}

bool is_safe_path(std::string_view name) {
  return name.size() <= kLongestPath && are_plain_parts(name);
}

bool is_pickle(std::string_view name) {
  static constexpr std::array<std::string_view, 11> kEndings = {
      ".bin",    ".pt",   ".pth", ".ckpt", ".pkl", ".pickle",
      ".joblib", ".dill", ".npy", ".npz",  ".mar"};
  std::string lower(name);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return lower.ends_with(ending); });
}

bool matches(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0, star = std::string_view::npos, mark = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {  // the last '*' takes one more
      p = star + 1;
      n = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace plumb::harness
