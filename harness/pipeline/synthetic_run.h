#pragma once

#include <vector>

#include "harness/pipeline/results.h"

namespace plumb::harness {

/// The whole chain on a synthetic decoder with a planted identity block, in a second and without a model: the block is
/// found and removing it changes no bit; one walk equals plans alone; a report of it passes its schema.
std::vector<EqualityCheck> self_test();

}  // namespace plumb::harness
