#include "base/error.h"
#include "harness/cli/command.h"
#include "harness/cli/signals.h"
#include "harness/fetch/cache_survey.h"
#include "harness/fetch/hub.h"
#include "harness/pipeline/model_source.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;
using Repositories = std::vector<CachedRepository>;

std::vector<Flag> cache_flags() {
  return {{"action", "ls|verify|rm", "",
           "list what is there; hash it again; remove a repository or --partials"},
          {"repository", "ORG/NAME", "", "only this one; default: all (rm needs one)"},
          {"--dataset", "", "", "the repository is a data set"},
          {"--partials", "", "", "with rm: only what interrupted downloads left"}};
}

/// The repositories that the command is for.
Repositories chosen(const Arguments& arguments, const std::filesystem::path& cache) {
  Repositories all = survey_cache(cache);
  const auto name = arguments.get("repository");
  if (!name) return all;
  const HubId id = parse_hub_id(
      *name, arguments.has("--dataset") ? RepositoryKind::kDataset : RepositoryKind::kModel);
  for (CachedRepository& repository : all)
    if (repository.id.repository == id.repository && repository.id.kind == id.kind)
      return {std::move(repository)};
  throw Error(ErrorKind::kUsage, text("the cache '", cache.string(), "' has no '", shown(id),
                                      "'; see plumb cache ls"));
}

Json repository_json(const CachedRepository& repository) {
  Json revisions = Json::array();
  for (const CachedRevision& revision : repository.revisions)
    revisions.push_back({{"commit", revision.commit},
                         {"references", revision.references},
                         {"files", revision.file_count},
                         {"bytes", revision.bytes}});
  return {{"repository", repository.id.repository},
          {"kind", repository.id.kind == RepositoryKind::kModel ? "model" : "dataset"},
          {"folder", repository.folder.string()},
          {"bytes", repository.blob_bytes},
          {"partial_bytes", repository.partial_bytes},
          {"partials", repository.partials.size()},
          {"revisions", revisions}};
}

int list(const Repositories& repositories, const std::filesystem::path& cache,
         const Console& console) {
  Json json = {{"cache", cache.string()}, {"repositories", Json::array()}};
  uint64_t bytes = 0;
  for (const CachedRepository& repository : repositories) {
    json["repositories"].push_back(repository_json(repository));
    bytes += repository.blob_bytes + repository.partial_bytes;
    console.say(text(shown(repository.id), "  ", bytes_text(repository.blob_bytes),
                     repository.partials.empty()
                         ? ""
                         : text(", and ", bytes_text(repository.partial_bytes), " of ",
                                repository.partials.size(), " interrupted downloads")));
    for (const CachedRevision& revision : repository.revisions) {
      std::string names;
      for (const std::string& name : revision.references) names += text(" ", printable(name));
      console.say(text("  ", printable(revision.commit), "  ", revision.file_count, " files, ",
                       bytes_text(revision.bytes), names));
    }
  }
  json["bytes"] = bytes;
  console.result(json);
  console.say(text(repositories.size(), " repositories, ", bytes_text(bytes), " in ",
                   printable(cache.string())));
  return 0;
}

int verify(const Repositories& repositories, const Console& console) {
  Json json = {{"blobs", 0}, {"bytes", 0}, {"faults", Json::array()}};
  uint64_t blobs = 0, bytes = 0;
  for (const CachedRepository& repository : repositories) {
    Progress progress(console, text("verify ", shown(repository.id)), Progress::Unit::kBytes);
    for (const CacheFault& fault :
         verify_repository(repository, fetch_progress(progress), throw_if_interrupted)) {
      json["faults"].push_back({{"repository", repository.id.repository},
                                {"file", fault.file.string()},
                                {"found", fault.found}});
      console.say(text("WRONG  ", printable(fault.file.string()), ": ", fault.found));
    }
    blobs += repository.blobs.size();
    bytes += repository.blob_bytes;
  }
  json["blobs"] = blobs;
  json["bytes"] = bytes;
  const size_t wrong = json["faults"].size();
  console.result(json);
  console.say(
      text(blobs, " files, ", bytes_text(bytes), ": ",
           wrong == 0
               ? "all are what their names say"
               : text(wrong,
                      " are wrong; remove the repository with plumb cache rm and fetch it again")));
  return wrong == 0 ? 0 : static_cast<int>(ErrorKind::kInput);
}

int remove(const Repositories& repositories, const Arguments& arguments,
           const std::filesystem::path& cache, const Console& console) {
  const bool partials = arguments.has("--partials");
  if (!partials && !arguments.has("repository"))
    throw Error(ErrorKind::kUsage,
                "plumb cache rm was given without a repository, needed ORG/NAME or --partials");
  uint64_t freed = 0;
  for (const CachedRepository& repository : repositories)
    freed += partials ? remove_partials(cache, repository) : remove_repository(cache, repository);
  console.result({{"freed_bytes", freed}});
  console.say(text("freed ", bytes_text(freed)));
  return 0;
}

int run_cache(const Arguments& arguments, const Console& console) {
  const std::string action = arguments.require("action");
  if (action != "ls" && action != "verify" && action != "rm")
    throw Error(ErrorKind::kUsage,
                text("plumb cache has no '", printable(action), "', needed ls, verify or rm"));
  if (action != "rm" && arguments.has("--partials"))
    throw Error(ErrorKind::kUsage, "--partials is for plumb cache rm");
  const auto cache = hub_settings().cache;
  const Repositories repositories = chosen(arguments, cache);
  if (action == "ls") return list(repositories, cache, console);
  return action == "verify" ? verify(repositories, console)
                            : remove(repositories, arguments, cache, console);
}

}  // namespace

Command cache_command() {
  return {
      "cache", "what was fetched from the Hub: list it, hash it again, remove it",
      "plumb cache ls\n  plumb cache verify org/name\n  plumb cache rm org/name\n  plumb cache rm "
      "--partials",
      cache_flags(), run_cache};
}

}  // namespace plumb::harness
