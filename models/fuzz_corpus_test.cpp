// The seeds of the fuzzers and what they once found, replayed, and changed a little. cmake/fuzz searches for more.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/rng.h"
#include "models/fuzz_targets.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> corpus(const std::string& target) {
  std::vector<std::string> seeds;
  for (const auto& entry : fs::directory_iterator(PLUMB_SOURCE_DIR "/fixtures/fuzz/" + target))
    seeds.push_back(read_file(entry.path()));
  std::ranges::sort(seeds);  // the order of a folder is the machine's
  return seeds;
}

class FuzzCorpus : public ::testing::TestWithParam<std::string_view> {
 protected:
  static void feed(std::string_view bytes) {
    const auto target =
        std::ranges::find(fuzz::kTargets, GetParam(), [](const auto& pair) { return pair.first; });
    target->second(bytes);
  }
  const std::vector<std::string> seeds_ = corpus(std::string(GetParam()));
};

TEST_P(FuzzCorpus, IsReadOrRefused) {
  ASSERT_GE(seeds_.size(), 6u);
  for (const std::string& seed : seeds_) {
    EXPECT_NO_THROW(feed(seed));
    for (const double part : {0.25, 0.5, 0.75})
      EXPECT_NO_THROW(feed(std::string_view(seed).substr(
          0, static_cast<size_t>(part * static_cast<double>(seed.size())))));
  }
}

TEST_P(FuzzCorpus, IsReadOrRefusedWhateverChanges) {
  for (uint64_t round = 0; round < 200; ++round) {
    Rng rng(3, round);
    std::string bytes = seeds_[rng.below(seeds_.size())];
    const std::string& other = seeds_[rng.below(seeds_.size())];
    for (uint64_t changes = 1 + rng.below(3); changes > 0 && !bytes.empty(); --changes) {
      const size_t at = rng.below(bytes.size());
      switch (rng.below(4)) {
        case 0:
          bytes[at] = static_cast<char>(rng.below(256));
          break;
        case 1:
          bytes.erase(at, 1 + rng.below(8));
          break;
        case 2:
          bytes.insert(at, bytes, at, 1 + rng.below(16));  // twice
          break;
        default:
          bytes.insert(at, other, rng.below(other.size()), rng.below(32));
      }
    }
    EXPECT_NO_THROW(feed(bytes)) << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, FuzzCorpus,
                         ::testing::Values("safetensors", "gguf", "index", "config", "tokenizer",
                                           "sentencepiece"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace plumb::models
