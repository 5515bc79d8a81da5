#include "harness/gate/history.h"

#include <gmock/gmock.h>
#include <sqlite3.h>

#include <thread>

#include "base/file.h"
#include "base/testing.h"
#include "harness/gate/gate_testing.h"
#include "reports/demonstration.h"

namespace plumb::harness {
namespace {

using plumb::testing::error_of;
using ::testing::HasSubstr;
using Access = History::Access;

/// A database as another program would have it open.
class Database {
 public:
  explicit Database(const std::filesystem::path& file) {
    EXPECT_EQ(sqlite3_open(file.c_str(), &database_), SQLITE_OK);
  }
  ~Database() { sqlite3_close(database_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  void run(const std::string& sql) {
    EXPECT_EQ(sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database_);
  }
  int64_t number(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(database_, sql.c_str(), -1, &statement, nullptr), SQLITE_OK);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
    const int64_t out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return out;
  }

 private:
  sqlite3* database_ = nullptr;
};

class HistoryFile : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_ / "history.sqlite"; }
  std::filesystem::path path(const char* name) const { return folder_ / name; }

  static HistoryEntry entry(const std::string& metric, double value) {
    HistoryEntry out{"2026-01-01T00:00:00Z", "gate", "runs-a", "tiny", std::string(64, 'a'), 1, {}};
    HistoryRow row;
    row.metric = metric;
    row.unit = "nats";
    row.value = value;
    row.low = value - 0.1;
    row.high = value + 0.1;
    row.verdict = "FAIL";
    out.rows = {row, row};
    out.rows[1].metric = "kl";
    out.rows[1].value = out.rows[1].low = out.rows[1].high = std::nullopt;
    out.rows[1].absent_reason = "not measured";
    return out;
  }
  void append(const HistoryEntry& one) const { History(file(), Access::kAppend).append(one); }

 private:
  plumb::testing::TemporaryFolder folder_;
};

TEST_F(HistoryFile, KeepsEveryNumberAndEveryReason) {
  append(entry("loss", 3.1));
  append(entry("loss", 0.1 + 0.2));
  append(entry("loss'); DROP TABLE runs; --" + reports::kHostile.substr(0, 20), 1));
  const History history(file(), Access::kRead);
  const auto all = history.rows();
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(all[2].value, 0.1 + 0.2);
  EXPECT_EQ(all[2].run, 2);
  EXPECT_FALSE(all[1].value.has_value());
  EXPECT_EQ(all[1].absent_reason, "not measured");
  EXPECT_EQ(history.rows("loss").size(), 2u);
  EXPECT_EQ(history.rows("none").size(), 0u);
}

TEST_F(HistoryFile, BringsAnEarlierVersionUpToDateAndKeepsWhatItHolds) {
  append(entry("loss", 3.1));
  {
    Database old(file());
    old.run("DROP INDEX numbers_by_metric; PRAGMA user_version = 1");
  }
  append(entry("loss", 3.2));
  Database now(file());
  EXPECT_EQ(now.number("PRAGMA user_version"), History::kVersion);
  EXPECT_EQ(
      now.number(
          "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name = 'numbers_by_metric'"),
      1);
  EXPECT_EQ(now.number("SELECT count(*) FROM runs"), 2);
}

TEST_F(HistoryFile, RefusesWhatItCannotUse) {
  const auto refused = [&](ErrorKind kind, const char* what) {
    for (const Access access : {Access::kRead, Access::kAppend}) {
      const Error error = error_of([&] { History(file(), access).rows(); });
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(what));
    }
  };
  EXPECT_THAT(error_of([&] { History(file(), Access::kRead); }).what(), HasSubstr("is not there"));
  write_file_atomically(file(), std::string(4096, 'x'));
  refused(ErrorKind::kInput, "needed is a history that plumb has made");
  std::filesystem::remove(file());
  Database(file()).run("CREATE TABLE other (x)");
  refused(ErrorKind::kInput, "database of another program");
  std::filesystem::remove(file());
  append(entry("loss", 3.1));
  Database(file()).run("PRAGMA user_version = 99");
  refused(ErrorKind::kInput, "has version 99, this release knows 2");
}

TEST_F(HistoryFile, RefusesADamagedOneAndLeavesItAsItWas) {
  for (int i = 0; i < 200; ++i) append(entry("loss", i));
  std::string bytes = read_file(file());
  std::fill(bytes.begin() + 4096, bytes.end(), '\x5a');  // all pages but the first
  write_file_atomically(file(), bytes);
  const Error error = error_of([&] { append(entry("loss", 1)); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
  EXPECT_EQ(read_file(file()), bytes);
  EXPECT_EQ(error_of([&] { History(file(), Access::kRead).rows(); }).kind(), ErrorKind::kInput);
}

TEST_F(HistoryFile, SaysThatAnotherProcessHoldsItAndLosesNothing) {
  append(entry("loss", 3.1));
  Database other(file());
  other.run("BEGIN EXCLUSIVE");
  const Error error = error_of([&] { append(entry("loss", 3.2)); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_THAT(error.what(), HasSubstr("another process holds it"));
  other.run("ROLLBACK");
  append(entry("loss", 3.3));
  EXPECT_EQ(History(file(), Access::kRead).rows("loss").size(), 2u);
}

TEST_F(HistoryFile, TakesAnEntryWholeOrNotAtAll) {
  append(entry("loss", 3.1));
  HistoryEntry broken = entry("loss", 3.2);
  broken.rows[1].absent_reason.clear();  // neither a value nor a reason
  EXPECT_EQ(error_of([&] { append(broken); }).kind(), ErrorKind::kInput);
  Database now(file());
  EXPECT_EQ(now.number("SELECT count(*) FROM runs"), 1);
  EXPECT_EQ(now.number("SELECT count(*) FROM numbers"), 2);
}

TEST_F(HistoryFile, TakesWhatManyAppendAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int k = 0; k < 5; ++k) append(entry("loss", 10 * i + k));
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(History(file(), Access::kRead).rows("loss").size(), 20u);
}

TEST_F(HistoryFile, IsDrawnWithAFigureForEachMetric) {
  for (int i = 0; i < 4; ++i) append(entry("loss", 3 + 0.1 * i));
  HistoryEntry hostile = entry("accuracy", 0.5);
  hostile.model_name = hostile.source = reports::kHostile;
  append(hostile);
  const auto report = history_report(History(file(), Access::kRead).rows(), "history.sqlite");
  ASSERT_EQ(report.figures.size(), 3u);
  const auto& figure = std::get<reports::LineFigure>(report.figures[0]);
  EXPECT_EQ(figure.title, "loss");
  ASSERT_EQ(figure.series.size(), 1u);
  EXPECT_EQ(figure.series[0].points.size(), 4u);
  EXPECT_DOUBLE_EQ(*figure.series[0].points[1].high, 3.2);
  const std::string page = reports::to_html(report);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
}

TEST_F(HistoryFile, KeepsAGatesVerdicts) {
  GateSnapshot baseline = testing::bare_snapshot(), candidate = testing::bare_snapshot("new");
  testing::add_losses(baseline, std::vector<double>(20, 3.0));
  testing::add_losses(candidate, std::vector<double>(20, 3.3));
  const GateResult result =
      testing::judged(baseline, candidate, testing::tolerances({"loss:rel:+1%", "kl:abs:+1"}));
  append(gate_entry(result, candidate, 1, "2026-02-03T04:05:06Z"));
  append(run_entry(candidate, "2026-02-03T04:05:07Z"));
  const auto rows = History(file(), Access::kRead).rows();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].verdict, "FAIL");
  EXPECT_EQ(rows[0].source, "new");
  EXPECT_DOUBLE_EQ(*rows[0].value, 3.3);
  EXPECT_EQ(rows[1].verdict, "NOT RUN");
  EXPECT_FALSE(rows[1].value.has_value());
  EXPECT_EQ(rows[2].command, "run");
  EXPECT_EQ(rows[2].metric, "loss");
}

}  // namespace
}  // namespace plumb::harness
