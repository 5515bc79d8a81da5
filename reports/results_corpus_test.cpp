// The seeds of the fuzzer of results.json, replayed, and changed a little. cmake/fuzz searches for more.

#include <gtest/gtest.h>

#include "base/corpus_testing.h"
#include "base/file.h"
#include "reports/fuzz_target.h"
#include "reports/report.h"

namespace plumb::reports {
namespace {

TEST(ResultsCorpus, IsReadOrRefusedWhateverChanges) {
  const auto seeds = plumb::testing::corpus(PLUMB_SOURCE_DIR "/fixtures", "results");
  ASSERT_GE(seeds.size(), 4u);
  plumb::testing::expect_read_or_refused(seeds, 2000, 5, fuzz::results);
}

TEST(ResultsCorpus, HasAFileThatIsSound) {
  EXPECT_NO_THROW(validate_results(read_file(PLUMB_SOURCE_DIR "/fixtures/fuzz/results/record")));
}

}  // namespace
}  // namespace plumb::reports
