#include "harness/fetch/fetch.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "harness/cli/console.h"
#include "harness/fetch/hub.h"
#include "harness/fetch/snapshot_builder.h"

namespace plumb::harness {

namespace {

[[noreturn]] void refuse_pickle(const std::string& name) {
  throw Error(ErrorKind::kInput, text("'", printable(name),
                                      "' may be a pickle, which can run any code when it is read; "
                                      "Plumb fetches none: name safetensors or GGUF files"));
}

void require_safe(const HubId& id, const std::string& name) {
  if (!is_safe_path(name))
    throw Error(
        ErrorKind::kInput,
        text("'", shown(id), "' has a file named '", printable(name.substr(0, 200)),
             "'; Plumb takes paths of "
             "letters, digits, '.', '_' and '-' whose parts begin with a letter or a digit"));
}

/// ".gitattributes" and the like: plain, but for the point in front of a part.
bool is_hidden(const std::string& name) {
  std::string rest = name;
  bool hidden = false;
  for (size_t at = 0; at < rest.size(); ++at) {
    const bool start = at == 0 || rest[at - 1] == '/';
    if (!start || rest[at] != '.') continue;
    rest.erase(at, 1);
    hidden = true;
  }
  return hidden && is_safe_path(rest);
}

/// The folder that all matches of a pattern are in; empty: the repository's own.
std::string folder_of(const std::string& pattern) {
  const std::string fixed = pattern.substr(0, pattern.find_first_of("*?"));
  const size_t slash = fixed.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : fixed.substr(0, slash);
  return is_safe_path(folder) ? folder : "";
}

/// The names that the choice takes; every one is safe.
std::vector<std::string> chosen(SnapshotBuilder& builder, const HubId& id,
                                const FileChoice& choice) {
  std::vector<std::string> patterns = choice.patterns;
  if (patterns.empty()) patterns.emplace_back("*");
  std::set<std::string> out;
  std::string pickle;
  for (const std::string& pattern : patterns) {
    const bool wild = pattern.find_first_of("*?") != std::string::npos;
    if (!wild && is_pickle(pattern)) refuse_pickle(pattern);
    builder.complete(folder_of(pattern));
    for (const std::string& name : builder.names()) {
      if (!matches(pattern, name) || (wild && is_hidden(name))) continue;
      require_safe(id, name);
      if (is_pickle(name)) {
        pickle = name;
      } else {
        out.insert(name);
      }
    }
  }
  if (out.empty() && !pickle.empty()) refuse_pickle(pickle);
  if (out.empty()) {
    std::string listed;
    for (const std::string& pattern : patterns)
      listed += text(listed.empty() ? "'" : ", '", printable(pattern), "'");
    if (builder.is_cached())
      throw Error(ErrorKind::kNetwork,
                  text("the cache has no file of '", shown(id), "' that matches ", listed,
                       ", and the Hub was not asked (offline, or it cannot be reached); fetch it "
                       "once where there is a network"));
    throw Error(ErrorKind::kUsage, text("'", shown(id), "' has no file that matches ", listed, " (",
                                        builder.names().size(), " files are there)"));
  }
  return {out.begin(), out.end()};
}

}  // namespace

Snapshot look_up(const HubSettings& hub, const HubId& id, const FileChoice& choice) {
  SnapshotBuilder builder(hub, id, {}, {});
  builder.look_up(chosen(builder, id, choice));
  return builder.take(false);
}

Snapshot fetch(const HubSettings& hub, const HubId& id, const FileChoice& choice,
               const FetchProgress& progress, const std::function<void()>& between) {
  SnapshotBuilder builder(hub, id, progress, between);
  builder.fetch(chosen(builder, id, choice));
  return builder.take(true);
}

}  // namespace plumb::harness
