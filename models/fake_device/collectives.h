#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "models/collectives.h"

namespace plumb::models {

/// What processes with a fake device each do together, by files below /tmp: slow, and enough to see that the seam of
/// models/collectives.h is used as it says.
class FakeGroup {
 public:
  FakeGroup(const unsigned char* id, int rank, int ranks)
      : name_(reinterpret_cast<const char*>(id)), rank_(rank), ranks_(ranks) {}
  int ranks() const { return ranks_; }
  /// Of what each rank sends, `count` values: those of this rank's part, or the first.
  std::vector<float> meet(const float* send, int64_t sent, int64_t count, bool own_part) {
    ++round_;
    put(send, sent);
    std::vector<float> out;
    for (int rank = 0; rank < ranks_; ++rank) {
      const std::vector<float> all = take(rank, sent);
      const auto begin = all.begin() + (own_part ? rank_ * count : 0);
      out.insert(out.end(), begin, begin + count);
    }
    // All have read the round before: they have written this one.
    if (round_ > 1) std::remove(file(rank_, round_ - 1).c_str());
    return out;
  }

  /// All: leaves no file behind.
  void leave() {
    const float nothing = 0;
    for (int twice = 0; twice < 2; ++twice) meet(&nothing, 1, 1, false);
    // Who has read a round takes away what it wrote in the one before.
    for (int rank = 0; rank < ranks_; ++rank)
      while (std::ifstream(file(rank, round_ - 1)).is_open())
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    std::remove(file(rank_, round_).c_str());
  }

 private:
  std::string file(int rank, uint64_t round) const {
    return name_ + "." + std::to_string(rank) + "." + std::to_string(round);
  }
  void put(const float* values, int64_t count) const {
    const std::string whole = file(rank_, round_), part = whole + ".part";
    std::ofstream(part, std::ios::binary)
        .write(reinterpret_cast<const char*>(values),
               static_cast<std::streamsize>(count * static_cast<int64_t>(sizeof(float))));
    std::rename(part.c_str(), whole.c_str());
  }
  std::vector<float> take(int rank, int64_t count) const {
    std::vector<float> out(static_cast<size_t>(count));
    for (;;) {
      std::ifstream in(file(rank, round_), std::ios::binary);
      if (in.read(reinterpret_cast<char*>(out.data()),
                  static_cast<std::streamsize>(out.size() * sizeof(float))))
        return out;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

  std::string name_;
  int rank_, ranks_;
  uint64_t round_ = 0;
};

inline const char* fake_make_id(unsigned char id[kGroupIdBytes]) {
  std::snprintf(reinterpret_cast<char*>(id), kGroupIdBytes, "/tmp/plumb-fake-%08x%08x",
                std::random_device()(), std::random_device()());
  return nullptr;
}

}  // namespace plumb::models
