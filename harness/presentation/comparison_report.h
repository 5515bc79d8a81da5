#pragma once

#include <string>
#include <vector>

#include "harness/pipeline/run.h"
#include "reports/report.h"

namespace plumb::harness {

/// One report of several runs: their curves on common axes, their verdicts side by side, how far the first one's curves and the
/// others' agree, and whether they measured the same. `folders` tell runs of one model apart. Records are those of each run with
/// a dimension "run" in front. Error{kUsage} for fewer than 2 runs.
reports::Report build_comparison(const std::vector<Run>& runs,
                                 const std::vector<std::string>& folders);

}  // namespace plumb::harness
