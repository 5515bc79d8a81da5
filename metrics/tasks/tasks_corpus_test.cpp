// The seeds of the fuzzer of tasks, replayed, and changed a little. cmake/fuzz searches for more.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/rng.h"
#include "metrics/tasks/question.h"
#include "metrics/tasks/tasks_fuzz.h"

namespace plumb::metrics {
namespace {

const std::filesystem::path kCorpus = PLUMB_SOURCE_DIR "/fixtures/fuzz/tasks";

std::vector<std::string> corpus() {
  std::vector<std::string> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(kCorpus))
    seeds.push_back(read_file(entry.path()));
  std::ranges::sort(seeds);  // the order of a folder is the machine's
  return seeds;
}

TEST(TasksCorpus, IsReadOrRefusedWhateverChanges) {
  const std::vector<std::string> seeds = corpus();
  ASSERT_GE(seeds.size(), 6u);
  for (uint64_t round = 0; round < 3000; ++round) {
    Rng rng(6, round);
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
    EXPECT_NO_THROW(fuzz::tasks(bytes)) << bytes;
  }
}

TEST(TasksCorpus, HasSeedsThatAreSound) {
  for (const char* name : {"letter", "continuation", "context", "generate"}) {
    const std::string bytes = read_file(kCorpus / name);
    const size_t middle = bytes.find("\n---\n");
    ASSERT_NE(middle, bytes.npos) << name;
    const Task task = parse_task(bytes.substr(0, middle));
    EXPECT_EQ(scoring_name(task.scoring), std::string(name));
    EXPECT_EQ(parse_questions(task, bytes.substr(middle + 5), name).questions.size(), 2u) << name;
  }
}

}  // namespace
}  // namespace plumb::metrics
