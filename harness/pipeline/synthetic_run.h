#pragma once

#include <vector>

#include "harness/pipeline/results.h"
#include "models/compute_device.h"

namespace plumb::harness {

/// The whole chain on a synthetic decoder with a planted identity block, in a second and without a model: the block is
/// found and removing it changes no bit; one walk equals plans alone; a report of it passes its schema.
std::vector<EqualityCheck> self_test();

/// The same decoder on a device: losses equal the CPU's within models/device_tolerance.h, in both dtypes; one walk equals
/// plans alone, and blocks that pass through equal blocks that stay, to the last bit.
std::vector<EqualityCheck> device_self_test(const models::ComputeDevice& device);

}  // namespace plumb::harness
