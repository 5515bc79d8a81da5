#include "metrics/cost/stopwatch.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <mutex>

#include "base/error.h"

namespace plumb::metrics {
namespace {

constexpr double kRepetitionMs = 20;
constexpr double kMostCalls = 1000;

/// Keeps the time of each repetition; prints nothing.
class Samples : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs)
      if (run.run_type == Run::RT_Iteration && !run.error_occurred)
        ms.push_back(1e3 * run.real_accumulated_time / static_cast<double>(run.iterations));
  }
  std::vector<double> ms;
};

double first_call_ms(const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  call();  // makes what is made once
  const auto begin = Clock::now();
  call();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

}  // namespace

std::vector<double> repeated_ms(const std::string& name, int64_t repetitions,
                                const std::function<void()>& call) {
  if (repetitions < 1)
    throw Error(ErrorKind::kInvariant,
                text(repetitions, " repetitions were asked for; at least 1 is needed"));
  static std::mutex running;
  const std::unique_lock<std::mutex> lock(running, std::try_to_lock);
  if (!lock.owns_lock())
    throw Error(ErrorKind::kInvariant,
                "a latency is already being measured in this process; two at "
                "once would disturb each other");

  const double calls = std::clamp(std::ceil(kRepetitionMs / first_call_ms(call)), 1.0, kMostCalls);
  std::exception_ptr failure;  // must not pass through Google Benchmark, which keeps state
  const auto timed = [&](benchmark::State& state) {
    try {
      for ([[maybe_unused]] auto _ : state) call();
    } catch (...) {
      failure = std::current_exception();
      state.SkipWithError("threw");
    }
  };
  benchmark::ClearRegisteredBenchmarks();
  benchmark::RegisterBenchmark(name.c_str(), timed)
      ->Iterations(static_cast<benchmark::IterationCount>(calls))
      ->Repetitions(static_cast<int>(repetitions))
      ->UseRealTime();
  Samples samples;
  benchmark::RunSpecifiedBenchmarks(&samples, ".");
  benchmark::ClearRegisteredBenchmarks();
  if (failure) std::rethrow_exception(failure);
  if (static_cast<int64_t>(samples.ms.size()) != repetitions)
    throw Error(ErrorKind::kInternal, text("'", name, "' was to be timed ", repetitions,
                                           " times, but Google Benchmark "
                                           "reported ",
                                           samples.ms.size()));
  return std::move(samples.ms);
}

}  // namespace plumb::metrics
