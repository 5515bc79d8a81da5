#pragma once

#include <cstdint>

#include "harness/experiment/experiment.h"
#include "models/compute_device.h"
#include "models/decoder.h"

namespace plumb::harness {

/// The experiment's device, opened. Error{kResource} with the reason where it cannot be used.
models::ComputeDevice device_of(const Experiment& experiment);

/// Device memory that blocks may take: what is allowed, less the head of `decoder` and what a step of the experiment
/// works with. `limit_bytes` 0: nine tenths of what is free now, the rest being for what the allocator cannot use.
/// Error{kResource} with all three where nothing is left, or where neither limit nor device says how much there is.
uint64_t device_block_bytes(const models::ComputeDevice& device, const models::Decoder& decoder,
                            const Experiment& experiment, uint64_t limit_bytes = 0);

/// `decoder` where the experiment runs it: itself on the CPU.
models::Decoder placed(models::Decoder decoder, const Experiment& experiment,
                       uint64_t limit_bytes = 0);

}  // namespace plumb::harness
