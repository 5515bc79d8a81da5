// `plumb sweep` interrupted: what stands then, and that the same command goes on from it and from
// nothing else.

#include <fcntl.h>
#include <gmock/gmock.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "harness/cli/resume_testing.h"
#include "harness/pipeline/run_lock.h"

namespace plumb::harness::testing {
namespace {

using ::testing::HasSubstr;

using Resume = ResumeCase;

/// What another run has left is no beginning of this one.
class ResumeRefused : public ResumeCase {
 protected:
  void expect_refused(const std::map<std::string, std::string>& more, int code,
                      const std::vector<std::string>& what) const {
    const Files before = files("out");
    const auto child = start(words("out", more));
    EXPECT_EQ(child->wait(), code) << said();
    for (const std::string& part : what) EXPECT_THAT(said(), HasSubstr(part));
    EXPECT_EQ(differences(files("out"), before), "") << "nothing is lost";
  }
};

TEST_F(Resume, GoesOnFromTheStepsThatStand) {
  for (const int nth : {1, 2, 9, 14}) {
    stop_before_step("out", nth);
    EXPECT_FALSE(fs::exists(path("out/sweep.json")));
    EXPECT_FALSE(fs::exists(path("out/accuracy.csv")));
    expect_resumed("out");
  }
}

TEST_F(Resume, CountsTheStepsInAFileThatIsNoResult) {
  stop_before_step("out", 11);
  const auto partial = nlohmann::json::parse(read_file(path("out/partial.json")));
  EXPECT_EQ(partial.at("finished"), false);
  const auto& sweeps = partial.at("sweeps");
  ASSERT_EQ(sweeps.size(), 2u);
  EXPECT_EQ(sweeps[0], (nlohmann::json{{"name", "loss"}, {"steps_finished", 8}, {"steps", 8}}));
  EXPECT_EQ(sweeps[1].at("name"), "questions of arc_easy");
  EXPECT_EQ(sweeps[1].at("steps_finished"), 2);
  expect_resumed("out");  // and it is gone
}

TEST_F(Resume, StopsForASignalAndSaysHowToGoOn) {
  for (const int signal : {SIGINT, SIGTERM}) {
    fs::remove_all(path("out"));
    const auto child = start(words("out"));
    while (!child->has_ended() && kept_steps("out") < 3)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (!child->has_ended()) child->send(signal);
    const int code = child->wait();
    if (code != 0) {  // else it was faster than the signal
      EXPECT_EQ(code, 128 + signal) << said();
      EXPECT_THAT(said(), HasSubstr("the same command goes on from them"));
      EXPECT_FALSE(fs::exists(path("out/sweep.json")));
      EXPECT_GE(kept_steps("out"), 3u);
    }
    expect_resumed("out");
  }
}

TEST_F(Resume, DropsALineThatIsCutAndRecomputesWhatFollowsADamagedOne) {
  stop_before_step("out", 12);
  const std::string bytes = read_file(journal("out"));
  const size_t last = bytes.rfind('\n', bytes.size() - 2) + 1;
  for (const size_t size : {last + 1, (last + bytes.size()) / 2, bytes.size() - 1}) {
    fixtures::put(journal("out"), bytes.substr(0, size));
    EXPECT_EQ(kept_steps("out"), 10u);
    expect_resumed("out");
    EXPECT_THAT(said(), ::testing::Not(HasSubstr("was changed")));
  }
  std::string damaged = bytes;
  size_t third = 0;
  for (int line = 0; line < 3; ++line) third = damaged.find('\n', third) + 1;
  damaged[third + 100] = damaged[third + 100] == '0' ? '1' : '0';
  fs::create_directories(path("out/.stages"));
  fixtures::put(journal("out"), damaged);
  EXPECT_EQ(kept_steps("out"), 2u);
  expect_resumed("out");
  EXPECT_THAT(said(), HasSubstr("was changed after its line 3"));
}

TEST_F(ResumeRefused, ForOtherSettingsByTheirNames) {
  stop_before_step("out", 4);
  expect_refused({{"--threads", "2"}}, 2, {"threads (1, now 2)", "--fresh"});
  expect_refused({{"--n", "0-8:4"}}, 2, {"n (0-8:2, now 0-8:4), plans ("});
  expect_refused({{"--strategies", "simple"}}, 2,
                 {"strategies (similarity,simple,random, now simple)"});
  expect_refused({{"--dtype", "bf16"}}, 2, {"dtype (fp32, now bf16)"});
  expect_refused({{"--rows-per-pack", "400"}}, 2, {"rows-per-pack (300, now 400)"});
  expect_refused({{"--documents-per-step", "4"}}, 2, {"documents-per-step (2, now 4)"});
  expect_refused({{"--tasks", "multiple_choice,arc_easy"}}, 2, {"tasks (arc_easy,mul"});
  expect_refused({{"--sample", "5"}}, 2, {"task arc_easy: sample (0, now 5)"});
  expect_refused({{"--seed", "5"}}, 2, {"seed (0, now 5)"});
  expect_resumed("out");  // what it had
}

TEST_F(ResumeRefused, ForOtherFilesByTheirNames) {
  stop_before_step("out", 4);
  const auto change = [&](const std::string& file, const std::string& bytes,
                          const std::string& what) {
    const std::string before = read_file(file);
    fixtures::put(file, bytes);
    expect_refused({}, 2, {what});
    fixtures::put(file, before);
  };
  change(path("own.jsonl"), tiny_questions(23), "task multiple_choice: questions (");
  change(text_file(), read_file(text_file()) + tiny_document(77, 40), "documents (");
  fixtures::TinyDecoderOptions options;
  options.block_count = 10;
  options.seed = 99;
  change(model(),
         fixtures::tiny_gguf(fixtures::tiny_decoder(options), models::StoredType::kF32).bytes(),
         "model (");
  expect_resumed("out");
}

TEST_F(ResumeRefused, BeginsAnewWhereItIsToldTo) {
  stop_before_step("out", 4);
  const auto other = start(words("out", {{"--n", "0-8"}, {"--fresh", ""}}));
  ASSERT_EQ(other->wait(), 0) << said();
  const auto alone = start(words("alone", {{"--n", "0-8"}}));
  ASSERT_EQ(alone->wait(), 0) << said();
  EXPECT_EQ(differences(files("out"), files("alone")), "");
}

TEST_F(ResumeRefused, ForASecondProcess) {
  stop_before_step("out", 4);
  {
    const RunLock lock(path("out"));
    expect_refused({}, 6, {"another plumb is at work in"});
  }
  expect_resumed("out");
}

TEST_F(ResumeRefused, WhereItCannotWrite) {
  fs::create_directories(path("out"));
  fixtures::put(path("out/.stages"), "a file");
  const auto child = start(words("out"));
  EXPECT_EQ(child->wait(), 6) << said();
  EXPECT_THAT(said(), HasSubstr(".stages"));
  fs::remove(path("out/.stages"));
  expect_resumed("out");
}

TEST_F(ResumeRefused, LeavesNoJournalWhereNoStepWasFinished) {
  fixtures::TinyDecoderOptions options;
  options.block_count = 10;
  auto gguf = fixtures::tiny_gguf(fixtures::tiny_decoder(options), models::StoredType::kF32);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  gguf.tensor("blk.3.ffn_down.weight").bytes.replace(400, sizeof nan, fixtures::little_endian(nan));
  fixtures::put(path("nan.gguf"), gguf.bytes());
  EXPECT_EQ(
      start(words("out", {{"--model", path("nan.gguf")}, {"--strategies", "simple"}}))->wait(), 4)
      << said();
  EXPECT_FALSE(fs::exists(path("out")));
}

}  // namespace
}  // namespace plumb::harness::testing
