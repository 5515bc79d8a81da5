#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/environment.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/session.h"

namespace plumb::harness {

/// What decides the result of each stage; a difference in any of it makes another cache entry.
struct StageKeys {
  nlohmann::ordered_json profile;
  nlohmann::ordered_json plans;
  nlohmann::ordered_json sweep;
  nlohmann::ordered_json questions;  ///< null where none are asked
  nlohmann::ordered_json heal;       ///< of every plan; null where none is healed, as the next two
  nlohmann::ordered_json healed;     ///< all but the adapter
  nlohmann::ordered_json nf4;
  nlohmann::ordered_json cost;
  nlohmann::ordered_json reconnection;
};

/// Hashes the texts. Error{kUsage} or Error{kInput} where one is missing.
StageKeys stage_keys(Session& session, const ModelFacts& model, const Environment& environment);

}  // namespace plumb::harness
