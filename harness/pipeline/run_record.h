#pragma once

#include <nlohmann/json.hpp>

#include "harness/pipeline/run.h"

namespace plumb::harness {

/// Writes `.stages/run.json`: which cache entries the run is made of (`entries`: stage -> name), and all that is not in
/// them. With a checksum, as the entries have.
void save_run_record(const Run& run, const nlohmann::ordered_json& entries);

}  // namespace plumb::harness
