// Prefill and decoding of Decoder, with a cache of keys and values.

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "base/error.h"
#include "models/aten_block.h"
#include "models/decoder.h"
#include "models/kernels/panels.h"
#include "models/layers/rope_table.h"
#include "models/panel_block.h"

namespace plumb::models {

namespace {

/// Sequences that the kernels for one token take at once: each costs its products again, which the weights' reading hides
/// for a few.
constexpr int64_t kMostSequences = 8;

void require_room(const Decoder& d, const KvCache& cache, int64_t tokens) {
  if (cache.length + tokens > cache.capacity ||
      static_cast<int64_t>(cache.keys.size()) != d.block_count())
    throw Error(ErrorKind::kInvariant,
                text(tokens, " tokens after position ", cache.length, " and ", d.block_count(),
                     " blocks, but the cache holds ", cache.capacity, " positions and ",
                     cache.keys.size(), " blocks"));
}

/// One token a sequence by the kernels: x [B, 1, D] is overwritten with the states after the last block; with `logits`,
/// [B, V], what follows. Blocks that do not stay in memory are run one by one, to the same bits.
class OneToken {
 public:
  OneToken(const Decoder& d, RopeTable& rope, KvCache& cache, at::Tensor& x)
      : decoder_(d), cache_(cache), x_(x), table_(rope.first(cache.length + 1)) {}

  void run(float* logits) {
    bool resident = true;
    for (int64_t i = 0; i < decoder_.block_count(); ++i) resident = resident && decoder_.keeps(i);
    if (resident) return step(0, decoder_.block_count(), logits);
    for (int64_t i = 0; i < decoder_.block_count(); ++i) step(i, i + 1, nullptr);
    if (logits != nullptr) step(0, 0, logits);
  }

 private:
  void step(int64_t begin, int64_t end, float* logits) {
    std::vector<std::shared_ptr<const Block>> held;
    std::vector<kernels::CachedBlock> blocks;
    for (int64_t i = begin; i < end; ++i) {
      held.push_back(decoder_.block(i));
      blocks.push_back({panel_weights(*held.back()),
                        cache_.keys[static_cast<size_t>(i)].mutable_data_ptr(),
                        cache_.values[static_cast<size_t>(i)].mutable_data_ptr()});
    }
    const ModelConfig& c = decoder_.config();
    kernels::DecodeStep step{panel_shape(c, x_.size(0), 1),
                             cache_.length,
                             cache_.capacity,
                             blocks,
                             panel_rotation(table_),
                             panel_head_shape(x_.size(0), c),
                             panel_head_weights(decoder_.head()),
                             x_.const_data_ptr()};
    step.out = x_.mutable_data_ptr();
    step.logits = logits;
    const kernels::PanelKernels& set = kernels::panel_kernels();
    (decoder_.dtype() == Dtype::kFp32 ? set.decode_fp32 : set.decode_bf16)(step);
  }

  const Decoder& decoder_;
  KvCache& cache_;
  at::Tensor& x_;
  RopeTable::View table_;
};

bool takes_one_token_kernels(const Decoder& d, const at::Tensor& tokens) {
  return d.device().is_cpu() && tokens.dim() == 2 && tokens.size(1) == 1 &&
         tokens.size(0) <= kMostSequences;
}

}  // namespace

KvCache Decoder::make_cache(int64_t batch, int64_t capacity) const {
  KvCache cache;
  cache.capacity = capacity;
  for (int64_t i = 0; i < block_count(); ++i)
    for (auto* side : {&cache.keys, &cache.values})
      side->push_back(at::empty({batch, config_.kv_head_count, capacity, config_.head_width},
                                at::TensorOptions(device()).dtype(scalar_type(dtype_))));
  return cache;
}

at::Tensor Decoder::forward_cached(const at::Tensor& tokens, KvCache& cache) const {
  const int64_t first = cache.length, T = tokens.size(1);
  require_room(*this, cache, T);
  at::Tensor x = embed(tokens);
  if (takes_one_token_kernels(*this, tokens)) {
    x = x.contiguous();
    OneToken(*this, *rope_, cache, x).run(nullptr);
  } else if (device().is_cpu() && first == 0) {
    x = x.contiguous();
    for (int64_t i = 0; i < block_count(); ++i) {
      const auto side = static_cast<size_t>(i);
      apply_block(i, x, x,
                  {cache.keys[side].mutable_data_ptr(), cache.values[side].mutable_data_ptr(),
                   cache.capacity});
    }
  } else {
    const AtenPositions positions = aten_positions(*rope_, config_, first, T, x.device());
    for (int64_t i = 0; i < block_count(); ++i) {
      const AtenCache filled{cache.keys[static_cast<size_t>(i)],
                             cache.values[static_cast<size_t>(i)]};
      aten_block(*block(i), config_, positions, x, &filled);
    }
  }
  cache.length = first + T;
  return x;
}

at::Tensor Decoder::decode(const at::Tensor& tokens, KvCache& cache) const {
  if (tokens.dim() != 2 || tokens.size(1) != 1)
    throw Error(ErrorKind::kInvariant, text("tokens to decode are ", tokens.sizes(),
                                            ", need one of each sequence, [B, 1]"));
  if (!takes_one_token_kernels(*this, tokens))
    return logits(forward_cached(tokens, cache)).select(1, 0).to(at::kCPU);
  require_room(*this, cache, 1);
  at::Tensor x = embed(tokens).contiguous();
  at::Tensor out = at::empty({x.size(0), config_.vocabulary_size}, at::kFloat);
  OneToken(*this, *rope_, cache, x).run(out.mutable_data_ptr<float>());
  ++cache.length;
  return out;
}

}  // namespace plumb::models
