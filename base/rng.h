#pragma once

#include <cstdint>

namespace plumb {

/// Counter-based random numbers (SplitMix64's finaliser over seed, stream and counter): value k of
/// a stream does not depend on what else was drawn, so resamples are the same in any order and on
/// any number of threads.
class Rng {
 public:
  explicit Rng(uint64_t seed, uint64_t stream = 0) : key_(mix(mix(seed) + stream)) {}
  uint64_t next() { return mix(key_ + 0x9E3779B97F4A7C15ull * ++counter_); }
  /// Uniform in 0..bound-1, without bias; bound >= 1.
  uint64_t below(uint64_t bound) {
    const uint64_t threshold = (0 - bound) % bound;
    for (;;) {
      __extension__ using Wide = unsigned __int128;
      const Wide product = static_cast<Wide>(next()) * bound;
      if (static_cast<uint64_t>(product) >= threshold) return static_cast<uint64_t>(product >> 64);
    }
  }
  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  /// Standard normal (Box-Muller; one value a call).
  double normal();

 private:
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  uint64_t key_;
  uint64_t counter_ = 0;
};

}  // namespace plumb
