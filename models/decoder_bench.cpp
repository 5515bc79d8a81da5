// Prefill of one block, the head with its loss, and decoding with a cache, on seeded random weights
// in the shapes of SmolLM2-135M (D 576, 9 heads, 3 of them for keys, F 1536, V 49152) and of a
// wider model (D 1024, 16 heads, F 2816, V 32000). Counts floating-point operations of the products
// and of causal attention; loading is not timed.

#include <ATen/ops/arange.h>
#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <limits>
#include <memory>

#include "base/error.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/compute_device.h"
#include "models/decoder.h"

namespace plumb::models {
namespace {

using fixtures::tiny_decoder;
using fixtures::TinyDecoderOptions;

TinyDecoderOptions options_of(bool wide, Dtype dtype) {
  if (wide)
    return {.block_count = 2,
            .width = 1024,
            .head_count = 16,
            .kv_head_count = 16,
            .feed_forward_width = 2816,
            .vocabulary_size = 32000,
            .dtype = dtype};
  return {.block_count = 2,
          .width = 576,
          .head_count = 9,
          .kv_head_count = 3,
          .feed_forward_width = 1536,
          .vocabulary_size = 49152,
          .dtype = dtype};
}

const Decoder& decoder_of(const benchmark::State& state) {
  static std::array<std::unique_ptr<Decoder>, 4> made;
  auto& slot = made[static_cast<size_t>(2 * state.range(0) + state.range(1))];
  if (!slot)
    slot = std::make_unique<Decoder>(tiny_decoder(
        options_of(state.range(0) != 0, state.range(1) != 0 ? Dtype::kBf16 : Dtype::kFp32)));
  return *slot;
}

at::Tensor tokens_of(const Decoder& decoder, int64_t sequences, int64_t count) {
  return at::arange(sequences * count)
      .mul(7919)
      .remainder(decoder.config().vocabulary_size)
      .view({sequences, count});
}

double block_flops(const Decoder& decoder, double sequences, double tokens) {
  const ModelConfig& c = decoder.config();
  const std::shared_ptr<const Block> held = decoder.block(0);
  const Block& b = *held;
  const auto weights = static_cast<double>(b.query_key_value.numel() + b.attention_out.numel() +
                                           b.gate_up.numel() + b.down.numel());
  const double attention = 2 * tokens * static_cast<double>(c.head_count * c.head_width);
  return sequences * tokens * (2 * weights + attention);
}

void BM_Block(benchmark::State& state) {
  const Decoder& decoder = decoder_of(state);
  const int64_t B = state.range(2), T = state.range(3);
  at::Tensor x = decoder.embed(tokens_of(decoder, B, T));
  at::Tensor y = decoder.run_block(0, x);
  for (auto _ : state) {
    y.copy_(x);
    decoder.run_block_in_place(0, y);
  }
  state.SetItemsProcessed(state.iterations() * B * T);
  state.counters["FLOP/s"] =
      benchmark::Counter(block_flops(decoder, static_cast<double>(B), static_cast<double>(T)),
                         benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_Block)
    ->Name("decoder/block")
    ->ArgNames({"wide", "bf16", "B", "T"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->ArgsProduct({{0, 1}, {0, 1}, {8}, {256}})
    ->Args({0, 0, 1, 2048})
    ->Args({0, 1, 1, 2048})
    ->Args({0, 1, 1, 256});

void BM_CrossEntropy(benchmark::State& state) {
  const Decoder& decoder = decoder_of(state);
  const int64_t rows = state.range(2);
  const at::Tensor tokens = tokens_of(decoder, 1, rows);
  const at::Tensor x = decoder.embed(tokens).view({rows, -1}), targets = tokens.view({-1});
  for (auto _ : state) benchmark::DoNotOptimize(decoder.cross_entropy(x, targets));
  state.SetItemsProcessed(state.iterations() * rows);
  state.counters["FLOP/s"] = benchmark::Counter(
      2.0 * static_cast<double>(rows) * static_cast<double>(decoder.unembedding().numel()),
      benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_CrossEntropy)
    ->Name("decoder/head_and_loss")
    ->ArgNames({"wide", "bf16", "rows"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->ArgsProduct({{0, 1}, {0, 1}, {8 * 255}});

// Memory-bound: compare bytes_per_second with the machine's read bandwidth.
void BM_DecodeOneToken(benchmark::State& state) {
  const Decoder& decoder = decoder_of(state);
  KvCache cache = decoder.make_cache(1, 512);
  decoder.forward_cached(tokens_of(decoder, 1, 256), cache);
  const at::Tensor token = tokens_of(decoder, 1, 1);
  for (auto _ : state) {
    cache.length = 256;
    benchmark::DoNotOptimize(decoder.decode(token, cache));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(decoder.weight_bytes()));
}
BENCHMARK(BM_DecodeOneToken)
    ->Name("decoder/decode")
    ->ArgNames({"wide", "bf16"})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond)
    ->ArgsProduct({{0, 1}, {0, 1}});

// The same block and head on the device that `auto` finds. PLUMB_BENCH_DEVICE names another: cuda, or a plug-in.
const Decoder* device_decoder(benchmark::State& state) {
  static std::array<std::unique_ptr<Decoder>, 4> made;
  const char* named = std::getenv("PLUMB_BENCH_DEVICE");
  const ComputeDevice device = open_device(named != nullptr ? named : "auto");
  if (device.is_cpu()) {
    state.SkipWithError(text("not run: ", device.reason).c_str());
    return nullptr;
  }
  auto& slot = made[static_cast<size_t>(2 * state.range(0) + state.range(1))];
  if (!slot)
    slot = std::make_unique<Decoder>(
        decoder_of(state).on(device.device, std::numeric_limits<uint64_t>::max()));
  return slot.get();
}

void BM_DeviceBlock(benchmark::State& state) {
  const Decoder* decoder = device_decoder(state);
  if (decoder == nullptr) return;
  const int64_t B = state.range(2), T = state.range(3);
  at::Tensor x = decoder->embed(tokens_of(*decoder, B, T));
  for (auto _ : state) {
    benchmark::DoNotOptimize(decoder->run_block(0, x));
    decoder->wait();
  }
  state.SetItemsProcessed(state.iterations() * B * T);
  state.counters["FLOP/s"] =
      benchmark::Counter(block_flops(*decoder, static_cast<double>(B), static_cast<double>(T)),
                         benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_DeviceBlock)
    ->Name("decoder/device/block")
    ->ArgNames({"wide", "bf16", "B", "T"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->ArgsProduct({{0, 1}, {0, 1}, {8}, {256, 2048}});

void BM_DeviceCrossEntropy(benchmark::State& state) {
  const Decoder* decoder = device_decoder(state);
  if (decoder == nullptr) return;
  const int64_t rows = state.range(2);
  const at::Tensor tokens = tokens_of(*decoder, 1, rows);
  const at::Tensor x = decoder->embed(tokens).view({rows, -1}), targets = tokens.view({-1});
  for (auto _ : state) benchmark::DoNotOptimize(decoder->cross_entropy(x, targets));
  state.SetItemsProcessed(state.iterations() * rows);
}
BENCHMARK(BM_DeviceCrossEntropy)
    ->Name("decoder/device/head_and_loss")
    ->ArgNames({"wide", "bf16", "rows"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->ArgsProduct({{0, 1}, {0, 1}, {8 * 255}});

}  // namespace
}  // namespace plumb::models
