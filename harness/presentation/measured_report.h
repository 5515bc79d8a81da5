#pragma once

#include <string>
#include <vector>

#include "harness/pipeline/facts.h"
#include "harness/pipeline/measured.h"
#include "reports/report.h"

namespace plumb::harness {

/// The page of `plumb measure`: times and memory against what varies most - blocks removed, else the length of the prompt -, every
/// configuration in tables, and how it was measured. No figure where there is one configuration alone.
reports::Report measured_report(const MeasureResult& result, const std::vector<Verdict>& verdicts,
                                const ModelFacts& model, const std::string& command);

}  // namespace plumb::harness
