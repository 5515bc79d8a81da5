#include <benchmark/benchmark.h>

#include <vector>

#include "models/kernels/nf4.h"

namespace plumb::models {
namespace {

// One feed-forward matrix of SmolLM2-135M. Memory-bound: compare bytes_per_second with the
// machine's copy bandwidth.
constexpr int64_t kWeights = 576 * 1536;

void dequantize(benchmark::State& state, auto kernel) {
  const std::vector<uint8_t> codes(static_cast<size_t>(nf4_code_bytes(kWeights)), 0x3A);
  const std::vector<float> absmax(static_cast<size_t>(nf4_blocks(kWeights)), 0.02f);
  std::vector<float> out(kWeights);
  for (auto _ : state) {
    kernel(codes, absmax, out);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  const auto bytes = codes.size() + 4 * absmax.size() + 4 * out.size();  // codes, scales, out
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
}

void with_set(benchmark::State& state, std::string_view set) {
  dequantize(state, [set](const auto& codes, const auto& absmax, auto& out) {
    nf4_dequantize_with(set, codes, absmax, out);
  });
}

const int kRegistered = [] {
  benchmark::RegisterBenchmark("nf4/dequantize/reference", [](benchmark::State& state) {
    dequantize(state, nf4_dequantize_reference);
  })->UseRealTime();
  for (const std::string_view set : nf4_instruction_sets())
    benchmark::RegisterBenchmark(("nf4/dequantize/" + std::string(set)).c_str(), with_set, set)
        ->UseRealTime();
  return 0;
}();

}  // namespace
}  // namespace plumb::models
