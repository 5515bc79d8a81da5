#pragma once

#include <cstdint>
#include <string>

#include "harness/cli/console.h"
#include "harness/experiment/experiment.h"
#include "harness/gate/snapshot.h"

namespace plumb::harness {

/// Both sides of a gate that were measured together.
struct InterleavedSides {
  GateSnapshot baseline, candidate;
};

/// Times and sizes of two whole models on this machine, each `rounds` times in a process of its own: A B, B A, A B and so on, so
/// that what slowly changes meets both. The experiments differ in the model alone; `program` is run with the hidden
/// command measure-one. Errors as cost_stage's.
InterleavedSides measure_interleaved(const Experiment& baseline, const Experiment& candidate,
                                     int64_t rounds, const std::string& program,
                                     const Console& console);

}  // namespace plumb::harness
