#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

#include "base/error.h"
#include "base/rng.h"
#include "metrics/cost/cost.h"
#include "metrics/cost/stopwatch.h"

namespace plumb::metrics {
namespace {

using models::Decoder;

constexpr uint64_t kTokenSeed = 1;

void require_usable(const Decoder& decoder, const CostOptions& o) {
  for (const auto& [name, value] : {std::pair{"prefill tokens", o.prefill_tokens},
                                    {"decode context", o.decode_context},
                                    {"decode tokens", o.decode_tokens},
                                    {"repetitions", o.repetitions}})
    if (value < 1)
      throw Error(ErrorKind::kUsage, text(name, " are ", value, "; at least 1 is needed"));
  const int64_t most = decoder.config().max_positions;
  if (o.prefill_tokens > most || o.decode_context > most - o.decode_tokens)
    throw Error(ErrorKind::kUsage, text("a prefill of ", o.prefill_tokens, " and a decode of ",
                                        o.decode_tokens, " tokens behind ", o.decode_context,
                                        " were asked for; the model has ", most, " positions"));
}

/// [1, count] token ids.
at::Tensor random_tokens(const Decoder& decoder, int64_t count) {
  Rng rng(kTokenSeed);
  at::Tensor tokens = at::empty({1, count}, at::kLong);
  for (int64_t i = 0; i < count; ++i)
    tokens.mutable_data_ptr<int64_t>()[i] =
        static_cast<int64_t>(rng.below(static_cast<uint64_t>(decoder.config().vocabulary_size)));
  return tokens;
}

/// The blocks over `x`, which is left alone.
at::Tensor run_blocks(const Decoder& decoder, const at::Tensor& x) {
  at::Tensor out = decoder.run_block(0, x);
  for (int64_t l = 1; l < decoder.block_count(); ++l) decoder.run_block_in_place(l, out);
  return out;
}

at::Tensor last_logits(const Decoder& decoder, const at::Tensor& x) {
  return decoder.logits(x.narrow(1, x.size(1) - 1, 1));
}

std::vector<double> decode_ms_per_token(const Decoder& decoder, const CostOptions& options) {
  models::KvCache cache = decoder.make_cache(1, options.decode_context + options.decode_tokens);
  decoder.forward_cached(random_tokens(decoder, options.decode_context), cache);
  const at::Tensor tokens = random_tokens(decoder, options.decode_tokens);
  std::vector<double> ms = repeated_ms("decode", options.repetitions, [&] {
    cache.length = options.decode_context;
    for (int64_t i = 0; i < options.decode_tokens; ++i)
      decoder.decode(tokens.narrow(1, i, 1), cache);
    decoder.wait();
  });
  for (double& value : ms) value /= static_cast<double>(options.decode_tokens);
  return ms;
}

}  // namespace

Cost measure_latency(const Decoder& decoder, const CostOptions& options) {
  require_usable(decoder, options);
  const c10::InferenceMode no_autograd;
  Cost cost;
  cost.blocks = decoder.block_count();
  cost.block_bytes = decoder.block_bytes();
  cost.weight_bytes = decoder.weight_bytes();
  const at::Tensor tokens = random_tokens(decoder, options.prefill_tokens);
  const at::Tensor embedded = decoder.embed(tokens);
  cost.prefill_blocks_ms = repeated_ms("prefill_blocks", options.repetitions, [&] {
    run_blocks(decoder, embedded);
    decoder.wait();
  });
  cost.prefill_ms = repeated_ms("prefill", options.repetitions, [&] {
    last_logits(decoder, run_blocks(decoder, decoder.embed(tokens)));
    decoder.wait();
  });
  cost.decode_ms_per_token = decode_ms_per_token(decoder, options);
  return cost;
}

}  // namespace plumb::metrics
