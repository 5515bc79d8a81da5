#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "models/device.h"

/// What lets one source be a kernel of a device and a loop of the host. A kernel is a function of a block of threads:
///
///     template <class Block> void x_block(Block& block, const X& x)
///
/// whose work stands in phases. `block.each(f)` calls f(thread) for every thread: on the device that is the calling one, on the host
/// a loop. What a thread keeps between phases is a `Private`; what threads tell each other goes through `sum`, `warp_sum` and shared
/// memory, with `sync` between the phases that write and read it. So indices, order of sums and arithmetic of what
/// runs on a device are tested where there is none.
///
/// A product and a sum in one step is std::fma on both, as a device's compiler makes one where it is not said.
#if defined(__CUDACC__)
#define PLUMB_KERNEL_CODE __host__ __device__ inline
#else
#define PLUMB_KERNEL_CODE inline
#endif

/// Before a loop of few steps, so that what it indexes stays in registers.
#if defined(__CUDA_ARCH__)
#define PLUMB_UNROLL _Pragma("unroll")
#else
#define PLUMB_UNROLL
#endif

namespace plumb::models {

inline constexpr int kWarp = 32;

/// bf16: the upper half of an fp32.
struct Bf16 {
  uint16_t bits;
};

PLUMB_KERNEL_CODE float to_float(float value) { return value; }
PLUMB_KERNEL_CODE float to_float(Bf16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16);
}
/// To nearest, ties to even; a NaN stays one.
PLUMB_KERNEL_CODE void store(float value, float* place) { *place = value; }
PLUMB_KERNEL_CODE void store(float value, Bf16* place) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  place->bits =
      static_cast<uint16_t>(nan ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/// kCount neighbours as one access of kCount * sizeof(T) bytes, to which their place is aligned.
template <int kCount, typename T>
struct alignas(kCount * sizeof(T)) Together {
  T values[kCount];
};

template <int kCount, typename T>
PLUMB_KERNEL_CODE Together<kCount, T> load_together(const T* place) {
#if defined(__CUDA_ARCH__)
  return *reinterpret_cast<const Together<kCount, T>*>(place);
#else
  Together<kCount, T> out;
  std::memcpy(&out, place, sizeof out);
  return out;
#endif
}

template <int kCount, typename T>
PLUMB_KERNEL_CODE void store_together(const Together<kCount, T>& values, T* place) {
#if defined(__CUDA_ARCH__)
  *reinterpret_cast<Together<kCount, T>*>(place) = values;
#else
  std::memcpy(place, &values, sizeof values);
#endif
}

/// A row's values among `threads`: f(first, count) with count 4, as a constant, where all of a row can be read so (`wide`), else 1.
/// Neighbouring threads get neighbouring values.
template <typename Work>
PLUMB_KERNEL_CODE void walk_row(int thread, int threads, int64_t width, bool wide,
                                const Work& work) {
  if (wide)
    for (int64_t i = 4 * int64_t{thread}; i < width; i += 4 * int64_t{threads})
      work(i, std::integral_constant<int, 4>());
  else
    for (int64_t i = thread; i < width; i += threads) work(i, std::integral_constant<int, 1>());
}

/// Whether rows of `width` values from there on can be read four at a time.
template <typename T>
bool reads_in_fours(const T* place, int64_t width) {
  return width % 4 == 0 && reinterpret_cast<uintptr_t>(place) % (4 * sizeof(T)) == 0;
}

/// A block of the host: its threads run one after the other, those of odd blocks from the last one on, so that a
/// phase in which one thread reads what another wrote shows.
template <int kThreads>
class HostBlock {
 public:
  static constexpr int kCount = kThreads;
  template <typename T>
  class Private {
   public:
    T& operator[](int thread) { return values_[static_cast<size_t>(thread)]; }
    const T& operator[](int thread) const { return values_[static_cast<size_t>(thread)]; }

   private:
    std::array<T, kThreads> values_;
  };

  HostBlock(int64_t index, size_t shared_bytes)
      : index_(index), shared_(shared_bytes / sizeof(std::max_align_t) + 1) {}

  int64_t index() const { return index_; }
  template <typename T>
  T* shared() {
    return reinterpret_cast<T*>(shared_.data());
  }
  void sync() {}

  template <typename Work>
  void each(const Work& work) {
    for (int i = 0; i < kThreads; ++i) work(index_ % 2 == 0 ? i : kThreads - 1 - i);
  }

  /// Of each warp's values their sum, to all of its threads.
  void warp_sum(Private<float>& values) {
    reduce(values, [](float a, float b) { return a + b; });
  }
  /// Of all.
  float sum(Private<float>& values) {
    warp_sum(values);
    float all = values[0];
    for (int warp = 1; warp < kThreads / kWarp; ++warp) all += values[warp * kWarp];
    return all;
  }
  void warp_largest(Private<float>& values) {
    reduce(values, [](float a, float b) { return std::fmax(a, b); });
  }
  /// NaNs are passed over.
  float largest(Private<float>& values) {
    warp_largest(values);
    float all = values[0];
    for (int warp = 1; warp < kThreads / kWarp; ++warp) all = std::fmax(all, values[warp * kWarp]);
    return all;
  }

 private:
  template <typename Join>
  static void reduce(Private<float>& values, const Join& join) {
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
      const Private<float> before = values;
      for (int i = 0; i < kThreads; ++i) values[i] = join(before[i], before[i ^ offset]);
    }
  }

  int64_t index_;
  std::vector<std::max_align_t> shared_;
};

/// work(block) for blocks 0..blocks - 1 of the host.
template <int kThreads, typename Work>
void run_on_host(int64_t blocks, size_t shared_bytes, const Work& work) {
  for (int64_t i = 0; i < blocks; ++i) {
    HostBlock<kThreads> block(i, shared_bytes);
    work(block);
  }
}

}  // namespace plumb::models
