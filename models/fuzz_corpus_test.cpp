// The seeds of the fuzzers and what they once found, replayed, and changed a little. cmake/fuzz searches for more.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/corpus_testing.h"
#include "models/fuzz_targets.h"

namespace plumb::models {
namespace {

class FuzzCorpus : public ::testing::TestWithParam<std::string_view> {
 protected:
  static void feed(std::string_view bytes) {
    const auto target =
        std::ranges::find(fuzz::kTargets, GetParam(), [](const auto& pair) { return pair.first; });
    target->second(bytes);
  }
  const std::vector<std::string> seeds_ =
      plumb::testing::corpus(PLUMB_SOURCE_DIR "/fixtures", GetParam());
};

TEST_P(FuzzCorpus, IsReadOrRefusedWhereverItIsCut) {
  ASSERT_GE(seeds_.size(), 6u);
  for (const std::string& seed : seeds_) {
    for (const double part : {0.25, 0.5, 0.75})
      EXPECT_NO_THROW(feed(std::string_view(seed).substr(
          0, static_cast<size_t>(part * static_cast<double>(seed.size())))));
  }
}

TEST_P(FuzzCorpus, IsReadOrRefusedWhateverChanges) {
  plumb::testing::expect_read_or_refused(seeds_, 200, 3, feed);
}

INSTANTIATE_TEST_SUITE_P(Cases, FuzzCorpus,
                         ::testing::Values("safetensors", "gguf", "index", "config", "tokenizer",
                                           "sentencepiece"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace plumb::models
