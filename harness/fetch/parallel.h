#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "harness/fetch/http.h"

namespace plumb::harness {

/// Calls work(thread, i) for i in [0, count) on up to `threads` threads, and `watch` on this one about ten times a second
/// and once at the end. What any of them throws sets `stop`, ends the others at their next look at it, and is thrown here
/// (the first of several).
inline void in_parallel(size_t count, int threads, StopFlag& stop,
                        const std::function<void(size_t, size_t)>& work,
                        const std::function<void()>& watch) {
  std::mutex mutex;
  std::condition_variable finished;
  std::exception_ptr failure;
  size_t next = 0, running = std::min(count, static_cast<size_t>(std::max(1, threads)));
  const auto fail = [&] {  // with the mutex held
    if (!failure) failure = std::current_exception();
    stop = true;
  };
  const auto loop = [&](size_t thread) {
    for (;;) {
      std::unique_lock lock(mutex);
      if (next == count || stop) {
        --running;
        finished.notify_one();
        return;
      }
      const size_t i = next++;
      lock.unlock();
      try {
        work(thread, i);
      } catch (...) {
        lock.lock();
        fail();
      }
    }
  };
  std::vector<std::thread> pool;
  std::unique_lock lock(mutex);
  for (size_t thread = 0; thread < running; ++thread) pool.emplace_back(loop, thread);
  while (running > 0) {
    finished.wait_for(lock, std::chrono::milliseconds(100));
    lock.unlock();
    try {
      if (watch && !stop) watch();
      lock.lock();
    } catch (...) {
      lock.lock();
      fail();
    }
  }
  lock.unlock();
  for (std::thread& thread : pool) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace plumb::harness
