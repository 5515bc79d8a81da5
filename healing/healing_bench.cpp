// A step of healing and its parts, in SmolLM2-135M's shapes: 4 sequences of 256 tokens, rank 8, on gate, up and down.
// A step is bound by products: 6 N flops a token of N frozen weights are 4 N here, as frozen weights have no gradient.

#include <ATen/core/Tensor.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include "fixtures/synthetic/shaped_decoder.h"
#include "healing/layers_gradient.h"
#include "healing/loss_gradient.h"
#include "healing/nf4_blocks.h"
#include "healing/trainer.h"
#include "models/layers/rope_table.h"

namespace plumb::healing {
namespace {

constexpr int64_t kBatch = 4, kTokens = 256, kBlocks = 4;

models::ModelConfig smollm2() {
  models::ModelConfig c;
  c.architecture = "llama";
  c.block_count = kBlocks;
  c.width = 576;
  c.head_count = 9;
  c.kv_head_count = 3;
  c.head_width = c.rotary_width = 64;
  c.feed_forward_width = 1536;
  c.vocabulary_size = 49152;
  c.max_positions = 2048;
  c.tied_embeddings = true;
  return c;
}

/// Values of bf16 held in fp32.
const models::Decoder& decoder() {
  static const models::Decoder one =
      with_nf4_blocks(fixtures::shaped_decoder(smollm2(), models::Dtype::kFp32),
                      models::Dtype::kBf16, models::Dtype::kFp32);
  return one;
}

constexpr at::ScalarType kProducts = at::kFloat;  // as the weights are held

TrainerOptions options() {
  TrainerOptions out;
  out.lora = {8, 8, 0, {Target::kGate, Target::kUp, Target::kDown}};
  out.schedule = {3e-4, 1000000, 0};
  out.states = models::Dtype::kBf16;
  return out;
}

struct Parts {
  models::RopeTable rope{models::rope_frequencies(64, 1e4, {})};
  models::AtenPositions positions =
      models::aten_positions(rope, decoder().config(), 0, kTokens, at::kCPU);
  std::vector<BlockAdapter> adapters = make_adapters(decoder().config(), 1, options().lora, 1);
  at::Tensor x = at::randn({kBatch, kTokens, 576}).to(at::kBFloat16);
  at::Tensor wide = at::randn({kBatch, kTokens, 576});
  at::Tensor heads = at::randn({kBatch, kTokens, 960}).to(at::kBFloat16);
  at::Tensor inner = at::randn({kBatch, kTokens, 3072}).to(at::kBFloat16);
  at::Tensor fed = at::randn({kBatch, kTokens, 1536});
  std::shared_ptr<const models::Block> block = decoder().block(0);
  TrainedBlock trained{*block, decoder().config(), positions, adapters[0], 1};
  NormWeights norm{models::Norm::kRms, block->attention_norm, {}, 1e-5};
};

template <typename Run>
void timed(benchmark::State& state, const Run& run) {
  const c10::InferenceMode no_autograd;
  const Parts parts;
  for (auto _ : state) run(parts);
}

void BM_Step(benchmark::State& state) {
  Trainer trainer(decoder(), options());
  const at::Tensor tokens = at::randint(0, 49152, {kBatch, kTokens}, at::kLong);
  for (auto _ : state) trainer.step({tokens});
  state.SetItemsProcessed(state.iterations() * kBatch * kTokens);
}
BENCHMARK(BM_Step)
    ->Name("heal/step/4 blocks and head")
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void BM_Loss(benchmark::State& state) {
  timed(state, [](const Parts& p) {
    const at::Tensor targets = at::randint(0, 49152, {kBatch * kTokens}, at::kLong);
    benchmark::DoNotOptimize(
        loss_gradient(decoder().head(), decoder().config(), p.x.view({-1, 576}), targets));
  });
}
BENCHMARK(BM_Loss)->Name("heal/loss")->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_Forward(benchmark::State& state) {
  timed(state, [](const Parts& p) {
    BlockStates states;
    benchmark::DoNotOptimize(p.trained.forward(p.x, &states));
  });
}
BENCHMARK(BM_Forward)->Name("heal/block/forward")->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_Backward(benchmark::State& state) {
  const c10::InferenceMode no_autograd;
  const Parts p;
  BlockStates states;
  p.trained.forward(p.x, &states);
  BlockAdapter sums = zeros_like(p.adapters[0]);
  for (auto _ : state) benchmark::DoNotOptimize(p.trained.backward(states, p.wide, sums));
}
BENCHMARK(BM_Backward)->Name("heal/block/backward")->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_Dequantise(benchmark::State& state) {
  int64_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(decoder().block(i++ % kBlocks));
}
BENCHMARK(BM_Dequantise)
    ->Name("heal/block/dequantise")
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void BM_Attention(benchmark::State& state) {
  timed(state, [](const Parts& p) {
    benchmark::DoNotOptimize(attention(p.heads, {}, decoder().config(), p.positions));
  });
}
BENCHMARK(BM_Attention)
    ->Name("heal/attention/forward")
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void BM_AttentionGradient(benchmark::State& state) {
  timed(state, [](const Parts& p) {
    benchmark::DoNotOptimize(
        attention_gradient(p.heads, {}, decoder().config(), p.positions, p.wide, kProducts));
  });
}
BENCHMARK(BM_AttentionGradient)
    ->Name("heal/attention/backward")
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void BM_Activation(benchmark::State& state) {
  timed(state, [](const Parts& p) {
    benchmark::DoNotOptimize(activation(p.inner, decoder().config(), kProducts));
    benchmark::DoNotOptimize(
        activation_gradient(p.inner, decoder().config(), p.fed.to(kProducts), kProducts));
  });
}
BENCHMARK(BM_Activation)
    ->Name("heal/activation/both")
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void BM_Norm(benchmark::State& state) {
  timed(state, [](const Parts& p) {
    benchmark::DoNotOptimize(norm_for(kProducts, p.x, p.norm));
    benchmark::DoNotOptimize(plus_norm_gradient(p.wide, p.x, p.norm, p.wide.to(kProducts)));
  });
}
BENCHMARK(BM_Norm)->Name("heal/norm/both")->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plumb::healing
