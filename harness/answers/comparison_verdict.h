#pragma once

#include "harness/answers/comparison.h"

namespace plumb::harness {

/// Completes the verdict of a comparison whose numbers stand: name, statement and evidence; and
/// kind, reason and next step where it is not refused already (then its metric is empty).
void judge(Comparison& comparison, const CompareOptions& options);

}  // namespace plumb::harness
