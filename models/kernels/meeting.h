#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace plumb::models::kernels {

/// Where threads that share out a fixed number of shares wait until all shares are there; what was written before is
/// seen by all afterwards. It may be used again at once.
///
/// A wait is short, as the shares are equal, and a sleeping thread would take longer to wake than to spin; where the
/// processor is somebody else's meanwhile, the thread gives its turn away.
class Meeting {
 public:
  explicit Meeting(int64_t shares) : shares_(shares) {}

  /// `arriving` shares are here.
  void wait(int64_t arriving) {
    const uint64_t round = round_.load(std::memory_order_relaxed);
    if (here_.fetch_add(arriving, std::memory_order_acq_rel) + arriving == shares_) {
      here_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    constexpr int kSpins = 1000;  // about 50 us
    for (int spin = 0; round_.load(std::memory_order_acquire) == round; ++spin) {
      if (spin < kSpins)
        pause();
      else
        std::this_thread::yield();
    }
  }

 private:
  static void pause() {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  const int64_t shares_;
  alignas(64) std::atomic<int64_t> here_{0};
  alignas(64) std::atomic<uint64_t> round_{0};
};

}  // namespace plumb::models::kernels
