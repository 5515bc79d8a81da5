#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/verify/claims.h"

namespace plumb::harness {

/// Index of a strategy's plan of n blocks, or none.
std::optional<size_t> plan_of(const SweepResult& sweep, const std::string& strategy, int64_t n);

/// Losses of two strategies on the same documents, at every n in 1..most that both have.
struct PairedLosses {
  std::vector<int64_t> n;          ///< where the plans differ
  std::vector<double> better;      ///< p of "the first is not better", per n
  std::vector<double> worse;       ///< p of "the second is not better"
  std::vector<double> difference;  ///< the second less the first, nats
  int64_t equal_plans = 0;
};

/// Documents are resampled as they were measured: where positions were drawn, the spread between documents already has what the
/// drawing adds. The differences go into the verdict's evidence as `evidence`.
PairedLosses paired_losses(const Measurements& m, const SweepResult& sweep,
                           const std::string& first, const std::string& second, int64_t most,
                           const std::string& evidence, Verdict& v);

}  // namespace plumb::harness
