#include "metrics/cost/generation.h"

#include <ATen/ops/empty.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "base/rng.h"

namespace plumb::metrics {
namespace {

using Clock = std::chrono::steady_clock;
using Prompts = std::vector<std::vector<int32_t>>;  // [sequence][context]

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void require_usable(const models::Decoder& decoder, std::span<const Prompts> prompts,
                    const GenerationOptions& o) {
  if (o.tokens < 2 || o.repetitions < 1)
    throw Error(ErrorKind::kUsage,
                text(o.tokens, " tokens and ", o.repetitions,
                     " repetitions were asked for; at least 2 and 1 are needed"));
  if (std::ssize(prompts) < o.repetitions)
    throw Error(ErrorKind::kUsage, text(prompts.size(), " sets of prompts for ", o.repetitions,
                                        " repetitions; each needs one of its own"));
  const auto length = prompts[0].empty() ? 0 : std::ssize(prompts[0][0]);
  for (const Prompts& one : prompts)
    for (const auto& prompt : one)
      if (one.size() != prompts[0].size() || std::ssize(prompt) != length)
        throw Error(ErrorKind::kUsage, "prompts that are timed together need one length");
  if (length < 1) throw Error(ErrorKind::kUsage, "a prompt to be timed has no tokens");
  if (const int64_t most = decoder.config().max_positions; length + o.tokens > most)
    throw Error(ErrorKind::kUsage,
                text("prompts of ", length, " tokens and ", o.tokens,
                     " more were asked for; the model has ", most, " positions"));
}

at::Tensor as_tensor(const Prompts& prompts) {
  const auto B = std::ssize(prompts), T = std::ssize(prompts[0]);
  at::Tensor out = at::empty({B, T}, at::kLong);
  for (int64_t b = 0; b < B; ++b)
    std::copy(prompts[static_cast<size_t>(b)].begin(), prompts[static_cast<size_t>(b)].end(),
              out.mutable_data_ptr<int64_t>() + b * T);
  return out;
}

/// A decoder with a cache that is filled again and again.
class Writer {
 public:
  Writer(const models::Decoder& decoder, int64_t sequences, int64_t capacity)
      : decoder_(decoder),
        cache_(decoder.make_cache(sequences, capacity)),
        tokens_(at::empty({sequences, 1}, at::kLong)) {}

  void begin(const at::Tensor& prompts) {
    cache_.length = 0;
    const at::Tensor x = decoder_.forward_cached(prompts, cache_);
    choose(decoder_.logits(x.narrow(1, x.size(1) - 1, 1)).to(at::kCPU).contiguous());
  }
  void next() { choose(decoder_.decode(tokens_, cache_)); }
  const at::Tensor& tokens() const { return tokens_; }
  std::vector<int32_t> ids() const {
    const auto* id = tokens_.const_data_ptr<int64_t>();
    return {id, id + tokens_.numel()};
  }

 private:
  void choose(const at::Tensor& logits) {
    const int64_t B = tokens_.numel(), V = decoder_.config().vocabulary_size;
    const auto* z = logits.const_data_ptr<float>();
    for (int64_t b = 0; b < B; ++b)
      tokens_.mutable_data_ptr<int64_t>()[b] =
          std::max_element(z + b * V, z + (b + 1) * V) - (z + b * V);
  }

  const models::Decoder& decoder_;
  models::KvCache cache_;
  at::Tensor tokens_;  // the last one of each sequence
};

/// Rounds of `round` until three in a row take the same time, or too many went by.
void warm_up(const std::function<void()>& round, GenerationTimes& out) {
  std::vector<double> ms;
  while (out.warm_up_rounds < kMostWarmUpRounds) {
    const auto start = Clock::now();
    round();
    ms.push_back(ms_since(start));
    ++out.warm_up_rounds;
    if (ms.size() < 3) continue;
    const auto [least, most] = std::minmax_element(ms.end() - 3, ms.end());
    out.warm_up_spread = (*most - *least) / *least;
    if (out.warm_up_spread <= kWarmSpread) return;
  }
}

/// Google Benchmark's own report in its own format, kept instead of printed.
class KeptReport : public benchmark::BenchmarkReporter {
 public:
  KeptReport() { json_.SetOutputStream(&text_), json_.SetErrorStream(&text_); }
  bool ReportContext(const Context& context) override { return json_.ReportContext(context); }
  void ReportRuns(const std::vector<Run>& runs) override { json_.ReportRuns(runs); }
  void Finalize() override { json_.Finalize(); }
  std::string without_host() const {
    auto json = nlohmann::ordered_json::parse(text_.str());
    for (const char* key : {"host_name", "executable"}) json.at("context").erase(key);
    return json.dump();
  }

 private:
  std::ostringstream text_;
  benchmark::JSONReporter json_;
};

/// A benchmark whose body may throw.
struct Timing {
  std::string name;
  int64_t iterations, repetitions;
  std::function<void(benchmark::State&)> body;
};

std::string run_benchmarks(const std::vector<Timing>& timings) {
  std::exception_ptr failure;  // must not pass through Google Benchmark, which keeps state
  benchmark::ClearRegisteredBenchmarks();
  for (const Timing& timing : timings)
    benchmark::RegisterBenchmark(timing.name.c_str(),
                                 [&failure, &timing](benchmark::State& state) {
                                   try {
                                     timing.body(state);
                                   } catch (...) {
                                     failure = std::current_exception();
                                     state.SkipWithError("threw");
                                   }
                                 })
        ->Iterations(static_cast<benchmark::IterationCount>(timing.iterations))
        ->Repetitions(static_cast<int>(timing.repetitions))
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime();
  KeptReport report;
  benchmark::RunSpecifiedBenchmarks(&report, ".");
  benchmark::ClearRegisteredBenchmarks();
  if (failure) std::rethrow_exception(failure);
  return report.without_host();
}

/// Runs `call` as one iteration; its milliseconds.
template <typename Call>
double iteration(benchmark::State& state, const Call& call) {
  const auto start = Clock::now();
  call();
  const double ms = ms_since(start);
  state.SetIterationTime(ms / 1e3);
  return ms;
}

}  // namespace

GenerationTimes measure_generation(const models::Decoder& decoder, std::span<const Prompts> prompts,
                                   const GenerationOptions& options) {
  require_usable(decoder, prompts, options);
  const c10::InferenceMode no_autograd;
  std::vector<at::Tensor> batches;
  for (const Prompts& one : prompts) batches.push_back(as_tensor(one));
  const int64_t B = batches[0].size(0), T = batches[0].size(1);
  Writer writer(decoder, B, T + options.tokens);
  GenerationTimes out;
  writer.begin(batches[0]);
  const at::Tensor first = writer.tokens().clone();
  out.written.assign(static_cast<size_t>(B), {});
  const auto note = [&](std::vector<std::vector<int32_t>>& all) {
    const auto ids = writer.ids();
    for (size_t b = 0; b < ids.size(); ++b) all[b].push_back(ids[b]);
  };
  note(out.written);
  for (int64_t i = 1; i < options.tokens; ++i) {
    writer.next();
    note(out.written);
  }
  const int64_t few = std::min<int64_t>(options.tokens - 1, 8);
  warm_up(
      [&] {
        writer.begin(batches[0]);
        for (int64_t i = 0; i < few; ++i) writer.next();
      },
      out);

  size_t fresh = 0;
  // Other prompts and the same ones in turn, so that what drifts meanwhile drifts for both.
  const auto first_token = [&](benchmark::State& state) {
    for ([[maybe_unused]] auto _ : state) {
      out.first_token_ms.push_back(iteration(state, [&] { writer.begin(batches[fresh]); }));
      fresh = (fresh + 1) % batches.size();
    }
    const auto start = Clock::now();
    writer.begin(batches[0]);
    out.again_ms.push_back(ms_since(start));
  };
  const at::Tensor embedded = decoder.embed(batches[0]);
  const auto blocks = [&](benchmark::State& state) {
    for ([[maybe_unused]] auto _ : state)
      out.blocks_ms.push_back(iteration(state, [&] {
        at::Tensor x = decoder.run_block(0, embedded);
        for (int64_t l = 1; l < decoder.block_count(); ++l) decoder.run_block_in_place(l, x);
        decoder.wait();
      }));
  };
  const auto between_tokens = [&](benchmark::State& state) {
    writer.begin(batches[0]);
    auto& ms = out.token_ms.emplace_back();
    std::vector<std::vector<int32_t>> written(static_cast<size_t>(B));
    note(written);
    for ([[maybe_unused]] auto _ : state) {
      ms.push_back(iteration(state, [&] { writer.next(); }));
      note(written);
    }
    out.repeats = out.repeats && written == out.written;
  };
  out.benchmark_json =
      run_benchmarks({{"first_token", 1, options.repetitions, first_token},
                      {"blocks", 1, options.repetitions, blocks},
                      {"between_tokens", options.tokens - 1, options.repetitions, between_tokens}});
  return out;
}

std::vector<Prompts> drawn_prompts(int64_t vocabulary_size, int64_t repetitions, int64_t sequences,
                                   int64_t context, uint64_t seed) {
  std::vector<Prompts> out;
  for (int64_t r = 0; r < repetitions; ++r) {
    Prompts& prompts = out.emplace_back();
    for (int64_t b = 0; b < sequences; ++b) {
      Rng rng(seed, static_cast<uint64_t>(r * sequences + b));
      auto& prompt = prompts.emplace_back(static_cast<size_t>(context));
      for (int32_t& id : prompt)
        id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocabulary_size)));
    }
  }
  return out;
}

}  // namespace plumb::metrics
