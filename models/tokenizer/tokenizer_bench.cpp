#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

#include "models/tokenizer/tokenizer.h"

namespace plumb::models {
namespace {

constexpr const char* kProse =
    "The lead line is the oldest instrument on the boat: forty metres of tarred rope, a weight at "
    "one end and a scrap of cloth at every fathom, so that a hand in the dark counts the depth by "
    "touch. On 14 March 2019 it read 1,286 cm at 04:15; the chart said 9.5 m. \"It's what you'd "
    "expect,\" she said, \"they've dredged here.\"\n\n";
constexpr const char* kCode =
    "for (size_t i = 0; i + 1 < depths.size(); ++i) {\n  sum += 0.5 * (depths[i] + depths[i + 1]) "
    "* "
    "step;  // trapezium rule\n}\n";
constexpr const char* kOther =
    "Gr\u00fc\u00dfe, \u6df1\u3055\u306f\u4f55\u30e1\u30fc\u30c8\u30eb? \u2764\ufe0f\n";

// Some 100 KB, mostly English prose. Numbers differ from line to line; words come again as often
// as in a narrow text, so the cache of words answers most of them.
std::string own_text() {
  std::string made;
  for (int i = 0; made.size() < 100'000; ++i) {
    made += kProse;
    if (i % 4 == 0) made += kCode;
    if (i % 8 == 0) made += kOther;
    made += "Sounding " + std::to_string(i * 7919) + ": the bottom is mud, sand or shell.\n";
  }
  return made;
}

// bytes_per_second counts the text's bytes. Loading the tokenizer is not in the time.
void BM_Encode(benchmark::State& state) {
  const char* model = std::getenv("PLUMB_TEST_MODEL");
  if (model == nullptr || *model == '\0')
    return state.SkipWithError("PLUMB_TEST_MODEL names no GGUF");
  const Tokenizer tokenizer = Tokenizer::open(model);
  const std::string text = own_text();
  size_t ids = 0;
  for (auto _ : state) ids = tokenizer.encode(text).size();
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
  state.counters["ids"] = static_cast<double>(ids);
}
BENCHMARK(BM_Encode)->Name("tokenizer/encode/own_text")->UseRealTime();

// One word without a space, the worst case of the merges: the time may grow as n log n.
void BM_EncodeLongWord(benchmark::State& state) {
  const char* model = std::getenv("PLUMB_TEST_MODEL");
  if (model == nullptr || *model == '\0')
    return state.SkipWithError("PLUMB_TEST_MODEL names no GGUF");
  const Tokenizer tokenizer = Tokenizer::open(model);
  std::string word;
  while (word.size() < static_cast<size_t>(state.range(0))) word += "theinghowordstionab";
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer.encode(word));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(word.size()));
  state.SetComplexityN(state.range(0));
}
BENCHMARK(BM_EncodeLongWord)
    ->Name("tokenizer/encode/one_word")
    ->RangeMultiplier(8)
    ->Range(1 << 11, 1 << 20)
    ->Complexity(benchmark::oNLogN)
    ->Unit(benchmark::kMillisecond);

void BM_Load(benchmark::State& state) {
  const char* model = std::getenv("PLUMB_TEST_MODEL");
  if (model == nullptr || *model == '\0')
    return state.SkipWithError("PLUMB_TEST_MODEL names no GGUF");
  for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::open(model));
}
BENCHMARK(BM_Load)->Name("tokenizer/load/gguf")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plumb::models
