#include <optional>

#include "base/error.h"
#include "harness/cli/command.h"
#include "harness/cli/signals.h"
#include "harness/datasets/dataset.h"
#include "harness/fetch/fetch.h"
#include "harness/pipeline/model_source.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

std::vector<Flag> fetch_flags() {
  return {{"repository", "ORG/NAME[@REVISION]", "",
           "a repository of the Hub; the revision is a branch, tag or commit"},
          {"--include", "PATTERN", "",
           "files whose path matches, with * and ?; may be given again; default: the files of a "
           "model that Plumb reads, or of a data set its preset's or all with rows"},
          {"--dataset", "", "", "the repository is a data set"},
          {"--out", "DIR", "",
           "of a data set: write its rows as JSONL below DIR, as question and document files where "
           "a preset knows it, with a manifest"},
          {"--dry-run", "", "", "show files, sizes and what is here, and fetch none"}};
}

Snapshot fetch_or_look(const Arguments& arguments, const HubSettings& hub, const HubId& id,
                       const Console& console) {
  FileChoice choice;
  if (const auto given = arguments.values.find("--include"); given != arguments.values.end())
    choice.patterns = given->second;
  if (id.kind == RepositoryKind::kDataset) choice = dataset_files(id, choice.patterns);
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

Json dataset_json(const Dataset& dataset) {
  Json files = Json::array();
  for (const DatasetFile& file : dataset.files)
    files.push_back({{"file", (dataset.folder / file.file).string()},
                     {"rows", file.rows},
                     {"rows_published", file.published_rows ? Json(*file.published_rows) : Json()},
                     {"bytes", file.size_bytes},
                     {"sha256", file.sha256}});
  return {{"folder", dataset.folder.string()},
          {"licence", dataset.licence.empty() ? Json() : Json(dataset.licence)},
          {"was_there", dataset.was_there},
          {"files", files}};
}

Dataset write_rows(const Snapshot& snapshot, const Arguments& arguments) {
  return write_dataset(snapshot, arguments.require("--out"), !arguments.has("--include"),
                       [&](int64_t) { throw_if_interrupted(); });
}

void say_dataset(const Dataset& dataset, const Console& console) {
  for (const DatasetFile& file : dataset.files) {
    const bool differs = file.published_rows && *file.published_rows != file.rows;
    console.say(text(dataset.was_there ? "there is " : "wrote ",
                     printable((dataset.folder / file.file).string()), ": ", file.rows, " rows",
                     differs ? text(", published are ", *file.published_rows) : ""));
  }
  if (!dataset.licence.empty()) console.say(text("licence: ", printable(dataset.licence)));
  if (!dataset.note.empty()) console.say(printable(dataset.note));
}

int run_fetch(const Arguments& arguments, const Console& console) {
  const bool dry = arguments.has("--dry-run"), dataset = arguments.has("--dataset");
  const bool rows = dataset && arguments.has("--out") && !dry;
  if (arguments.has("--out") && !dataset)
    throw Error(ErrorKind::kUsage,
                "--out is for the rows of a data set; a model stays in the cache (give --dataset, "
                "or leave --out away)");
  const HubId id = dataset ? parse_dataset_id(arguments.require("repository"))
                           : parse_hub_id(arguments.require("repository"), RepositoryKind::kModel);
  const HubSettings hub = hub_settings();
  const Snapshot snapshot = fetch_or_look(arguments, hub, id, console);
  warn_of_cache(snapshot, hub, console);
  Json json = snapshot_json(snapshot, !dataset && !arguments.has("--include"));
  json["dry_run"] = dry;
  std::optional<Dataset> written;
  if (rows) written = write_rows(snapshot, arguments);
  if (written) json["dataset"] = dataset_json(*written);
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
  if (written) say_dataset(*written, console);
  return 0;
}

}  // namespace

Command fetch_command() {
  return {"fetch",
          "a model or files of a data set from the Hub, into the cache that huggingface_hub shares",
          "plumb fetch HuggingFaceTB/SmolLM2-135M\n  "
          "plumb fetch --dataset cais/mmlu --out data",
          fetch_flags(), run_fetch};
}

}  // namespace plumb::harness
