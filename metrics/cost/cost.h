#pragma once

#include <cstdint>
#include <vector>

#include "models/decoder.h"

namespace plumb::metrics {

/// What one configuration is timed with. Loading, tokenisation and the first call are outside of
/// the timing.
struct CostOptions {
  int64_t prefill_tokens = 256;
  int64_t decode_context = 256;  ///< positions in the cache before the first timed token
  int64_t decode_tokens = 16;    ///< tokens per timed repetition
  int64_t repetitions = 10;
};

/// Cost of one decoder. Samples are per repetition, from Google Benchmark.
struct Cost {
  int64_t blocks = 0;
  uint64_t block_bytes = 0;
  uint64_t weight_bytes = 0;
  uint64_t peak_resident_bytes = 0;       ///< VmHWM of the child that ran this configuration alone
  uint64_t baseline_resident_bytes = 0;   ///< VmRSS of that child before the model was loaded
  std::vector<double> prefill_ms;         ///< [repetition], all blocks and the head's last row
  std::vector<double> prefill_blocks_ms;  ///< [repetition], the blocks alone
  std::vector<double> decode_ms_per_token;  ///< [repetition]
};

/// Times `decoder` in this process; fills everything but the resident bytes. Wall-clock time.
///
///     prefill_blocks  every block over 1 x prefill_tokens
///     prefill         embedding, every block, logits of the last position; no cache is written
///     decode          one token after the other behind decode_context cached ones, each with its
///                     logits; the tokens are given, none is sampled
///
/// Token ids are drawn by a fixed seed. Each is called once before it is timed; a repetition is as
/// many calls as last about 20 ms, at least one, and gives their mean. Timed by Google Benchmark as
/// a library, which keeps one list of benchmarks a process: that list is cleared, and a second
/// measurement while one runs is Error{kInvariant}. Error{kUsage} for an option below 1 or
/// sequences longer than the model's positions.
Cost measure_latency(const models::Decoder& decoder, const CostOptions& options);

/// VmHWM and VmRSS of this process in bytes, from /proc/self/status. Error{kResource} where it is
/// not there.
uint64_t peak_resident_bytes();
uint64_t resident_bytes();

}  // namespace plumb::metrics
