#pragma once

#include <cstdint>

namespace plumb::healing {

/// How the learning rate goes: linear from 0 in the first `warm_up` steps, then half a cosine down to 0, as transformers'
/// get_cosine_schedule_with_warmup has it (so the first step of a warm-up learns nothing).
struct Schedule {
  double peak = 0;
  int64_t steps = 0;
  int64_t warm_up = 0;
};

/// At step 0..steps-1. Error{kUsage} for a peak that is not positive and finite, no steps, or a warm-up that isn't within them.
double learning_rate(const Schedule& schedule, int64_t step);

/// The warm-up where none is asked for: the paper's 100 steps, of short runs a tenth.
int64_t default_warm_up(int64_t steps);

}  // namespace plumb::healing
