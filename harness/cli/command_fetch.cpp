#include "base/error.h"
#include "harness/cli/command.h"
#include "harness/cli/signals.h"
#include "harness/fetch/fetch.h"
#include "harness/pipeline/model_source.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

std::vector<Flag> flags() {
  return {{"repository", "ORG/NAME[@REVISION]", "",
           "a repository of the Hub; the revision is a branch, tag or commit"},
          {"--include", "PATTERN", "",
           "files whose path matches, with * and ?; may be given again; default: the files of a "
           "model that Plumb reads"},
          {"--dataset", "", "", "the repository is a data set; --include names its files"},
          {"--dry-run", "", "", "show files, sizes and what is here, and fetch none"}};
}

Snapshot fetch_or_look(const Arguments& arguments, const HubSettings& hub, const HubId& id,
                       const Console& console) {
  FileChoice choice;
  if (const auto given = arguments.values.find("--include"); given != arguments.values.end())
    choice.patterns = given->second;
  if (id.kind == RepositoryKind::kDataset && choice.patterns.empty())
    throw Error(ErrorKind::kUsage,
                "a data set was named without --include, needed are the files that are wanted");
  const bool model = choice.patterns.empty();
  if (arguments.has("--dry-run")) return model ? look_up_model(hub, id) : look_up(hub, id, choice);
  Progress progress(console, text("fetch ", id.repository), Progress::Unit::kBytes);
  const FetchProgress shown = fetch_progress(progress);
  return model ? fetch_model(hub, id, shown, throw_if_interrupted)
               : fetch(hub, id, choice, shown, throw_if_interrupted);
}

Json snapshot_json(const Snapshot& snapshot, bool model) {
  Json files = Json::array();
  uint64_t bytes = 0, missing = 0;
  for (const FetchedFile& file : snapshot.files) {
    files.push_back({{"name", file.name},
                     {"bytes", file.size_bytes},
                     {"hash", file.hash.empty() ? Json() : Json(file.hash)},
                     {"was_cached", file.was_cached}});
    bytes += file.size_bytes;
    if (!file.was_cached) missing += file.size_bytes;
  }
  return {{"repository", snapshot.id.repository},
          {"kind", snapshot.id.kind == RepositoryKind::kModel ? "model" : "dataset"},
          {"revision", snapshot.id.revision},
          {"commit", snapshot.commit},
          {"folder", snapshot.folder.string()},
          {"model", model ? Json(model_path(snapshot).string()) : Json()},
          {"from_cache", snapshot.from_cache},
          {"bytes", bytes},
          {"missing_bytes", missing},
          {"fetched_bytes", snapshot.fetched_bytes},
          {"files", files}};
}

int run_fetch(const Arguments& arguments, const Console& console) {
  const bool dry = arguments.has("--dry-run");
  const HubId id =
      parse_hub_id(arguments.require("repository"),
                   arguments.has("--dataset") ? RepositoryKind::kDataset : RepositoryKind::kModel);
  const HubSettings hub = hub_settings();
  const Snapshot snapshot = fetch_or_look(arguments, hub, id, console);
  warn_of_cache(snapshot, hub, console);
  Json json = snapshot_json(snapshot, !arguments.has("--include"));
  json["dry_run"] = dry;
  console.result(json);
  for (const FetchedFile& file : snapshot.files) {
    std::string size = bytes_text(file.size_bytes);
    size.insert(0, size.size() < 9 ? 9 - size.size() : 0, ' ');
    console.say(text(size,
                     file.was_cached ? "  here     "
                     : dry           ? "  missing  "
                                     : "  fetched  ",
                     printable(file.name)));
  }
  console.say(text(snapshot.files.size(), " files, ", bytes_text(json["bytes"].get<uint64_t>()),
                   ", ",
                   bytes_text(dry ? json["missing_bytes"].get<uint64_t>() : snapshot.fetched_bytes),
                   dry ? " to fetch" : " fetched", "; commit ", snapshot.commit));
  console.say(printable(json["model"].is_null() ? snapshot.folder.string()
                                                : json["model"].get<std::string>()));
  return 0;
}

}  // namespace

Command fetch_command() {
  return {"fetch",
          "a model or files of a data set from the Hub, into the cache that huggingface_hub shares",
          "plumb fetch HuggingFaceTB/SmolLM2-135M\n  "
          "plumb fetch --dataset allenai/c4 --include en/c4-validation.00000-of-00008.json.gz",
          flags(), run_fetch};
}

}  // namespace plumb::harness
