#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/block.h"
#include "models/config.h"

/// LoRA (Hu et al., arXiv 2106.09685): beside a frozen product y = W x stands a trained one of low rank,
///
///     y = W x + alpha / rank * B (A dropout(x)),   A [rank, in], B [out, rank]
namespace plumb::healing {

/// The products of a block that may have one. kQueryKeyValue stands for the first three in families that have them as one
/// linear module (healing/modules.h).
enum class Target { kQuery, kKey, kValue, kAttentionOut, kGate, kUp, kDown, kQueryKeyValue };
inline constexpr size_t kTargetCount = 8;
inline constexpr std::array<Target, kTargetCount> kTargets = {
    Target::kQuery, Target::kKey, Target::kValue, Target::kAttentionOut,
    Target::kGate,  Target::kUp,  Target::kDown,  Target::kQueryKeyValue};

/// Where a target's rows are in the matrices of models::Block, which hold several products each.
struct TargetRows {
  int64_t first = 0;
  int64_t rows = 0;     ///< out
  int64_t columns = 0;  ///< in
};
/// Error{kUsage} for kGate where the feed-forward has none.
TargetRows target_rows(const models::ModelConfig& config, Target target);

struct LoraPair {
  at::Tensor a;  ///< [rank, in] fp32; undefined where the target has none
  at::Tensor b;  ///< [out, rank]
};

/// What is trained of one block; in the same form its gradients.
struct BlockAdapter {
  std::array<LoraPair, kTargetCount> pairs;
  LoraPair& of(Target target) { return pairs[static_cast<size_t>(target)]; }
  const LoraPair& of(Target target) const { return pairs[static_cast<size_t>(target)]; }
};

struct LoraOptions {
  int64_t rank = 0;
  double alpha = 0;
  double dropout = 0;  ///< in [0, 1)
  std::vector<Target> targets;

  double scale() const { return alpha / static_cast<double>(rank); }
};

/// A of Kaiming's uniform distribution with a = sqrt(5), that is of [-1, 1] / sqrt(in), as PEFT draws it; B zero, so that an
/// untrained adapter changes nothing. One stream of random numbers for each block and target. Error{kUsage} for options out
/// of range or a target that a block of `config` has not.
std::vector<BlockAdapter> make_adapters(const models::ModelConfig& config, int64_t block_count,
                                        const LoraOptions& options, uint64_t seed);

/// Zeros in the shapes of `adapter`.
BlockAdapter zeros_like(const BlockAdapter& adapter);

}  // namespace plumb::healing
