#pragma once

#include <filesystem>
#include <string>

#include "harness/cli/console.h"
#include "harness/experiment/experiment.h"
#include "harness/fetch/fetch.h"
#include "models/origin.h"

namespace plumb::harness {

/// A model on this machine: a GGUF file or a folder.
struct LocalModel {
  std::filesystem::path path;
  models::Origin origin;
};

/// The model that a name means: a path that is there stays as it is, a Hub id ("org/name[@revision]") is fetched, with
/// progress on stderr, or taken from the cache. Error{kUsage} for an empty name, Error{kInput} for a path that is not
/// there; errors of fetch_model.
LocalModel local_model(const std::string& name, const Console& console);

/// Puts the local path in the place of the experiment's model, and where it came from beside it.
void find_model(Experiment& experiment, const Console& console);

/// Whether the name is no path here but may be a repository of the Hub.
bool means_hub(const std::string& name);

/// Bytes that come in, on stderr; nothing where HF_HUB_DISABLE_PROGRESS_BARS says so.
FetchProgress fetch_progress(Progress& progress);
/// Says it where the Hub was not asked although that was not wished.
void warn_of_cache(const Snapshot& snapshot, const HubSettings& hub, const Console& console);

}  // namespace plumb::harness
