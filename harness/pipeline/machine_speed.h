#pragma once

#include <cstdint>
#include <filesystem>

#include "models/config.h"
#include "models/decoder.h"

namespace plumb::harness {

/// What this machine does with blocks of a config's shape, from a short run of the same kernels on random weights.
/// Depends on the thread count that is set.
struct MachineSpeed {
  double block_flops_per_second = 0;  ///< whole sequences, `documents` x `tokens`
  double head_flops_per_second = 0;   ///< loss of such rows
  double decode_bytes_per_second =
      0;                            ///< weights of blocks read by one decoded token after another
  int64_t measured_width = 0;       ///< D of what was run
  int64_t measured_parameters = 0;  ///< of one block that was run
};

/// Takes about two seconds and at most 1 GiB. A block of more than 2^26 weights is measured on a narrower one of the
/// same proportions: kernels are as fast there, as both lie in memory and not in a cache. FLOPs are those of
/// metrics/cost/arithmetic.h, attention at the mean context of a sequence included.
MachineSpeed machine_speed(const models::ModelConfig& config, models::Dtype dtype,
                           int64_t documents, int64_t tokens);

/// Bytes per second that this machine's memory gives to a plain read of a buffer larger than its caches (at least 1 GiB,
/// unless that is more than a quarter of what is available), by all threads that are set: the fastest of several passes.
/// The bound of everything that reads its weights once. Error{kResource} where there is no memory for a buffer twice as
/// large as the caches.
double read_bytes_per_second();

/// Bytes per second that come from the disk under `folder`: 64 MiB are written there, dropped from the system's cache,
/// read and removed. Error{kResource} where that cannot be done.
double disk_bytes_per_second(const std::filesystem::path& folder);

}  // namespace plumb::harness
