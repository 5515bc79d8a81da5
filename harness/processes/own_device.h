#pragma once

#include <string>

#include "harness/processes/processes.h"

namespace plumb::harness {

/// What CUDA_VISIBLE_DEVICES becomes for the process of this number (from 0) on its machine, so that each has a GPU of its own: the
/// device of that number among those of `visible` (empty: all). One that names a single device stays, as a launcher gave it.
/// "-1", no device, where there are fewer.
std::string own_device(const std::string& visible, int place);

/// Sets it, where several of the processes share a machine. Before anything looks for a device.
void take_own_device(const Processes& processes);

}  // namespace plumb::harness
