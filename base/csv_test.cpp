#include "base/csv.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/rng.h"
#include "base/testing.h"

namespace plumb {
namespace {

using ::testing::ElementsAre;
using testing::error_of;

std::string one_cell(std::string_view cell) {
  CsvTable table({"a", "b"});
  table.cell(cell).cell(int64_t{1}).end_row();
  return table.str().substr(4);
}

TEST(CsvTable, WritesHeaderAndRows) {
  CsvTable table({"n", "loss", "removed"});
  table.cell(int64_t{-7}).cell(0.1).cell("12-18").end_row();
  table.cell(int64_t{0}).cell(2.0).empty().end_row();
  EXPECT_EQ(table.str(), "n,loss,removed\n-7,0.1,12-18\n0,2,\n");
}

TEST(CsvTable, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(one_cell("3;7-9"), "3;7-9,1\n");
  EXPECT_EQ(one_cell("a,b"), "\"a,b\",1\n");
  EXPECT_EQ(one_cell("say \"so\""), "\"say \"\"so\"\"\",1\n");
  EXPECT_EQ(one_cell("two\nlines"), "\"two\nlines\",1\n");
}

TEST(CsvTable, DisarmsWhatASpreadSheetWouldRun) {
  for (const std::string start : {"=", "+", "-", "@", "\t"})
    EXPECT_EQ(one_cell(start + "cmd"), "'" + start + "cmd,1\n");
  EXPECT_EQ(one_cell("=A1,B1"), "\"'=A1,B1\",1\n");
  EXPECT_EQ(one_cell("\rx"), "\"'\rx\",1\n");
  CsvTable numbers({"a"});
  numbers.cell(-1.5).end_row();  // a number is none
  EXPECT_EQ(numbers.str(), "a\n-1.5\n");
}

TEST(CsvTable, RefusesRaggedRowsAndNumbersThatAreNone) {
  CsvTable table({"a", "b"});
  table.cell("x");
  EXPECT_EQ(error_of([&] { table.end_row(); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([&] { table.cell(std::nan("")); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([&] { table.cell(std::numeric_limits<double>::infinity()); }).kind(),
            ErrorKind::kInvariant);
  EXPECT_EQ(error_of([] { CsvTable({}); }).kind(), ErrorKind::kInvariant);
}

TEST(ParseCsv, ReadsQuotesLineEndsAndAByteOrderMark) {
  EXPECT_THAT(
      parse_csv("\xEF\xBB\xBF"
                "a,b\r\n\"x,\"\"y\"\"\",\n1,\"l\n2\""),
      ElementsAre(ElementsAre("a", "b"), ElementsAre("x,\"y\"", ""), ElementsAre("1", "l\n2")));
  EXPECT_TRUE(parse_csv("").empty());
}

TEST(ParseCsv, NamesTheLineOfWhatIsWrong) {
  const auto message = [](std::string_view csv) {
    const Error error = error_of([&] { parse_csv(csv); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return std::string(error.what());
  };
  EXPECT_EQ(message("a,b\n1\n"), "CSV line 2 has 1 cells, its header has 2");
  EXPECT_EQ(message("a,b\n\"1\n2\",3\n1,2,3\n"), "CSV line 4 has 3 cells, its header has 2");
  EXPECT_EQ(message("a\n\"1\n2"), "CSV line 2: a quote that opens there never ends");
  EXPECT_EQ(message("a\nx\"y\n"), "CSV line 2: a quote inside a cell that does not begin with one");
  EXPECT_EQ(message("a\n\"x\"y\n"), "CSV line 2: a quoted cell is followed by more text");
}

class Csv : public ::testing::TestWithParam<uint64_t> {};  // parameter: seed

TEST_P(Csv, ReadsBackWhatItWrote) {
  Rng rng(GetParam());
  const std::string alphabet = "ab,\"\n\r ;1'";
  std::vector<std::vector<std::string>> rows(8, std::vector<std::string>(1 + rng.below(3)));
  for (auto& row : rows) {
    row.resize(rows[0].size());
    for (std::string& cell : row)
      for (uint64_t i = rng.below(6); i > 0; --i) cell += alphabet[rng.below(alphabet.size())];
    for (std::string& cell : row)
      if (cell.starts_with('\r')) cell = "x" + cell;  // these get their quote; tested above
  }
  CsvTable table(rows[0]);
  for (size_t i = 1; i < rows.size(); ++i) {
    for (const std::string& cell : rows[i]) table.cell(cell);
    table.end_row();
  }
  EXPECT_EQ(parse_csv(table.str()), rows);
}

TEST_P(Csv, ShortestReadsBackToTheSameDouble) {
  Rng rng(GetParam(), 1);
  for (int i = 0; i < 1000; ++i) {
    const double value = std::bit_cast<double>(rng.next());
    if (!std::isfinite(value)) continue;
    const double back = std::strtod(shortest(value).c_str(), nullptr);
    EXPECT_EQ(std::bit_cast<uint64_t>(back), std::bit_cast<uint64_t>(value)) << shortest(value);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, Csv, ::testing::Range<uint64_t>(0, 20));

TEST(Shortest, HasNoDigitTooMany) {
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(-0.0), "-0");
  EXPECT_EQ(shortest(1e100), "1e+100");
  EXPECT_EQ(shortest(5e-324), "5e-324");
}

}  // namespace
}  // namespace plumb
