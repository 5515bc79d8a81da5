// What `plumb report` makes of runs: formats, comparisons, curves that a user gives; and whether the numbers bear out what is
// said, by other readers.

#include "reports/report.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/csv.h"
#include "base/file.h"
#include "base/testing.h"
#include "harness/cli/program_testing.h"
#include "harness/pipeline/continuation.h"
#include "reports/browser_testing.h"

namespace plumb::harness {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::plumb;
using testing::TinyCase;
using Words = std::vector<std::string>;
namespace fs = std::filesystem;

class ReportOfRuns : public TinyCase {
 protected:
  static void TearDownTestSuite() { kept_.reset(); }

  /// A run into `folder`; what is given again wins. The one that most tests read is made once.
  void make_run(const std::string& folder, const Words& more = {}) const {
    const bool usual = folder == out() && more.empty();
    if (usual && kept_) return fs::copy(*kept_ / "out", folder, fs::copy_options::recursive);
    Words words = run_words();
    *std::find(words.begin(), words.end(), out()) = folder;
    words.insert(words.end(), more.begin(), more.end());
    const ChildOutput made = plumb(words);
    ASSERT_EQ(made.exit_code, 0) << made.err;
    if (!usual) return;
    kept_.emplace();
    fs::copy(folder, *kept_ / "out", fs::copy_options::recursive);
  }
  std::string file(const std::string& folder, const std::string& name) const {
    return read_file(fs::path(folder) / name);
  }
  static json verdict_of(const std::string& results, const std::string& claim) {
    const json parsed = json::parse(results);
    for (const json& verdict : parsed.at("verdicts"))
      if (verdict.at("claim") == claim) return verdict;
    return nullptr;
  }

 private:
  static std::optional<plumb::testing::TemporaryFolder> kept_;
};
std::optional<plumb::testing::TemporaryFolder> ReportOfRuns::kept_;

TEST_F(ReportOfRuns, WritesAnyFormatsAtOnceFromWhatStands) {
  make_run(out());
  Words words = {"report", out(), "--out", path("all"), "--formats"};
  std::string list;
  for (const reports::Format& format : reports::formats())
    list += (list.empty() ? "" : ",") + std::string(format.word);
  words.push_back(list);
  const ChildOutput all = plumb(words);
  ASSERT_EQ(all.exit_code, 0) << all.err;
  for (const reports::Format& format : reports::formats())
    EXPECT_GT(file(path("all"), format.file).size(), 100u) << format.file;
  EXPECT_EQ(file(path("all"), "results.json"), file(out(), "results.json"));
  EXPECT_EQ(file(path("all"), "report.html"), file(out(), "report.html"));
  // Some of them, and no other file.
  ASSERT_EQ(plumb({"report", out(), "--out", path("some"), "--formats", "md,csv"}).exit_code, 0);
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(path("some")))
    names.insert(entry.path().filename());
  EXPECT_EQ(names, (std::set<std::string>{"report.md", "records.csv"}));
}

TEST_F(ReportOfRuns, RefusesFormatsAndFoldersThatItDoesNotKnow) {
  make_run(out());
  const auto refused = [&](const Words& words, int code, const std::string& says) {
    const ChildOutput made = plumb(words);
    EXPECT_EQ(made.exit_code, code) << made.err;
    EXPECT_THAT(made.err, HasSubstr(says));
    EXPECT_FALSE(fs::exists(path("new")));
  };
  refused({"report", out(), "--out", path("new"), "--formats", "html,pdf"}, 2, "'pdf'");
  refused({"report", out(), out()}, 2, "needed --out DIR");
  refused({"report", path("nowhere"), "--out", path("new")}, 4, "is no folder");
  fixtures::put(path("bad.csv"), "fraction,value,half-width\n0.1,0.5,0\n0.1,0.6,0\n");
  refused({"report", out(), "--out", path("new"), "--curve", path("bad.csv")}, 4,
          "line 3: fractions must rise");
  fixtures::put(path("bad.csv"), "fraction,value,half-width\n0.1,much,0\n");
  refused({"report", out(), "--out", path("new"), "--curve", path("bad.csv")}, 4,
          "line 2: 'much' is no finite number");
}

TEST_F(ReportOfRuns, HoldsARunAgainstAUsersCurve) {
  make_run(out());
  const auto rows = parse_csv(file(out(), "loss.csv"));
  const auto column = [&](const char* name) {
    return static_cast<size_t>(std::find(rows[0].begin(), rows[0].end(), name) - rows[0].begin());
  };
  std::string same = "fraction,value,half-width\n", other = same;
  for (const auto& row : rows)
    if (row[column("strategy")] == "similarity") {
      const double x = std::stod(row[column("n")]) / 10, y = std::stod(row[column("normalised")]);
      same += shortest(x) + "," + shortest(y) + ",\n";
      other += shortest(x) + "," + shortest(y + 0.5) + ",0.01\n";
    }
  fixtures::put(path("same.csv"), same);
  fixtures::put(path("other.csv"), other);
  const ChildOutput made =
      plumb({"report", out(), "--out", path("held"), "--curve", path("same.csv"), "--curve",
             "loss=" + path("other.csv"), "--curve", "mmlu=" + path("same.csv")});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const std::string results = file(path("held"), "results.json");
  reports::validate_results(results);
  const json pass = verdict_of(results, "given-curve-1");
  EXPECT_EQ(pass.at("kind"), "PASS") << pass;
  EXPECT_THAT(pass.at("reason").get<std::string>(),
              HasSubstr("9 of 9 points agree, RMSE 0, concordance 1"));
  const json fail = verdict_of(results, "given-curve-2");
  EXPECT_EQ(fail.at("kind"), "FAIL") << fail;
  for (const json& number : fail.at("evidence"))
    if (number.at("name") == "curve_rmse" &&
        number.at("dimensions").at("strategy") == "similarity") {
      EXPECT_NEAR(number.at("value").get<double>(), 0.5, 1e-12);
    }
  EXPECT_EQ(verdict_of(results, "given-curve-3").at("kind"), "NOT RUN");
  EXPECT_THAT(file(path("held"), "report.html"), HasSubstr("data-series=\"other\""));
}

TEST_F(ReportOfRuns, ComparesRunsOnCommonAxes) {
  make_run(out());
  make_run(path("second"), {"--set", "validation.limit=17", "--set", "sweep.n=0-7"});
  const ChildOutput made = plumb(
      {"report", out(), path("second"), "--out", path("compared"), "--formats", "html,json,md"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const std::string html = file(path("compared"), "report.html");
  for (const char* series : {"model (out), similarity", "model (second), simple"})
    EXPECT_THAT(html, HasSubstr("data-series=\"" + std::string(series) + "\"")) << series;
  const std::string results = file(path("compared"), "results.json");
  reports::validate_results(results);
  EXPECT_EQ(verdict_of(results, "same-text").at("kind"), "INCOMPARABLE");
  EXPECT_EQ(verdict_of(results, "same-calibration").at("kind"), "PASS");
  // Every record of both, told apart.
  std::map<std::string, size_t> count;
  const json parsed = json::parse(results);
  for (const json& record : parsed.at("records")) ++count[record.at("dimensions").at("run")];
  EXPECT_EQ(count["model (out)"], json::parse(file(out(), "results.json")).at("records").size());
  EXPECT_EQ(count["model (second)"],
            json::parse(file(path("second"), "results.json")).at("records").size());
}

TEST_F(ReportOfRuns, ShowsTheSameContinuationsOfWholeAndPrunedEachTime) {
  make_run(out());
  make_run(path("second"));
  const auto table = [&](const std::string& folder) {
    const std::string html = file(folder, "report.html");
    const size_t from = html.find("<figure id=\"continuation\"");
    EXPECT_NE(from, std::string::npos);
    return html.substr(from, html.find("</figure>", from) - from);
  };
  EXPECT_EQ(table(out()), table(path("second")));
  EXPECT_THAT(table(out()), HasSubstr("Illustration"));
  EXPECT_THAT(table(out()), HasSubstr(">whole<"));
  EXPECT_THAT(table(out()), HasSubstr(">pruned, similarity<"));
}

// SciPy on results.json alone comes to the verdicts that stand in it.
TEST_F(ReportOfRuns, HasVerdictsThatScipyComesToAsWell) {
  const auto python = plumb::testing::peer_python("numpy, scipy");
  if (!python.missing.empty()) GTEST_SKIP() << python.missing;
  make_run(out(), {"--set", "statistics.draws=10000"});
  const std::string command =
      "'" + python.path + "' " PLUMB_SOURCE_DIR "/fixtures/peers/recompute_verdicts.py '";
  const std::string log = path("log.txt");
  EXPECT_EQ(std::system((command + out() + "/results.json' > " + log + " 2>&1").c_str()), 0)
      << read_file(log);
  // A verdict that the numbers do not bear out is found.
  json changed = json::parse(file(out(), "results.json"));
  for (json& verdict : changed["verdicts"])
    if (verdict["claim"] == "similarity-beats-simple")
      verdict["kind"] = verdict["kind"] == "PASS" ? "FAIL" : "PASS";
  fixtures::put(path("changed.json"), changed.dump());
  EXPECT_NE(std::system((command + path("changed.json") + "' > " + log + " 2>&1").c_str()), 0);
}

TEST_F(ReportOfRuns, AreSoundInABrowserWithNothingEmpty) {
  make_run(out());
  make_run(path("second"), {"--set", "sweep.n=0-7"});
  ASSERT_EQ(plumb({"report", out(), path("second"), "--out", path("compared")}).exit_code, 0);
  const auto visits = reports::testing::open_pages(
      fs::path(PLUMB_BINARY_DIR) / "browser_runs",
      {{"run", file(out(), "report.html")}, {"compared", file(path("compared"), "report.html")}});
  if (!visits.skipped.empty()) GTEST_SKIP() << visits.skipped;
  for (const json& visit : visits.visits) {
    if (visit["media"] == "") reports::testing::expect_sound(visit);
    for (const json& figure : visit["facts"]["figures"]) {
      EXPECT_GT(figure["rows"].size(), 1u)
          << reports::testing::where(visit) << ": " << figure["id"];
      if (figure["drawing"].is_null()) continue;
      EXPECT_GT(figure["points"].size() + figure["cells"].size() + figure["texts"].size(), 3u)
          << figure["id"];
    }
  }
}

}  // namespace
}  // namespace plumb::harness
