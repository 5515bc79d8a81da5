#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/verify/claims.h"

/// Measurements with known answers. For tests alone.
namespace plumb::harness::testing {

inline constexpr int64_t kBlocks = 12;
inline constexpr int64_t kDocuments = 20;
inline constexpr double kBlockBytes = 64 << 20;

/// Distances f(n, l, document); the pairs after the norm are those of `after`, where it is given.
using Distance = std::function<double(double n, double l, int64_t document)>;
inline ProfileResult profile_of(const Distance& distance, int64_t documents = kDocuments,
                                int64_t blocks = kBlocks) {
  ProfileResult result;
  result.profile = {metrics::DistanceMatrix(blocks, documents), {}, {}};
  for (int64_t n = 1; n <= blocks; ++n) {
    std::vector<double> after;
    for (int64_t d = 0; d < documents; ++d) {
      for (int64_t l = 0; l + n <= blocks; ++l)
        result.profile.before_norm.at(n, l, d) =
            distance(static_cast<double>(n), static_cast<double>(l), d);
      after.push_back(distance(static_cast<double>(n), static_cast<double>(blocks - n), d));
    }
    result.profile.after_norm.push_back(after);
  }
  return result;
}

/// Losses f(strategy, n, document) of similarity and simple for n = 1..L/2.
using Loss = std::function<double(const std::string& strategy, double n, int64_t document)>;
inline SweepResult sweep_of(const Loss& loss, int64_t documents = kDocuments) {
  SweepResult result;
  for (int64_t d = 0; d < documents; ++d) result.text.documents.push_back(d);
  for (const std::string strategy : {"similarity", "simple"})
    for (int64_t n = 1; n <= kBlocks / 2; ++n) {
      pruning::PruningPlan plan{kBlocks, {}, strategy, "planted"};
      const int64_t first = strategy == "simple" ? kBlocks - 1 - n : 2;
      for (int64_t i = 0; i < n; ++i) plan.removed.push_back(first + i);
      std::vector<double> row;
      for (int64_t d = 0; d < documents; ++d)
        row.push_back(loss(strategy, static_cast<double>(n), d));
      result.plans.push_back(plan);
      result.losses.loss_nats.push_back(row);
    }
  return result;
}

/// Costs of n = 0, 2, .. 10: a peak in bytes and times in ms per repetition, each a function of n.
struct CostModel {
  std::function<double(double)> peak = [](double n) { return 1e9 - kBlockBytes * n; };
  std::function<std::vector<double>(double)> prefill = [](double n) {
    return std::vector<double>{101.0 - 5 * n, 100.0 - 5 * n, 102.0 - 5 * n};
  };
  std::function<std::vector<double>(double)> blocks = [](double n) {
    return std::vector<double>{96.0 - 8 * n};
  };
  std::function<std::vector<double>(double)> decode = [](double n) {
    return std::vector<double>{21.0 - n, 20.0 - n, 22.0 - n};
  };
};
inline CostResult cost_of(const CostModel& model,
                          const std::vector<int64_t>& counts = {0, 2, 4, 6, 8, 10}) {
  CostResult result;
  result.block_count = kBlocks;
  for (const int64_t n : counts) {
    CostPoint point;
    const auto x = static_cast<double>(n);
    point.n = n;
    point.cost.blocks = kBlocks - n;
    point.cost.block_bytes =
        static_cast<uint64_t>(kBlockBytes) * static_cast<uint64_t>(kBlocks - n);
    point.cost.peak_resident_bytes = static_cast<uint64_t>(model.peak(x));
    point.cost.prefill_ms = model.prefill(x);
    point.cost.prefill_blocks_ms = model.blocks(x);
    point.cost.decode_ms_per_token = model.decode(x);
    result.points.push_back(point);
  }
  return result;
}

}  // namespace plumb::harness::testing
