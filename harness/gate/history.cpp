#include "harness/gate/history.h"

#include <sqlite3.h>

#include <array>
#include <memory>

#include "base/error.h"
#include "harness/cli/console.h"

namespace plumb::harness {
namespace {

constexpr int kPatienceMs = 2000;
/// "plum": tells a history from any other database.
constexpr int kApplication = 0x706c756d;

/// What brings a database of version k to version k + 1. Steps are never changed, only added.
constexpr std::array<const char*, History::kVersion> kSteps = {
    R"(CREATE TABLE runs (
         id INTEGER PRIMARY KEY, at TEXT NOT NULL, command TEXT NOT NULL, source TEXT NOT NULL,
         model_name TEXT NOT NULL, model_sha256 TEXT NOT NULL, exit_code INTEGER NOT NULL);
       CREATE TABLE numbers (
         run INTEGER NOT NULL REFERENCES runs (id), metric TEXT NOT NULL, unit TEXT NOT NULL,
         value REAL, absent_reason TEXT NOT NULL, low REAL, high REAL, verdict TEXT NOT NULL,
         CHECK ((value IS NULL) = (absent_reason <> '')));
       PRAGMA application_id = 1886156141;)",
    "CREATE INDEX numbers_by_metric ON numbers (metric, run);"};
static_assert(kApplication == 1886156141);

struct StatementEnd {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, StatementEnd>;

void bind(sqlite3_stmt* s, int at, const std::string& value) {
  sqlite3_bind_text64(s, at, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}
void bind(sqlite3_stmt* s, int at, int64_t value) { sqlite3_bind_int64(s, at, value); }
void bind(sqlite3_stmt* s, int at, const std::optional<double>& value) {
  value ? sqlite3_bind_double(s, at, *value) : sqlite3_bind_null(s, at);
}

std::string text_of(sqlite3_stmt* s, int column) {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(s, column));
  return bytes == nullptr
             ? ""
             : std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(s, column)));
}

std::optional<double> number_of(sqlite3_stmt* s, int column) {
  if (sqlite3_column_type(s, column) == SQLITE_NULL) return std::nullopt;
  return sqlite3_column_double(s, column);
}

/// What SQLite's code means for who called.
ErrorKind kind_of(int status) {
  switch (status & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA:
    case SQLITE_ERROR:  // a table or column that is not there
    case SQLITE_CONSTRAINT:
      return ErrorKind::kInput;
    default:
      return ErrorKind::kResource;
  }
}

std::string advice(int status) {
  switch (status & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another process holds it: try again when that one is done";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "; needed is a history that plumb has made: name another file, or take a copy back";
    default:
      return "";
  }
}

}  // namespace

void History::check(int status, const std::string& what) const {
  if (status == SQLITE_OK || status == SQLITE_DONE || status == SQLITE_ROW) return;
  const char* said = database_ != nullptr ? sqlite3_errmsg(database_) : sqlite3_errstr(status);
  throw Error(kind_of(status), text("history '", printable(file_.string()), "': ", what, ": ",
                                    printable(said), advice(status)));
}

void History::execute(const char* sql) const {
  check(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr), "cannot be changed");
}

int64_t History::version() const {
  const auto pragma = [&](const char* sql) {
    sqlite3_stmt* raw = nullptr;
    check(sqlite3_prepare_v2(database_, sql, -1, &raw, nullptr), "cannot be read");
    const Statement statement(raw);
    check(sqlite3_step(raw), "cannot be read");
    return sqlite3_column_int64(raw, 0);
  };
  const int64_t version = pragma("PRAGMA user_version"), owner = pragma("PRAGMA application_id");
  const int64_t tables = pragma("SELECT count(*) FROM sqlite_master");
  if (tables > 0 && owner != kApplication)
    throw Error(ErrorKind::kInput, text("'", printable(file_.string()),
                                        "' is a database of another program; needed is a history "
                                        "that plumb has made, or a file that is not there"));
  if (version > kVersion)
    throw Error(ErrorKind::kInput,
                text("history '", printable(file_.string()), "' has version ", version,
                     ", this release knows ", kVersion, ": use the release that wrote it"));
  return version;
}

void History::migrate() {
  if (version() == kVersion) return;
  execute("BEGIN IMMEDIATE");
  try {
    for (int64_t at = version(); at < kVersion; ++at) {
      execute(kSteps[static_cast<size_t>(at)]);
      execute(text("PRAGMA user_version = ", at + 1).c_str());
    }
    execute("COMMIT");
  } catch (...) {
    sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

History::History(const std::filesystem::path& file, Access access) : file_(file) {
  const bool append = access == Access::kAppend;
  try {
    if (!append && !std::filesystem::exists(file))
      throw Error(ErrorKind::kInput, text("history '", printable(file.string()), "' is not there"));
    const int status = sqlite3_open_v2(
        file.c_str(), &database_,
        append ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY, nullptr);
    check(status, "cannot be opened");
    sqlite3_busy_timeout(database_, kPatienceMs);
    if (append) {
      execute("PRAGMA synchronous = FULL");
      migrate();
    } else if (version() == 0) {
      throw Error(ErrorKind::kInput,
                  text("history '", printable(file.string()), "' holds nothing"));
    }
  } catch (...) {
    sqlite3_close(database_);  // the destructor of an unfinished object does not run
    throw;
  }
}

History::~History() { sqlite3_close(database_); }

void History::append(const HistoryEntry& entry) {
  execute("BEGIN IMMEDIATE");
  try {
    sqlite3_stmt* raw = nullptr;
    check(sqlite3_prepare_v2(database_,
                             "INSERT INTO runs (at, command, source, model_name, model_sha256, "
                             "exit_code) VALUES (?, ?, ?, ?, ?, ?)",
                             -1, &raw, nullptr),
          "cannot be written");
    const Statement run(raw);
    bind(raw, 1, entry.at);
    bind(raw, 2, entry.command);
    bind(raw, 3, entry.source);
    bind(raw, 4, entry.model_name);
    bind(raw, 5, entry.model_sha256);
    bind(raw, 6, entry.exit_code);
    check(sqlite3_step(raw), "cannot be written");
    const int64_t id = sqlite3_last_insert_rowid(database_);
    check(sqlite3_prepare_v2(database_,
                             "INSERT INTO numbers (run, metric, unit, value, absent_reason, low, "
                             "high, verdict) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                             -1, &raw, nullptr),
          "cannot be written");
    const Statement number(raw);
    for (const HistoryRow& row : entry.rows) {
      sqlite3_reset(raw);
      bind(raw, 1, id);
      bind(raw, 2, row.metric);
      bind(raw, 3, row.unit);
      bind(raw, 4, row.value);
      bind(raw, 5, row.absent_reason);
      bind(raw, 6, row.low);
      bind(raw, 7, row.high);
      bind(raw, 8, row.verdict);
      check(sqlite3_step(raw), "cannot be written");
    }
    execute("COMMIT");
  } catch (...) {
    sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

std::vector<HistoryRow> History::rows(const std::string& metric) const {
  sqlite3_stmt* raw = nullptr;
  check(sqlite3_prepare_v2(
            database_,
            "SELECT runs.id, at, command, source, model_name, model_sha256, metric, unit, value, "
            "absent_reason, low, high, verdict FROM numbers JOIN runs ON runs.id = numbers.run "
            "WHERE ?1 = '' OR metric = ?1 ORDER BY runs.id, numbers.rowid",
            -1, &raw, nullptr),
        "cannot be read");
  const Statement statement(raw);
  bind(raw, 1, metric);
  std::vector<HistoryRow> out;
  int status = SQLITE_OK;
  while ((status = sqlite3_step(raw)) == SQLITE_ROW)
    out.push_back({sqlite3_column_int64(raw, 0), text_of(raw, 1), text_of(raw, 2), text_of(raw, 3),
                   text_of(raw, 4), text_of(raw, 5), text_of(raw, 6), text_of(raw, 7),
                   number_of(raw, 8), text_of(raw, 9), number_of(raw, 10), number_of(raw, 11),
                   text_of(raw, 12)});
  check(status, "cannot be read");
  return out;
}

}  // namespace plumb::harness
