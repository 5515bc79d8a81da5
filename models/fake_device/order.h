#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/error.h"

namespace plumb::models {

/// What happens before what on a device with several streams, by vector clocks. The fake device does everything at once
/// when it is issued, so a missing wait would show in no result; here it shows as two accesses of one allocation, at
/// least one of them a write, that nothing puts in an order.
///
/// The host is ordered after what it has waited for, and what it issues after that.
class FakeOrder {
 public:
  using Clock =
      std::map<int64_t, uint64_t>;  ///< per stream: how much of its work is known to be done
  struct Event {
    int64_t number = 0;
    Clock clock;
  };

  /// Work issued on a stream; accesses that follow belong to it.
  void begin(int64_t stream, const std::string& what) {
    const std::lock_guard lock(mutex_);
    merge(clocks_[stream], host());
    ++clocks_[stream][stream];
    if (!what.empty()) note(text(what, " stream ", stream));
  }

  void access(const void* allocation, int64_t stream, bool write) {
    const std::lock_guard lock(mutex_);
    Accesses& past = accesses_[allocation];
    const Clock& now = clocks_[stream];
    require_before(past.writes, now, stream, write ? "writes over a write" : "reads a write");
    if (write) require_before(past.reads, now, stream, "writes over a read");
    (write ? past.writes : past.reads)[stream] = now.at(stream);
  }

  /// An allocation is given back by the host; the allocator may hand it out again on its own stream at once.
  void released(const void* allocation, int64_t stream) {
    const std::lock_guard lock(mutex_);
    const auto found = accesses_.find(allocation);
    if (found == accesses_.end()) return;
    Clock now = clocks_[stream];
    merge(now, host());
    require_before(found->second.writes, now, stream, "reuses what is being written");
    require_before(found->second.reads, now, stream, "reuses what is being read");
    accesses_.erase(found);
  }

  void record(Event& event, int64_t stream) {
    begin(stream, "");
    const std::lock_guard lock(mutex_);
    if (event.number == 0) event.number = ++events_;
    event.clock = clocks_[stream];
    note(text("record stream ", stream, " event ", event.number));
  }
  void wait(const Event& event, int64_t stream) {
    const std::lock_guard lock(mutex_);
    merge(clocks_[stream], event.clock);
    note(text("wait stream ", stream, " event ", event.number));
  }
  void wait_on_host(const Event& event) {
    const std::lock_guard lock(mutex_);
    merge(host(), event.clock);
    note(text("wait host event ", event.number));
  }
  void wait_on_host(int64_t stream) {
    const std::lock_guard lock(mutex_);
    merge(host(), clocks_[stream]);
  }

  void forget() {
    const std::lock_guard lock(mutex_);
    log_.clear();
    races_.clear();
  }
  const std::string& log() const { return log_; }
  const std::string& races() const { return races_; }

 private:
  struct Accesses {
    Clock reads, writes;
  };

  static Clock& host() {
    thread_local Clock clock;
    return clock;
  }
  static void merge(Clock& into, const Clock& from) {
    for (const auto& [stream, time] : from) into[stream] = std::max(into[stream], time);
  }
  void require_before(const Clock& past, const Clock& now, int64_t stream, const char* what) {
    for (const auto& [other, time] : past) {
      const auto known = now.find(other);
      if (other != stream && (known == now.end() || known->second < time))
        races_ += text("stream ", stream, " ", what, " of stream ", other, "\n");
    }
  }
  void note(const std::string& line) {
    if (log_.size() < (size_t{1} << 22)) log_ += line + "\n";
  }

  std::mutex mutex_;
  std::map<int64_t, Clock> clocks_;
  std::map<const void*, Accesses> accesses_;
  int64_t events_ = 0;
  std::string log_, races_;
};

}  // namespace plumb::models
