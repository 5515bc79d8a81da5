#include "harness/pipeline/work_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/file.h"
#include "base/testing.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;
using Numbers = std::vector<double>;
using plumb::testing::error_of;

bool same_bits(const Numbers& a, const Numbers& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

class WorkJournalOf : public ::testing::Test {
 protected:
  WorkJournalOf() { fs::create_directories(out_ / ".stages"); }

  /// The steps of `sweep` that are known and the ones that are not, as a sweep of `count` would
  /// ask; keeps the latter.
  std::vector<size_t> go_on(const Json& key, const std::string& sweep, size_t count,
                            bool fresh = false) const {
    WorkJournal journal(out_, "sweep", key, fresh, console_);
    const pruning::StepLog log = journal.log(sweep);
    std::vector<size_t> missing;
    for (size_t step = 0; step < count; ++step) {
      const auto known = log.known(step);
      if (!known) missing.push_back(step);
      if (known) {
        EXPECT_TRUE(same_bits(*known, numbers(step))) << step;
      }
    }
    for (const size_t step : missing) log.finished(step, numbers(step));
    return missing;
  }
  static Numbers numbers(size_t step) {
    const auto x = static_cast<double>(step);
    return {x / 3, -0.0, std::nextafter(x, 1e300), 5e-324 * x, -std::numeric_limits<double>::max()};
  }
  fs::path file() const { return out_ / ".stages" / "sweep.journal"; }

  plumb::testing::TemporaryFolder folder_;
  const fs::path out_ = folder_ / "out";
  const Console console_{Format::kQuiet};
  const Json key_{{"model", "abc"}, {"threads", 2}, {"tasks", ""}};
};

TEST_F(WorkJournalOf, StepsGivesThemBackToTheLastBit) {
  EXPECT_EQ(go_on(key_, "loss", 3).size(), 3u);
  EXPECT_EQ(go_on(key_, "loss", 5), (std::vector<size_t>{3, 4}));
  EXPECT_EQ(go_on(key_, "loss", 5).size(), 0u);
  EXPECT_EQ(go_on(key_, "questions of mmlu", 2).size(), 2u) << "steps of another sweep";
  EXPECT_EQ(go_on(key_, "loss", 5, /*fresh=*/true).size(), 5u);
}

TEST_F(WorkJournalOf, TwoSweepsKeepsTheirStepsApart) {
  for (const bool again : {false, true}) {
    WorkJournal journal(out_, "sweep", key_, false, console_);
    const pruning::StepLog loss = journal.log("loss"), questions = journal.log("questions of x");
    for (size_t step = 0; step < 2; ++step) {
      const auto a = loss.known(step), b = questions.known(step);
      ASSERT_EQ(a.has_value(), again);
      ASSERT_EQ(b.has_value(), again);
      if (again) {
        EXPECT_TRUE(same_bits(*a, numbers(step)));
        EXPECT_TRUE(same_bits(*b, numbers(step + 10)));
      } else {
        loss.finished(step, numbers(step));
        questions.finished(step, numbers(step + 10));
      }
    }
  }
}

TEST_F(WorkJournalOf, StepsCutAtAnyByteOfTheLastOneLacksThatOneAlone) {
  go_on(key_, "loss", 2);
  const size_t before = fs::file_size(file());
  go_on(key_, "loss", 3);
  const std::string bytes = read_file(file());
  ASSERT_GT(bytes.size(), before);
  for (size_t size = before; size < bytes.size(); ++size) {
    write_file_atomically(file(), bytes.substr(0, size));
    ASSERT_EQ(go_on(key_, "loss", 3), (std::vector<size_t>{2})) << size;
    ASSERT_TRUE(read_file(file()) == bytes) << size;
  }
}

TEST_F(WorkJournalOf, StepsChangedInAnyByteIsNeverTrusted) {
  go_on(key_, "loss", 3);
  const std::string bytes = read_file(file());
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write_file_atomically(file(), changed);
    EXPECT_GE(go_on(key_, "loss", 3).size(), 1u) << at;  // what is known was compared in go_on
    ASSERT_TRUE(read_file(file()) == bytes) << at;
  }
}

TEST_F(WorkJournalOf, AnotherRunIsRefusedByTheNamesThatDiffer) {
  go_on(key_, "loss", 2);
  const std::string bytes = read_file(file());
  const auto refusal = [&](const Json& other) {
    const Error error = error_of([&] { go_on(other, "loss", 2); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_TRUE(read_file(file()) == bytes);
    return std::string(error.what());
  };
  EXPECT_THAT(refusal({{"model", "abc"}, {"threads", 3}, {"tasks", ""}}),
              HasSubstr("another was: threads (2, now 3); give what it had"));
  EXPECT_THAT(refusal({{"model", std::string(64, 'd')}, {"threads", 2}, {"tasks", "mmlu"}}),
              HasSubstr("model (abc, now dddddddddddddddd...), tasks (, now mmlu)"));
  EXPECT_THAT(refusal({{"model", "abc"}, {"tasks", ""}, {"documents", "f"}}),
              HasSubstr("threads (2, now absent), documents (absent, now f)"));
}

TEST_F(WorkJournalOf, NoStepsIsNotLeft) {
  { WorkJournal journal(out_, "sweep", key_, false, console_); }
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(WorkJournalOf, StepsGoesWhenTheResultsStand) {
  go_on(key_, "loss", 2);
  EXPECT_TRUE(fs::exists(out_ / "partial.json"));
  WorkJournal journal(out_, "sweep", key_, false, console_);
  EXPECT_EQ(journal.resumed_steps(), 2);
  journal.publish({{"a.csv", "1"}, {"sweep.json", "{}"}},
                  {{"questions/b.jsonl", [](OutputFile& file) { file.write("line\n"); }}});
  EXPECT_FALSE(fs::exists(file()));
  EXPECT_FALSE(fs::exists(out_ / "partial.json"));
  EXPECT_EQ(read_file(out_ / "questions/b.jsonl"), "line\n");
}

TEST_F(WorkJournalOf, FullDiskIsAnErrorThatSaysWhatStands) {
  go_on(key_, "loss", 2);
  const uint64_t size = fs::file_size(file());
  {
    const plumb::testing::FileSizeLimit limit(size + 50);
    const Error error = error_of([&] { go_on(key_, "loss", 3); });
    EXPECT_EQ(error.kind(), ErrorKind::kResource);
    EXPECT_THAT(error.what(), HasSubstr("2 finished steps. Make room"));
  }
  EXPECT_EQ(go_on(key_, "loss", 3), (std::vector<size_t>{2}));
}

TEST(RunLock, IsForOneAtATimeAndLeavesNothing) {
  const plumb::testing::TemporaryFolder folder;
  const fs::path out = folder / "new/out";
  {
    const RunLock lock(out);
    const Error error = error_of([&] { const RunLock second(out); });
    EXPECT_EQ(error.kind(), ErrorKind::kResource);
    EXPECT_THAT(error.what(), HasSubstr("another plumb is at work"));
  }
  EXPECT_FALSE(fs::exists(folder / "new"));
  { const RunLock again(out); }
}

TEST(Leftovers, OfProcessesThatAreGoneAreRemovedAndNothingElse) {
  const plumb::testing::TemporaryFolder folder;
  constexpr const char* kGone = "999999998";  // above any pid_max
  const std::string own = std::to_string(getpid());
  const auto put = [&](const std::string& name) { write_file_atomically(folder / name, "x"); };
  const std::vector<std::string> stay{"partial.json",       ".hidden.tmp",
                                      ".a.b.c.tmp",         ".x.1.tmp",
                                      "." + own + ".7.tmp", ".x." + own + ".0.tmp",
                                      "questions/a.jsonl",  "questions/.x." + own + ".0.tmp"};
  fs::create_directories(folder / "questions");
  for (const std::string& name : stay) put(name);
  put(std::string(".partial.json.") + kGone + ".3.tmp");
  // Nobody has asked for its exit code, so that its number is still taken.
  const pid_t ended = ::fork();
  if (ended == 0) ::_exit(0);
  ASSERT_GT(ended, 0);
  siginfo_t how = {};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(ended), &how, WEXITED | WNOWAIT), 0);
  put(text(".partial.json.", ended, ".0.tmp"));
  put(text("questions/.x.", ended, ".1.tmp"));
  put(std::string("questions/.probe.") + kGone + ".27.tmp");
  fs::create_directories(folder / (std::string(".partial-") + kGone));
  remove_leftovers(folder.path());
  size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    if (entry.is_directory() && entry.path().filename() == "questions") continue;
    EXPECT_THAT(stay, ::testing::Contains(fs::relative(entry.path(), folder.path()).string()));
    ++count;
  }
  EXPECT_EQ(count, stay.size());
  EXPECT_EQ(::waitpid(ended, nullptr, 0), ended);
}

}  // namespace
}  // namespace plumb::harness
