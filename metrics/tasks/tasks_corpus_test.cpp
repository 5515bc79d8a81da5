// The seeds of the fuzzer of tasks, replayed, and changed a little. cmake/fuzz searches for more.

#include <gtest/gtest.h>

#include <filesystem>

#include "base/corpus_testing.h"
#include "base/file.h"
#include "metrics/tasks/question.h"
#include "metrics/tasks/tasks_fuzz.h"

namespace plumb::metrics {
namespace {

const std::filesystem::path kCorpus = PLUMB_SOURCE_DIR "/fixtures/fuzz/tasks";

TEST(TasksCorpus, IsReadOrRefusedWhateverChanges) {
  const auto seeds = plumb::testing::corpus(PLUMB_SOURCE_DIR "/fixtures", "tasks");
  ASSERT_GE(seeds.size(), 6u);
  plumb::testing::expect_read_or_refused(seeds, 3000, 6, fuzz::tasks);
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
