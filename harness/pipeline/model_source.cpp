#include "harness/pipeline/model_source.h"

#include <cstdlib>

#include "base/error.h"
#include "harness/cli/signals.h"

namespace plumb::harness {

bool means_hub(const std::string& name) {
  return !std::filesystem::exists(name) && is_hub_id(name) && !name.ends_with(".gguf") &&
         !name.ends_with(".safetensors");
}

FetchProgress fetch_progress(Progress& progress) {
  const char* quiet = std::getenv("HF_HUB_DISABLE_PROGRESS_BARS");
  if (quiet != nullptr && *quiet != '\0' && std::string_view(quiet) != "0") return {};
  return [&progress](uint64_t done, uint64_t all) {
    progress.update(static_cast<int64_t>(done), static_cast<int64_t>(all));
  };
}

void warn_of_cache(const Snapshot& snapshot, const HubSettings& hub, const Console& console) {
  if (snapshot.from_cache && !hub.offline)
    console.warn(text("the Hub cannot be reached; '", snapshot.id.repository,
                      "' is the cache's, commit ", snapshot.commit));
}

LocalModel local_model(const std::string& name, const Console& console) {
  if (name.empty())
    throw Error(ErrorKind::kUsage,
                "no model was named, needed --model with a GGUF file, a folder that has "
                "config.json and safetensors, or "
                "a Hub id such as org/name");
  if (std::filesystem::exists(name)) return {name, {}};
  if (!means_hub(name))
    throw Error(
        ErrorKind::kInput,
        text("model '", printable(name),
             "' does not exist, needed a GGUF file, a folder with config.json and "
             "safetensors, or a Hub id such as org/name (./run installs the default model)"));
  const HubSettings hub = hub_settings();
  const HubId id = parse_hub_id(name, RepositoryKind::kModel);
  Progress progress(console, text("fetch ", id.repository), Progress::Unit::kBytes);
  try {
    const Snapshot snapshot = fetch_model(hub, id, fetch_progress(progress), throw_if_interrupted);
    warn_of_cache(snapshot, hub, console);
    return {model_path(snapshot), {id.repository, id.revision, snapshot.commit}};
  } catch (const Error& error) {
    throw error.within(text("model '", printable(name), "', which is no file or folder here"));
  }
}

void find_model(Experiment& experiment, const Console& console) {
  const LocalModel found = local_model(experiment.model, console);
  experiment.model = found.path.string();
  experiment.model_origin = found.origin;
}

}  // namespace plumb::harness
