#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/file.h"
#include "harness/cli/program_testing.h"
#include "harness/gate/snapshot.h"
#include "reports/versioned.h"

namespace plumb::harness::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;

/// Two runs of the tiny model, made once; every test works on copies of its own.
class GateCommand : public TinyCase {
 protected:
  static void SetUpTestSuite() { runs_ = new Runs; }
  static void TearDownTestSuite() {
    delete runs_;
    runs_ = nullptr;
  }
  void SetUp() override {
    TinyCase::SetUp();
    if (!fs::exists(*runs_ / "a")) {
      for (const char* name : {"a", "b"}) {
        auto words = run_words();
        *std::ranges::find(words, out()) = *runs_ / name;
        words.insert(words.end(), {"--set", "sweep.n=0-4:4", "--set", "cost.n=0", "--set",
                                   "cost.repetitions=6", "--set", "questions.tasks="});
        const ChildOutput done = plumb(words);
        ASSERT_EQ(done.exit_code, 0) << done.err;
        fs::remove_all(fs::path(*runs_ / name) / ".stages");  // a gate reads the results alone
      }
    }
    for (const char* name : {"a", "b"})
      fs::copy(*runs_ / name, path(name), fs::copy_options::recursive);
  }

  ChildOutput gate(std::vector<std::string> more = {}) const {
    const std::vector<std::string> words = {"gate", "--baseline", path("a"), "--candidate",
                                            path("b")};
    more.insert(more.begin(), words.begin(), words.end());
    return plumb(more);
  }
  /// `change` on a JSON file of a run.
  template <typename Change>
  void edit(const std::string& file, Change change) const {
    Json json = Json::parse(read_file(path(file)));
    change(json);
    write_file_atomically(path(file), json.dump());
  }
  /// The losses of run b, in both files that have them, in the mean times `factor`: every second document's twice as much.
  void worsen(double factor) const {
    edit("b/results.json", [&](Json& json) {
      for (Json& record : json["records"])
        if (record["name"] == "loss_nats")
          for (size_t i = 0; i < record["samples"].size(); ++i)
            record["samples"][i] = worse(record["samples"][i], i, factor);
    });
    std::ifstream in(path("b/loss_documents.csv"));
    std::string all, line;
    for (int row = 0; std::getline(in, line); ++row) {
      const auto cells = parse_csv(line + "\n")[0];
      std::vector<std::string> kept = cells;
      // 16 documents of each plan, so that a row's place in the file tells the document's.
      if (row > 0)
        kept[3] = shortest(worse(std::stod(cells[3]), static_cast<size_t>(row - 1), factor));
      for (size_t i = 0; i < kept.size(); ++i) all += (i == 0 ? "" : ",") + kept[i];
      all += "\n";
    }
    write_file_atomically(path("b/loss_documents.csv"), all);
  }

  static double worse(double loss, size_t document, double factor) {
    return document % 2 == 0 ? loss : loss * (2 * factor - 1);
  }

  using Runs = plumb::testing::TemporaryFolder;
  static Runs* runs_;
};
GateCommand::Runs* GateCommand::runs_ = nullptr;

TEST_F(GateCommand, PassesTwoRunsOfOneModel) {
  const ChildOutput done = gate({"--tolerance", "loss[*]:rel:+1%", "--out", path("out")});
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  const Json json = Json::parse(read_file(path("out/gate.json")));
  EXPECT_NO_THROW(
      reports::read_versioned(json.dump(), reports::gate_schema(), reports::kGateVersion, "gate"));
  EXPECT_EQ(json["findings"].size(), 4u);  // two strategies, n = 0 and 4
  for (const Json& finding : json["findings"]) EXPECT_EQ(finding["change"], 0);
  EXPECT_THAT(read_file(path("out/gate.md")), HasSubstr("plumb gate: passed"));
  EXPECT_THAT(read_file(path("out/junit.xml")), Not(HasSubstr("<failure")));
  // Times as well: they differ, but no failure may come of one run's noise.
  const ChildOutput timed = gate({"--tolerance", "decode.tok_s:rel:-5%"});
  EXPECT_EQ(timed.exit_code, 3);
  EXPECT_THAT(timed.out, HasSubstr("one run of each side does not tell what runs differ by"));
}

TEST_F(GateCommand, FailsTimesWhereTwoRunsOfTheCandidateRepeatThem) {
  const Json first = Json::parse(read_file(path("a/results.json")));
  const auto slower = [&](const char* run, double factor) {
    Json json = first;
    for (Json& record : json["records"])
      if (record["name"].get<std::string>().find("_ms") != std::string::npos)  // all times
        for (Json& ms : record["samples"]) ms = factor * ms.get<double>();
    write_file_atomically(path(text(run, "/results.json")), json.dump());
  };
  fs::copy(path("b"), path("c"), fs::copy_options::recursive);
  slower("b", 8);
  slower("c", 8.1);
  const std::vector<std::string> more = {
      "--tolerance", "decode.tok_s:rel:-5%", "--candidate", path("c"), "--out", path("out")};
  const ChildOutput failed = gate(more);
  EXPECT_EQ(failed.exit_code, 1) << failed.out << failed.err;
  const Json finding = Json::parse(read_file(path("out/gate.json")))["findings"][0];
  EXPECT_EQ(finding["runs"]["baseline"], 1);
  EXPECT_EQ(finding["runs"]["candidate"], 2);
  // Runs of the baseline are given in the same way; one of them is what b was made from.
  fs::copy(path("a"), path("d"), fs::copy_options::recursive);
  slower("d", 1.1);
  const ChildOutput once = gate({"--tolerance", "decode.tok_s:rel:-5%", "--baseline", path("d")});
  EXPECT_EQ(once.exit_code, 3) << once.out << once.err;
  EXPECT_THAT(once.out, HasSubstr("--candidate RUN --candidate ANOTHER"));
  // One run twice is not two runs.
  const ChildOutput twice = gate({"--candidate", path("b")});
  EXPECT_EQ(twice.exit_code, 2);
  EXPECT_THAT(twice.err, HasSubstr("not one run twice"));
}

TEST_F(GateCommand, EndsWithTheCodeOfItsVerdict) {
  worsen(1.05);
  const ChildOutput failed = gate({"--tolerance", "loss:rel:+1%", "--out", path("out")});
  EXPECT_EQ(failed.exit_code, 1) << failed.out << failed.err;
  EXPECT_THAT(failed.out, HasSubstr("FAIL"));
  EXPECT_THAT(read_file(path("out/junit.xml")), HasSubstr("<failure"));
  EXPECT_EQ(gate({"--tolerance", "loss:rel:+10%"}).exit_code, 0);
  EXPECT_EQ(gate({"--tolerance", "loss:rel:+1%:warn"}).exit_code, 0);
  EXPECT_EQ(gate({"--tolerance", "loss:rel:+5%"}).exit_code, 3);
  EXPECT_EQ(gate({"--tolerance", "loss:rel:+5%", "--inconclusive", "1"}).exit_code, 1);
  EXPECT_EQ(gate({"--tolerance", "own.acc:abs:-0.01"}).exit_code, 3);
  EXPECT_EQ(gate({"--tolerance", "own.acc:abs:-0.01", "--inconclusive", "0"}).exit_code, 3);
  EXPECT_EQ(gate({"--tolerance", "los:rel:+1%"}).exit_code, 2);
  EXPECT_EQ(plumb({"gate", "--baseline", path("none"), "--candidate", path("b")}).exit_code, 7);
  EXPECT_EQ(plumb({"gate", "--baseline", path("a"), "--candidate", path("none")}).exit_code, 4);
  edit("b/results.json", [](Json& j) { j["subject"]["loss"]["dtype"] = "bf16"; });
  EXPECT_EQ(gate({"--tolerance", "loss:rel:+1%"}).exit_code, 7);
}

TEST_F(GateCommand, MeasuresTwoModelsInOneJob) {
  const auto measured = [&](std::vector<std::string> more) {
    const std::vector<std::string> words = {"gate",
                                            "--measure",
                                            "2",
                                            "--baseline",
                                            model(),
                                            "--set",
                                            "threads=1",
                                            "--set",
                                            "cost.prefill_tokens=8",
                                            "--set",
                                            "cost.decode_context=8",
                                            "--set",
                                            "cost.decode_tokens=2"};
    more.insert(more.begin(), words.begin(), words.end());
    return plumb(more);
  };
  const ChildOutput done =
      measured({"--candidate", model(), "--tolerance", "weight_bytes:rel:0", "--tolerance",
                "decode.tok_s:rel:-5%:warn", "--out", path("out")});
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  const Json json = Json::parse(read_file(path("out/gate.json")));
  EXPECT_EQ(json["findings"][1]["runs"]["candidate"], 2);
  const GateSnapshot kept = read_snapshot(path("out/candidate.json"));
  EXPECT_EQ(kept.repeated.size(), 6u);
  EXPECT_EQ(measured({"--candidate", path("none")}).exit_code, 4);
  EXPECT_EQ(measured({"--candidate", model(), "--candidate", model()}).exit_code, 2);
  EXPECT_EQ(
      plumb({"gate", "--measure", "1", "--baseline", model(), "--candidate", model()}).exit_code,
      2);
  EXPECT_EQ(gate({"--set", "threads=1"}).exit_code, 2);
}

TEST_F(GateCommand, IsIncomparableForTimesOfAnotherMachine) {
  ASSERT_EQ(
      plumb({"baseline", "update", "--baseline", path("base.json"), "--from", path("a")}).exit_code,
      0);
  edit("base.json", [](Json& j) { j["system"]["CPU"] = "a machine elsewhere"; });
  const auto with = [&](const char* tolerance) {
    return plumb({"gate", "--baseline", path("base.json"), "--candidate", path("b"), "--tolerance",
                  tolerance});
  };
  const ChildOutput timed = with("decode.tok_s:rel:-5%");
  EXPECT_EQ(timed.exit_code, 7);
  EXPECT_THAT(timed.out, HasSubstr("another machine, CPU: 'a machine elsewhere'"));
  EXPECT_EQ(with("peak_rss:rel:+2%").exit_code, 7);
  EXPECT_EQ(with("loss:rel:+1%").exit_code, 0);
}

TEST_F(GateCommand, ReadsResultsFromBeforeTheSubject) {
  const GateSnapshot now = read_run_snapshot(path("a"));
  edit("a/results.json", [](Json& j) {
    j.erase("subject");
    j.erase("schema_minor");
  });
  const GateSnapshot before = read_run_snapshot(path("a"));
  EXPECT_EQ(before.model, now.model);
  EXPECT_EQ(before.loss, now.loss);
  EXPECT_EQ(before.cost, now.cost);
  EXPECT_EQ(before.system, now.system);
  EXPECT_EQ(gate({"--tolerance", "loss:rel:+1%"}).exit_code, 0);
  fs::remove(path("a/provenance.json"));
  const ChildOutput done = gate({"--tolerance", "loss:rel:+1%"});
  EXPECT_EQ(done.exit_code, 4);
  EXPECT_THAT(done.err, HasSubstr("provenance.json"));
}

TEST_F(GateCommand, RefusesBrokenFilesByName) {
  const auto refused = [&](const std::string& file, const std::string& bytes, const char* what) {
    const std::string sound = read_file(path(file));
    write_file_atomically(path(file), bytes);
    const ChildOutput done = gate();
    EXPECT_EQ(done.exit_code, 4) << file << ": " << done.err;
    EXPECT_THAT(done.err, HasSubstr(file));
    EXPECT_THAT(done.err, HasSubstr(what));
    write_file_atomically(path(file), sound);
  };
  const std::string results = read_file(path("b/results.json"));
  refused("b/results.json", "", "the text is empty");
  refused("b/results.json", results.substr(0, results.size() / 2), "byte");
  Json newer = Json::parse(results);
  newer["schema_version"] = 2;
  refused("b/results.json", newer.dump(), "schema version 2.1");
  const std::string csv = read_file(path("b/loss_documents.csv"));
  refused("b/loss_documents.csv", csv.substr(0, csv.size() / 2), "line");
  refused("b/loss_documents.csv", "", "empty");
  refused("b/loss_documents.csv", "strategy,n,document,removed\n", "no column 'loss_nats'");
  const size_t loss = csv.find(',', csv.find("\nsimilarity,0,") + 14) + 1;
  refused("b/loss_documents.csv", csv.substr(0, loss) + "1" + csv.substr(loss), "other losses");
  EXPECT_NE(gate().exit_code, 4);  // as it was
}

TEST_F(GateCommand, MakesABaselineAndSaysWhatChanges) {
  const auto update = [&](const char* run, std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"baseline", "update", "--baseline", path("base.json"), "--from", path(run)});
    return plumb(more);
  };
  const ChildOutput made = update("a");
  EXPECT_THAT(made.out, HasSubstr("which is new"));
  EXPECT_THAT(made.out, HasSubstr("its times are of 1 run; 3 tell what runs differ by"));
  const std::string first = read_file(path("base.json"));
  EXPECT_THAT(update("a").out, HasSubstr("0 changes"));
  EXPECT_EQ(read_file(path("base.json")), first);
  worsen(1.05);
  const ChildOutput dry = update("b", {"--dry-run"});
  EXPECT_THAT(dry.out, HasSubstr("loss_nats similarity:0: "));
  EXPECT_THAT(dry.out, HasSubstr("(+"));
  EXPECT_EQ(read_file(path("base.json")), first);
  const ChildOutput shown = plumb({"baseline", "show", "--baseline", path("base.json")});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("model sha256: "));
  EXPECT_THAT(shown.out, HasSubstr("decode_ms_per_token simple:0: one run, median "));
  // An INVALID run leaves it as it was.
  edit("b/results.json", [](Json& j) { j["verdicts"][0]["kind"] = "INVALID"; });
  const ChildOutput invalid = update("b");
  EXPECT_EQ(invalid.exit_code, 7);
  EXPECT_THAT(invalid.err, HasSubstr("is INVALID"));
  EXPECT_EQ(read_file(path("base.json")), first);
  EXPECT_EQ(gate().exit_code, 7);
}

TEST_F(GateCommand, KeepsItsVerdictWhateverBecomesOfTheHistory) {
  const std::string history = path("history.sqlite");
  const std::vector<std::string> with = {"--tolerance", "loss:rel:+1%", "--history", history};
  EXPECT_EQ(gate(with).exit_code, 0);
  const ChildOutput listed = plumb({"gate", "history", "--history", history, "--metric", "loss"});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("PASS"));
  EXPECT_EQ(plumb({"report", "--history", history, "--out", path("trend")}).exit_code, 0);
  EXPECT_THAT(read_file(path("trend/history.html")), HasSubstr("trend-loss"));
  write_file_atomically(history, "no database at all, but long enough to be looked at as one");
  const ChildOutput damaged = gate(with);
  EXPECT_EQ(damaged.exit_code, 0);
  EXPECT_THAT(damaged.err, HasSubstr("the verdict stands"));
  EXPECT_EQ(plumb({"gate", "history", "--history", history}).exit_code, 4);
  worsen(1.05);
  EXPECT_EQ(gate(with).exit_code, 1);
}

}  // namespace
}  // namespace plumb::harness::testing
