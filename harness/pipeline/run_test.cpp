// The whole chain through the program on a model of a second: what a run folder holds, what a second run reuses, what an
// interrupted one leaves.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "harness/cli/program_testing.h"
#include "harness/verify/claims.h"
#include "reports/report.h"

namespace plumb::harness {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;
using testing::plumb;
using testing::TinyCase;
using Words = std::vector<std::string>;

class WholeRun : public TinyCase {
 protected:
  ChildOutput run(const Words& more = {}) const {
    Words words = run_words();
    words.insert(words.end(), more.begin(), more.end());
    return plumb(words);
  }
  std::string result(const std::string& name) const { return read_file(fs::path(out()) / name); }

  /// results.json without what a resumed run may differ in.
  json comparable() const {
    json results = json::parse(result("results.json"));
    results.erase("run");
    return results;
  }

  std::vector<fs::path> stage_folders(const std::string& stage) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(fs::path(out()) / ".stages"))
      if (entry.path().filename().string().rfind(stage + "-", 0) == 0)
        found.push_back(entry.path());
    return found;
  }
};

TEST_F(WholeRun, GivesEveryFileAndAVerdictForEveryClaim) {
  const ChildOutput first = run();
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr(out() + "/report.html"));
  const std::string results = result("results.json");
  reports::validate_results(results);
  const json verdicts = json::parse(results).at("verdicts");
  ASSERT_EQ(verdicts.size(), claims().size());
  for (const json& verdict : verdicts) {
    EXPECT_NE(verdict.at("kind"), "INVALID") << verdict;
    EXPECT_NE(verdict.at("reason"), "");
    if (verdict.at("claim") == "residual-reconnection") {
      EXPECT_EQ(verdict.at("kind"), "PASS") << verdict;
    }
    if (verdict.at("claim") == "healed-loss-continuous") {
      EXPECT_EQ(verdict.at("kind"), "NOT RUN");
    }
  }
  const std::string html = result("report.html");
  EXPECT_THAT(html, HasSubstr("</html>"));
  for (const char* outside : {"<link", "src=\"http", "@import", "url(http", "url(\"http"})
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  for (const std::string& text : {html, result("provenance.json")}) {
    EXPECT_THAT(text, HasSubstr("Apache-2.0"));             // the model's licence
    EXPECT_THAT(text, HasSubstr("overlapping documents"));  // 18 and 16 of one file
    EXPECT_THAT(text, HasSubstr("sha256"));
  }
  for (const char* name :
       {"junit.xml", "distances.csv", "plans.csv", "loss.csv", "loss_documents.csv", "cost.csv"})
    EXPECT_GT(result(name).size(), 20U) << name;
}

TEST_F(WholeRun, ReusesEveryStageAndWritesTheSameResults) {
  ASSERT_EQ(run().exit_code, 0);
  const json before = comparable();
  const std::string loss = result("loss.csv"), distances = result("distances.csv");
  const ChildOutput second = run();
  ASSERT_EQ(second.exit_code, 0) << second.err;
  for (const char* stage : {"profile", "plans", "sweep", "reconnection", "cost"})
    EXPECT_THAT(second.out, HasSubstr(std::string(stage) +
                                      std::string(14 - std::string(stage).size(), ' ') + "reused"));
  EXPECT_EQ(comparable(), before);

  // A stage that is made again gives the same numbers, whether its entry is gone or damaged.
  fs::remove_all(stage_folders("profile").at(0));
  for (const auto& entry : fs::recursive_directory_iterator(stage_folders("sweep").at(0))) {
    if (!entry.is_regular_file()) continue;
    std::string bytes = read_file(entry.path());
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    fixtures::put(entry.path(), bytes);
  }
  const ChildOutput third = run();
  ASSERT_EQ(third.exit_code, 0) << third.err;
  EXPECT_THAT(third.out, Not(HasSubstr("sweep         reused")));
  EXPECT_THAT(third.out, HasSubstr("cost          reused"));
  EXPECT_EQ(result("loss.csv"), loss);
  EXPECT_EQ(result("distances.csv"), distances);
}

TEST_F(WholeRun, AsksQuestionsOfEveryPlanAndKeepsTheAnswers) {
  const Words asked = {"--set", "questions.tasks=smoke", "--set", "questions.limit=30"};
  const ChildOutput first = run(asked);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("30 of 240 questions; 30 questions find a difference"));
  const std::string results = result("results.json"), accuracy = result("accuracy.csv"),
                    log = result("questions/smoke.jsonl"), html = result("report.html");
  reports::validate_results(results);
  // n = 0 to 8 of two strategies, and the deepest 1 and 2 of 10 blocks.
  EXPECT_EQ(std::count(accuracy.begin(), accuracy.end(), '\n'), 1 + 20);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 20 * 30);
  EXPECT_THAT(html, HasSubstr("Accuracy on smoke against the fraction of blocks removed"));
  // A random model is at chance: nothing of it can collapse.
  for (const json& verdict : json::parse(results).at("verdicts"))
    if (verdict.at("claim") == "accuracy-collapses") {
      EXPECT_EQ(verdict.at("kind"), "NOT RUN") << verdict;
    }

  const ChildOutput second = run(asked);
  EXPECT_THAT(second.out, HasSubstr("questions     reused"));
  fs::remove(model());
  fs::remove_all(fs::path(out()) / "questions");
  ASSERT_EQ(plumb({"report", "--run", out()}).exit_code, 0);
  EXPECT_EQ(result("accuracy.csv"), accuracy);
  EXPECT_EQ(result("questions/smoke.jsonl"), log);
}

TEST_F(WholeRun, RefusesWrongQuestionsBeforeAnyStage) {
  for (const auto& [setting, said] : {std::pair("questions.tasks=mmmlu", "known are"),
                                      std::pair("questions.tasks=boolq", "needs"),
                                      std::pair("questions.limit=300", "its file has 240")}) {
    const ChildOutput done = run({"--set", "questions.tasks=smoke", "--set", setting});
    EXPECT_EQ(done.exit_code, 2) << setting;
    EXPECT_THAT(done.err, HasSubstr(said));
    EXPECT_THAT(done.out, Not(HasSubstr("profile")));
  }
}

TEST_F(WholeRun, MakesAgainOnlyWhatASettingDecides) {
  ASSERT_EQ(run().exit_code, 0);
  const ChildOutput other = run({"--set", "sweep.n=0-6"});
  ASSERT_EQ(other.exit_code, 0) << other.err;
  EXPECT_THAT(other.out, HasSubstr("profile       reused"));
  EXPECT_THAT(other.out, HasSubstr("cost          reused"));
  EXPECT_THAT(other.out, Not(HasSubstr("sweep         reused")));
  EXPECT_EQ(stage_folders("sweep").size(), 2U);
}

TEST_F(WholeRun, ReportAndVerifyNeedNoModelAndGiveTheSame) {
  ASSERT_EQ(run().exit_code, 0);
  const std::string results = result("results.json"), html = result("report.html");
  fs::remove(model());
  const ChildOutput report = plumb({"report", "--run", out()});
  ASSERT_EQ(report.exit_code, 0) << report.err;
  EXPECT_EQ(result("report.html"), html);
  EXPECT_EQ(result("results.json"), results);
  EXPECT_EQ(plumb({"report", "--validate", out() + "/results.json"}).exit_code, 0);
  fixtures::put(path("bad.json"), results.substr(0, results.size() / 2));
  EXPECT_EQ(plumb({"report", "--validate", path("bad.json")}).exit_code, 4);

  const ChildOutput verify = plumb({"verify", "--run", out(), "--format", "json"});
  const json said = json::parse(verify.out);
  EXPECT_EQ(said.at("exit_code"), verify.exit_code);
  EXPECT_EQ(said.at("verdicts").size(), claims().size());
  EXPECT_EQ(plumb({"verify", "--run", path("nowhere")}).exit_code, 4);
}

TEST_F(WholeRun, CheckExitsWithTheVerdictsCode) {
  const ChildOutput checked = run({"--check", "--format", "json"});
  const json said = json::parse(checked.out);
  EXPECT_EQ(said.at("exit_code"), checked.exit_code);
  bool failed = false;
  for (const json& verdict : said.at("verdicts"))
    failed = failed || verdict.at("verdict") == "FAIL";
  EXPECT_EQ(checked.exit_code == 1, failed) << checked.out;
}

TEST_F(WholeRun, InterruptedLeavesNoHalfWrittenFileAndGoesOn) {
  ASSERT_EQ(run().exit_code, 0);
  const std::string loss = result("loss.csv");
  fs::remove_all(out());
  // Stopped after more and more of its work: whatever stands then, the next run goes on from it.
  for (const int milliseconds : {50, 200, 500, 900}) {
    Words words = run_words();
    std::vector<char*> argv{const_cast<char*>("plumb")};
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (const int stream : {1, 2})
      posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", 1, 0);
    pid_t child = 0;
    ASSERT_EQ(posix_spawn(&child, (std::string(PLUMB_BINARY_DIR) + "/plumb").c_str(), &actions,
                          nullptr, argv.data(), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    kill(child, SIGINT);
    int status = 0;
    waitpid(child, &status, 0);
    // A signal before the program's first line ends it as the system does.
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    EXPECT_TRUE(code == 130 || code == 0) << code;
    if (code == 130) {
      EXPECT_FALSE(fs::exists(out() + "/report.html"));
    }
    for (const std::string& name : everything()) EXPECT_THAT(name, Not(HasSubstr(".partial-")));
    if (code == 0) fs::remove(out() + "/report.html");
  }
  ASSERT_EQ(run().exit_code, 0);
  EXPECT_EQ(result("loss.csv"), loss);
}

}  // namespace
}  // namespace plumb::harness
