// The seeds of the fuzzer of results.json, replayed, and changed a little. cmake/fuzz searches for more.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/rng.h"
#include "reports/fuzz_target.h"
#include "reports/report.h"

namespace plumb::reports {
namespace {

std::vector<std::string> corpus() {
  std::vector<std::string> seeds;
  for (const auto& entry :
       std::filesystem::directory_iterator(PLUMB_SOURCE_DIR "/fixtures/fuzz/results"))
    seeds.push_back(read_file(entry.path()));
  std::ranges::sort(seeds);  // the order of a folder is the machine's
  return seeds;
}

TEST(ResultsCorpus, IsReadOrRefusedWhateverChanges) {
  const std::vector<std::string> seeds = corpus();
  ASSERT_GE(seeds.size(), 4u);
  for (uint64_t round = 0; round < 2000; ++round) {
    Rng rng(5, round);
    std::string bytes = seeds[round % seeds.size()];
    // The first rounds as they are.
    for (uint64_t changes = round < seeds.size() ? 0 : 1 + rng.below(3);
         changes > 0 && !bytes.empty(); --changes) {
      const size_t at = rng.below(bytes.size());
      if (rng.below(2) == 0)
        bytes.erase(at, 1 + rng.below(12));
      else
        bytes[at] = static_cast<char>(rng.below(256));
    }
    EXPECT_NO_THROW(fuzz::results(bytes)) << bytes;
  }
}

TEST(ResultsCorpus, HasAFileThatIsSound) {
  EXPECT_NO_THROW(validate_results(read_file(PLUMB_SOURCE_DIR "/fixtures/fuzz/results/record")));
}

}  // namespace
}  // namespace plumb::reports
