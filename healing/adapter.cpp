#include "healing/adapter.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace plumb::healing {

TargetRows target_rows(const models::ModelConfig& c, Target target) {
  const int64_t H = c.head_count * c.head_width, G = c.kv_head_count * c.head_width;
  const int64_t F = c.feed_forward_width, D = c.width;
  switch (target) {
    case Target::kQuery:
      return {0, H, D};
    case Target::kKey:
      return {H, G, D};
    case Target::kValue:
      return {H + G, G, D};
    case Target::kAttentionOut:
      return {0, D, H};
    case Target::kGate:
      if (!c.options.gated)
        throw Error(ErrorKind::kUsage, text("the blocks of ", c.architecture,
                                            " have no gate; their feed-forward is up and down"));
      return {0, F, D};
    case Target::kUp:
      return {c.options.gated ? F : 0, F, D};
    case Target::kDown:
      return {0, D, F};
    case Target::kQueryKeyValue:
      return {0, H + 2 * G, D};
  }
  throw Error(ErrorKind::kInvariant, "no such target");
}

std::vector<BlockAdapter> make_adapters(const models::ModelConfig& config, int64_t block_count,
                                        const LoraOptions& options, uint64_t seed) {
  if (options.rank < 1 || !(options.alpha > 0) || !(options.dropout >= 0 && options.dropout < 1) ||
      options.targets.empty())
    throw Error(ErrorKind::kUsage,
                text("LoRA of rank ", options.rank, ", alpha ", options.alpha, ", dropout ",
                     options.dropout, " and ", options.targets.size(),
                     " targets; needed are a rank of at least 1, a positive alpha, a dropout in "
                     "[0, 1) and a target"));
  std::vector<BlockAdapter> out(static_cast<size_t>(block_count));
  for (size_t block = 0; block < out.size(); ++block)
    for (const Target target : options.targets) {
      const TargetRows rows = target_rows(config, target);
      LoraPair& pair = out[block].of(target);
      pair.a = at::empty({options.rank, rows.columns}, at::kFloat);
      pair.b = at::zeros({rows.rows, options.rank}, at::kFloat);
      Rng rng(seed, 0x4C6F5241 + block * kTargetCount + static_cast<size_t>(target));
      const double bound = 1 / std::sqrt(static_cast<double>(rows.columns));
      auto* a = pair.a.mutable_data_ptr<float>();
      for (int64_t i = 0; i < pair.a.numel(); ++i)
        a[i] = static_cast<float>((2 * rng.uniform() - 1) * bound);
    }
  return out;
}

BlockAdapter zeros_like(const BlockAdapter& adapter) {
  BlockAdapter out;
  for (const Target target : kTargets) {
    const LoraPair& pair = adapter.of(target);
    if (pair.a.defined()) out.of(target) = {at::zeros_like(pair.a), at::zeros_like(pair.b)};
  }
  return out;
}

}  // namespace plumb::healing
