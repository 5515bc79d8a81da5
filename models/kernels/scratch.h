#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>

namespace plumb::models::kernels {

/// Memory that is kept between calls and only grows: fresh pages cost more than the work done in
/// them. 64-byte aligned, not initialised, not for use by two threads.
class Scratch {
 public:
  template <typename T>
  T* get(int64_t count) {
    const size_t bytes = (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
    if (bytes > size_) {
      memory_.reset();
      size_ = 0;
      memory_.reset(std::aligned_alloc(64, bytes));
      if (!memory_) throw std::bad_alloc();
      size_ = bytes;
    }
    return static_cast<T*>(memory_.get());
  }

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<void, Free> memory_;
  size_t size_ = 0;
};

/// Runs task(0) .. task(count - 1) on the intra-op pool, each as soon as a thread is free. Which
/// thread runs which task must not matter.
void run_tasks(int64_t count, const std::function<void(int64_t)>& task);

/// Runs work(begin, end) on the intra-op pool so that [0, shares) is covered once, all calls at the same time: they may
/// wait for each other (Meeting). One share each where the pool has that many threads free, else several.
void run_shares(int64_t shares, const std::function<void(int64_t, int64_t)>& work);

}  // namespace plumb::models::kernels
