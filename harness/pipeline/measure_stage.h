#pragma once

#include <string>
#include <vector>

#include "harness/cli/console.h"
#include "harness/experiment/experiment.h"
#include "harness/pipeline/measured.h"

namespace plumb::harness {

struct MeasurePlan {
  std::vector<Configuration> configurations;  ///< at least one
  int64_t rounds = 3;                         ///< processes of each configuration
  int64_t tokens = 32;                        ///< written after each prompt
  std::string prompts_file;                   ///< or none: drawn by the seed
  double tolerance = 0.05;
};

/// Each configuration in `rounds` processes of its own, all in turn, forth and back, and the first one twice (the A/A run):
/// `program` is run with the hidden command measure-child. Error{kResource} where a child dies, with what it said.
MeasureResult measure_stage(const Experiment& experiment, const MeasurePlan& plan,
                            const std::string& program, const Console& console);

}  // namespace plumb::harness
