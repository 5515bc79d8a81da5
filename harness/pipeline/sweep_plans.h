#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/pipeline/stages.h"

namespace plumb::harness {

/// What `plumb sweep` evaluates, and what the choice rests on: "same documents", a file's name, or "none needed".
struct SweepPlans {
  std::vector<pruning::PruningPlan> plans;
  std::string calibration;
};

/// Plans of the experiment's strategies. `plans_csv` replaces the choices of `similarity`; the profile is made only
/// where a strategy needs it. Error{kUsage} where the file has no plan for an n that is asked for.
SweepPlans choose_plans(Session& session, const std::optional<std::string>& plans_csv,
                        const Console& console);

}  // namespace plumb::harness
