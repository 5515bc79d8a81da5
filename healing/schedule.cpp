#include "healing/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace plumb::healing {

double learning_rate(const Schedule& s, int64_t step) {
  if (!(s.peak > 0) || !std::isfinite(s.peak) || s.steps < 1 || s.warm_up < 0 ||
      s.warm_up >= s.steps || step < 0 || step >= s.steps)
    throw Error(ErrorKind::kUsage,
                text("step ", step, " of ", s.steps, " with a warm-up of ", s.warm_up,
                     " and a peak learning rate of ", s.peak,
                     "; needed are a positive peak and a warm-up shorter than the steps"));
  if (step < s.warm_up) return s.peak * static_cast<double>(step) / static_cast<double>(s.warm_up);
  const double progress =
      static_cast<double>(step - s.warm_up) / static_cast<double>(s.steps - s.warm_up);
  return s.peak * std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * progress)));
}

int64_t default_warm_up(int64_t steps) { return std::min<int64_t>(100, steps / 10); }

}  // namespace plumb::healing
