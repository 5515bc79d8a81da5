#pragma once

#include <cstdint>
#include <vector>

#include "harness/pipeline/heal_result.h"
#include "harness/pipeline/results.h"

namespace plumb::harness {

/// Pruning and 4-bit weights of one plan: what each leaves of the bytes of all blocks in 16 bit, and both together.
struct Composition {
  pruning::PruningPlan plan;
  double pruned = 1;      ///< by the stage cost where that has this n, else 1 - n / L
  bool measured = false;  ///< pruned is the cost's
  double quantised = 1;   ///< measured on the whole model
  double both = 1;        ///< measured on the pruned one
  uint64_t bytes = 0;     ///< of its blocks in NF4

  double product() const { return pruned * quantised; }
};
/// A row for each plan that was healed; those of equal blocks once. `cost` may be null.
std::vector<Composition> compositions(const HealResult& heal, const CostResult* cost);

/// NF4 with double quantisation: 4 bits, 8 of a scale for 64 weights, 32 for 256 scales.
inline constexpr double kNf4Bits = 4 + 8.0 / 64 + 32.0 / (64 * 256);

/// Llama-2-70B by its configuration: embedding, head and norms in 16 bit, the blocks' products in NF4.
struct PublishedComposition {
  double whole_bytes = 0;  ///< in 16 bit
  double half_bytes = 0;   ///< without half of the blocks, the others in NF4
  double paper_whole_bytes = 0;
  double paper_half_bytes = 0;

  double factor() const { return whole_bytes / half_bytes; }
};
PublishedComposition llama_2_70b();

}  // namespace plumb::harness
