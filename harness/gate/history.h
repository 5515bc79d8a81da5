#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/gate/gate.h"
#include "reports/report.h"

struct sqlite3;

namespace plumb::harness {

/// One number of one run or gate, as the history keeps it.
struct HistoryRow {
  int64_t run = 0;      ///< rises with time
  std::string at;       ///< UTC, ISO 8601
  std::string command;  ///< "gate" or "run"
  std::string source;   ///< name of the candidate's folder
  std::string model_name, model_sha256;
  std::string metric;  ///< "loss[similarity:7]"
  std::string unit;
  std::optional<double> value = {};
  std::string absent_reason = {};  ///< not empty if and only if there is no value
  std::optional<double> low = {}, high = {};
  std::string verdict = {};  ///< "PASS"; empty of a run
};

/// What is appended at once: one run or gate.
struct HistoryEntry {
  std::string at, command, source, model_name, model_sha256;
  int64_t exit_code = 0;
  std::vector<HistoryRow> rows;  ///< the members above of each are taken from here
};
HistoryEntry gate_entry(const GateResult& result, const GateSnapshot& candidate, int exit_code,
                        const std::string& now);
/// Losses, accuracies, times and sizes of every plan of a run.
HistoryEntry run_entry(const GateSnapshot& run, const std::string& now);

/// A history in one SQLite file. Its schema has a number (PRAGMA user_version); one of an earlier release is brought up to
/// date when it is opened for writing, in one transaction. Errors: Error{kResource} where another process holds it for
/// more than two seconds, or it cannot be written; Error{kInput} for a file that is no such database, is damaged, or was
/// made by a newer release.
class History {
 public:
  static constexpr int kVersion = 2;
  enum class Access { kRead, kAppend };

  History(const std::filesystem::path& file, Access access);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  /// All of it or nothing.
  void append(const HistoryEntry& entry);
  /// In order of time; of one metric, or of all.
  std::vector<HistoryRow> rows(const std::string& metric = "") const;

 private:
  void check(int status, const std::string& what) const;
  void execute(const char* sql) const;
  int64_t version() const;
  void migrate();

  std::filesystem::path file_;
  sqlite3* database_ = nullptr;
};

/// A figure for each metric, its value against the number of the run, and a table of all.
reports::Report history_report(const std::vector<HistoryRow>& rows, const std::string& name);

}  // namespace plumb::harness
