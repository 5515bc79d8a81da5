// Every format, of a calm report and of an enemy's, read back by somebody else's reader where there is one.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>
#include <regex>
#include <set>

#include "base/csv.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "base/testing.h"
#include "reports/browser_testing.h"
#include "reports/testing.h"

namespace plumb::reports {
namespace {

using plumb::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::Not;

/// What the program says to its standard output and error, and its code.
struct Said {
  int code = 0;
  std::string words;
};
Said say(const std::string& command) {
  Said out;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {-1, "no pipe"};
  char part[4096];
  for (size_t got; (got = std::fread(part, 1, sizeof part, pipe)) > 0;) out.words.append(part, got);
  out.code = ::pclose(pipe);
  return out;
}

class Formats : public ::testing::TestWithParam<bool> {
 protected:
  Report report() const { return GetParam() ? testing::hostile_report() : demonstration(); }
  /// The report in one format, as a file.
  std::string file(const std::string& word) const {
    for (const Format& format : formats())
      if (format.word == word) {
        write_file_atomically(folder_ / format.file, format.write(report()));
        return "'" + (folder_ / format.file).string() + "'";
      }
    ADD_FAILURE() << "no format " << word;
    return "";
  }
  TemporaryFolder folder_;
};

TEST_P(Formats, PageIsValidToTidy) {
  const auto tidy = testing::find_program({"tidy"});
  if (!tidy) GTEST_SKIP() << "no tidy on the path";
  const Said said =
      say(*tidy + " -q -e --show-warnings yes --drop-empty-elements no " + file("html"));
  std::istringstream lines(said.words);
  const std::regex known(
      R"re(proprietary attribute "(xmlns|id)"|missing <dd>|missing </(div|dl)> before <(/div|dt)>)re"
      "|inserting implicit <dl>");
  for (std::string line; std::getline(lines, line);) {
    // Debian 12's, of 2017: it takes the XHTML name space for a slip, knows no id of an SVG's title, and no groups of div
    // in a list of terms, which HTML has since.
    if (std::regex_search(line, known)) continue;
    ADD_FAILURE() << line;
  }
  EXPECT_LE(WEXITSTATUS(said.code), 1);  // 1: warnings, which are looked at above
}

TEST_P(Formats, JunitFitsItsSchema) {
  const auto xmllint = testing::find_program({"xmllint"});
  if (!xmllint) GTEST_SKIP() << "no xmllint on the path";
  const Said said =
      say(*xmllint + " --nonet --noout --schema " PLUMB_SOURCE_DIR "/reports/schema/junit.xsd " +
          file("junit"));
  EXPECT_EQ(said.code, 0) << said.words;
}

TEST_P(Formats, JsonFitsItsSchema) { EXPECT_NO_THROW(validate_results(to_results_json(report()))); }

TEST_P(Formats, MarkdownHasARowForEachClaimAndNoMarkupOfNames) {
  const std::string markdown = to_markdown(report());
  EXPECT_LT(markdown.size(), 65536u);
  EXPECT_EQ(clean_text(markdown), markdown);
  std::istringstream lines(markdown);
  size_t rows = 0;
  // A bar that nothing stands before ends a cell.
  const std::regex bar(R"((^|[^\\])\|)");
  for (std::string line; std::getline(lines, line);) {
    EXPECT_THAT(line, Not(HasSubstr("<script"))) << line;
    for (const Verdict& verdict : demonstration().verdicts)
      if (line.starts_with("| ") &&
          line.find(escape_markdown(verdict.title)) != std::string::npos) {
        ++rows;
        EXPECT_EQ(std::distance(std::sregex_iterator(line.begin(), line.end(), bar), {}), 5)
            << line;
      }
  }
  EXPECT_EQ(rows, demonstration().verdicts.size());
}

TEST_P(Formats, RecordsComeBackFromCsv) {
  const auto rows = parse_csv(to_records_csv(report()));
  const auto records = report().records;
  ASSERT_EQ(rows.size(), records.size() + 1);
  EXPECT_EQ(rows[0].front(), "name");
  EXPECT_EQ(rows[0].back(), "absent_reason");
  const auto column = std::find(rows[0].begin(), rows[0].end(), "value") - rows[0].begin();
  for (size_t i = 0; i < records.size(); ++i)
    if (const auto* number = std::get_if<double>(&records[i].value)) {
      EXPECT_EQ(std::stod(rows[i + 1][static_cast<size_t>(column)]), *number);
    }
}

// Read in twice: each row once.
TEST_P(Formats, SqlReadsIntoSqliteAndGivesEveryNumberBack) {
  const auto python = testing::find_program({"python3"}, "PLUMB_TEST_PYTHON");
  if (!python) GTEST_SKIP() << "no python3 with sqlite3";
  const std::string sql = file("sql");
  const std::string program =
      "import sqlite3,sys; d=sqlite3.connect(':memory:'); s=open(sys.argv[1]).read(); "
      "d.executescript(s); d.executescript(s); "
      "print(*[d.execute('select count(*) from plumb_'+t).fetchone()[0] for t in "
      "('runs','records','verdicts')]); "
      "print(sum(1 for _ in d.execute('select name from sqlite_master where type=\"table\"'))); "
      "[print(repr(r[0])) for r in d.execute('select number from plumb_records order by "
      "position')]";
  const Said said = say("'" + *python + "' -c '" +
                        std::regex_replace(program, std::regex("'"), "'\\''") + "' " + sql);
  ASSERT_EQ(said.code, 0) << said.words;
  std::istringstream lines(said.words);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, plumb::text("1 ", report().records.size(), " ", report().verdicts.size()));
  std::getline(lines, line);
  EXPECT_EQ(line, "3");
  for (const Record& record : report().records) {
    std::getline(lines, line);
    if (const auto* number = std::get_if<double>(&record.value)) {
      EXPECT_EQ(std::stod(line), *number);
    }
  }
}

TEST_P(Formats, BenchmarksAreGoogleBenchmarks) {
  Report timed = report();
  timed.records.push_back({.name = "prefill_ms",
                           .dimensions = {{"n", int64_t{7}}},
                           .value = 2.0,
                           .unit = "ms",
                           .samples = {1.5, 2.0, 2.25}});
  const auto parsed = parse_json(to_benchmark_json(timed));
  std::vector<double> times;
  for (const auto& one : parsed["benchmarks"]) {
    EXPECT_EQ(one["name"], "prefill_ms/n:7");
    EXPECT_EQ(one["run_type"], "iteration");
    EXPECT_EQ(one["time_unit"], "ms");
    EXPECT_EQ(one["repetition_index"], times.size());
    times.push_back(one["real_time"]);
  }
  EXPECT_EQ(times, (std::vector<double>{1.5, 2.0, 2.25}));
  EXPECT_TRUE(parsed["context"].is_object());
}

INSTANTIATE_TEST_SUITE_P(Calm, Formats, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Hostile, Formats, ::testing::Values(true));

TEST(EscapeMarkdown, LeavesNothingThatMarkdownActsOn) {
  EXPECT_EQ(escape_markdown("a|b`c"), "a\\|b\\`c");
  EXPECT_EQ(escape_markdown("<b>&"), "&lt;b&gt;&amp;");
  EXPECT_EQ(escape_markdown("two\nlines\tand\u2028three"), "two lines and three");
  EXPECT_EQ(escape_markdown("@team #12"), "@\u200Bteam #\u200B12");
  EXPECT_THAT(escape_markdown("https://a www.b"),
              Not(::testing::AnyOf(HasSubstr("://"), HasSubstr("www."))));
}

TEST(QuoteSql, DoublesQuotesAndDropsControls) { EXPECT_EQ(quote_sql("it's\x01 '"), "'it''s '''"); }

TEST(FormatWords, AreToldApartByWordAndFile) {
  std::set<std::string> words, files;
  for (const Format& format : formats()) words.insert(format.word), files.insert(format.file);
  EXPECT_EQ(words.size(), formats().size());
  EXPECT_EQ(files.size(), formats().size());
  EXPECT_STREQ(formats().back().word, "html");
}

}  // namespace
}  // namespace plumb::reports
