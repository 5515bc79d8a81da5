#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/rng.h"

/// The seeds of a fuzzer, replayed by tests as they are and changed a little; cmake/fuzz searches for more. For *_test.cpp
/// alone.
namespace plumb::testing {

/// Every file of fixtures/fuzz/`target`, in the order of their bytes: that of a folder is the machine's.
inline std::vector<std::string> corpus(const std::filesystem::path& fixtures,
                                       std::string_view target) {
  std::vector<std::string> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(fixtures / "fuzz" / target))
    seeds.push_back(read_file(entry.path()));
  std::ranges::sort(seeds);
  return seeds;
}

/// One of the seeds with one to three changes: a byte, a piece left out, twice, or from another seed.
inline std::string changed(const std::vector<std::string>& seeds, Rng& rng) {
  std::string bytes = seeds[rng.below(seeds.size())];
  const std::string& other = seeds[rng.below(seeds.size())];
  for (uint64_t changes = 1 + rng.below(3); changes > 0 && !bytes.empty(); --changes) {
    const size_t at = rng.below(bytes.size());
    switch (rng.below(4)) {
      case 0:
        bytes[at] = static_cast<char>(rng.below(256));
        break;
      case 1:
        bytes.erase(at, 1 + rng.below(12));
        break;
      case 2:
        bytes.insert(at, bytes, at, 1 + rng.below(16));
        break;
      default:
        if (!other.empty()) bytes.insert(at, other, rng.below(other.size()), rng.below(32));
    }
  }
  return bytes;
}

/// `feed` takes what it is given or refuses it within itself; what it lets out fails the test.
template <typename Feed>
void expect_read_or_refused(const std::vector<std::string>& seeds, uint64_t rounds, uint64_t seed,
                            Feed&& feed) {
  for (const std::string& bytes : seeds) EXPECT_NO_THROW(feed(bytes)) << bytes;
  for (uint64_t round = 0; round < rounds; ++round) {
    Rng rng(seed, round);
    const std::string bytes = changed(seeds, rng);
    EXPECT_NO_THROW(feed(bytes)) << "round " << round << ": " << bytes;
  }
}

}  // namespace plumb::testing
