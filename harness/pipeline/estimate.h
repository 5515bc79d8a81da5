#pragma once

#include <cstdint>

#include "harness/cli/console.h"
#include "harness/experiment/experiment.h"
#include "models/config.h"

namespace plumb::harness {

/// What a run will need, from the model's configuration alone; times are rough (a factor of 2).
struct Estimate {
  uint64_t weight_bytes = 0;      ///< resident, in the run's dtype
  uint64_t activation_bytes = 0;  ///< of the sweep
  int64_t plans = 0;
  int64_t block_evaluations =
      0;  ///< similarity's plans are not known yet: as if l*(n) = 0.7 (L - n)
  double profile_flops = 0;
  double sweep_flops = 0;
  double cost_flops = 0;
  double cost_bytes_read = 0;  ///< decoding reads every weight for every token
};
Estimate estimate(const Experiment& experiment, const models::ModelConfig& config);

/// Floating-point operations per second of a product of this dtype here and now; measured in about 0.3 s.
double measured_flops(const Experiment& experiment);

/// Prints bytes, memory and rough times per stage; runs none. Exit code 0.
int dry_run(Settings settings, const Console& console);

}  // namespace plumb::harness
