#include "metrics/cost/cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include "base/error.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "metrics/cost/arithmetic.h"
#include "metrics/cost/stopwatch.h"

namespace plumb::metrics {
namespace {

TEST(RepeatedMs, GivesOneSampleARepetitionAndRunsTheCallThatOften) {
  int64_t calls = 0;
  const auto samples = repeated_ms("a", 7, [&] { ++calls; });
  ASSERT_EQ(samples.size(), 7u);
  for (const double ms : samples) EXPECT_GE(ms, 0.0);
  // Two before it is timed, then 7 repetitions of at most 1000 calls: so quick a call gets them
  // all.
  EXPECT_EQ(calls, 2 + 7 * 1000);
}

TEST(RepeatedMs, MayBeUsedAgainAndAgain) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(repeated_ms("again", 2, [] {}).size(), 2u);
}

TEST(RepeatedMs, PassesOnWhatTheCallThrowsAndWorksAfterwards) {
  int calls = 0;
  const auto failing = [&] {
    if (++calls > 3) throw std::runtime_error("third");
  };
  EXPECT_THROW(repeated_ms("failing", 3, failing), std::runtime_error);
  EXPECT_EQ(repeated_ms("after", 2, [] {}).size(), 2u);
}

TEST(RepeatedMs, RefusesToRunInsideItself) {
  EXPECT_THROW(repeated_ms("outer", 1, [] { repeated_ms("inner", 1, [] {}); }), Error);
  EXPECT_EQ(repeated_ms("after", 1, [] {}).size(), 1u);
}

TEST(MeasureLatency, FillsEverySampleAndTheBytesOfTheWeights) {
  const auto decoder = fixtures::tiny_decoder({});
  CostOptions options;
  options.prefill_tokens = 8;
  options.decode_context = 5;
  options.decode_tokens = 3;
  options.repetitions = 4;
  const Cost cost = measure_latency(decoder, options);
  EXPECT_EQ(cost.blocks, 6);
  EXPECT_EQ(cost.block_bytes, 4 * 6 * static_cast<uint64_t>(block_parameters(decoder.config())));
  EXPECT_EQ(cost.weight_bytes, 4 * static_cast<uint64_t>(model_parameters(decoder.config())));
  for (const auto* samples :
       {&cost.prefill_ms, &cost.prefill_blocks_ms, &cost.decode_ms_per_token}) {
    ASSERT_EQ(samples->size(), 4u);
    for (const double ms : *samples) EXPECT_GT(ms, 0.0);
  }
}

TEST(MeasureLatency, RefusesOptionsThatDoNotFitTheModel) {
  const auto decoder = fixtures::tiny_decoder({});  // 512 positions
  for (const CostOptions& options :
       {CostOptions{.prefill_tokens = 0}, CostOptions{.prefill_tokens = 513},
        CostOptions{.decode_context = 500, .decode_tokens = 13}, CostOptions{.decode_tokens = 0},
        CostOptions{.repetitions = 0}}) {
    try {
      measure_latency(decoder, options);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    }
  }
}

TEST(ResidentBytes, SeeWhatIsTouchedAndPeakNeverFalls) {
  constexpr size_t kBytes = size_t{64} << 20;
  const uint64_t before = resident_bytes();
  {
    std::vector<char> touched(kBytes);
    std::memset(touched.data(), 1, touched.size());
    // The kernel counts pages in batches for each thread: a few hundred KiB of slack.
    EXPECT_GE(resident_bytes() + (size_t{1} << 20), before + kBytes);
  }
  EXPECT_GE(peak_resident_bytes() + (size_t{1} << 20), before + kBytes);
  EXPECT_GE(peak_resident_bytes() + (size_t{1} << 20), resident_bytes());
}

}  // namespace
}  // namespace plumb::metrics
