#include <gmock/gmock.h>

#include "harness/datasets/rows_testing.h"

namespace plumb::harness {
namespace {

using plumb::testing::error_of;
using plumb::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace testing;

class TextRows : public ::testing::Test {
 protected:
  fs::path file(const std::string& name, std::string_view bytes) const {
    return written(folder_ / name, bytes);
  }
  void expect_refused(const fs::path& path, ErrorKind kind, const std::string& said) const {
    const Error error = error_of([&] { rows_of(path); });
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(said));
  }

  TemporaryFolder folder_;
};

TEST_F(TextRows, JsonLinesKeepColumnsAndTheirOrder) {
  const auto path =
      file("a.jsonl", "{\"z\": 1, \"a\": [\"\\u00fc\", null]}\n{\"b\": {\"c\": true}}");
  const auto rows = rows_of(path);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].dump(), "{\"z\":1,\"a\":[\"ü\",null]}");
  EXPECT_EQ(rows[1].dump(), "{\"b\":{\"c\":true}}");
}

TEST_F(TextRows, ReadC4ShardsInSeveralGzipMembers) {
  const std::string first = "{\"text\": \"one\", \"url\": \"u\"}\n{\"text\": \"t", rest = "wo\"}\n";
  const auto path = file("c4-validation.00000-of-00008.json.gz", gzipped(first) + gzipped(rest));
  const auto reader = open_rows(path);
  EXPECT_EQ(reader->next()->at("text"), "one");
  EXPECT_EQ(reader->where(), "line 1");
  EXPECT_EQ(reader->next()->at("text"), "two");
  EXPECT_EQ(reader->where(), "line 2");
  EXPECT_FALSE(reader->next().has_value());
}

TEST_F(TextRows, NameTheLineThatIsNoObject) {
  const std::string good = "{\"a\": 1}\n";
  expect_refused(file("blank.jsonl", good + "\n" + good), ErrorKind::kInput, "line 2 is blank");
  expect_refused(file("list.json", "[{\"a\": 1}]\n"), ErrorKind::kInput,
                 "line 1 is a JSON array; needed is a JSON object on each line");
  expect_refused(file("cut.jsonl", good + good + "{\"a\": "), ErrorKind::kInput,
                 "line 3: not JSON");
  expect_refused(file("twice.jsonl", "{\"a\": 1, \"a\": 2}"), ErrorKind::kInput, "occurs twice");
  expect_refused(file("latin.jsonl", good + "{\"a\": \"\xFC\"}"), ErrorKind::kInput,
                 "(line 2) is no valid UTF-8");
  expect_refused(file("empty.jsonl", ""), ErrorKind::kInput, "empty.jsonl");
  expect_refused(file("rows.xml", good), ErrorKind::kInput, "'rows.xml' is in no format");
}

TEST_F(TextRows, RefuseTornAndDamagedGzipAtEveryPlace) {
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += text("{\"text\": \"line ", i * i, "\"}\n");
  const std::string whole = gzipped(lines);
  for (size_t size = 2; size < whole.size(); size += 7)
    EXPECT_EQ(error_of([&] { rows_of(file("x.json.gz", whole.substr(0, size))); }).kind(),
              ErrorKind::kInput)
        << size;
  std::string damaged = whole;
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 1);  // check sum
  expect_refused(file("x.json.gz", damaged), ErrorKind::kInput, "gzip data are damaged");
}

// 66 MiB of spaces are 70 kB: beyond 64 MiB and 200 times that, and one line beyond 64 MiB.
TEST_F(TextRows, RefuseBombsAndEndlessLines) {
  const std::string spaces(size_t{66} << 20, ' ');
  expect_refused(file("bomb.jsonl.gz", gzipped(spaces)), ErrorKind::kInput, "expand beyond");
  expect_refused(file("long.jsonl", spaces), ErrorKind::kInput,
                 "line 1 is longer than 67108864 bytes");
  std::string quoted = "a,b\n\"";  // never closed, but in lines that are short enough
  for (int i = 0; i < 65; ++i) quoted += std::string(size_t{1} << 20, 'x') + "\n";
  expect_refused(file("long.csv", quoted), ErrorKind::kInput,
                 "the CSV record at line 2 is longer than 67108864 bytes; is a quote missing?");
}

TEST_F(TextRows, CsvFollowsRfc4180) {
  const auto path = file("a.csv",
                         "\xEF\xBB\xBFid,text,note\r\n"
                         "1,\"a, \"\"b\"\"\r\nand more\n\",x\r\n"
                         "2,,\"\"\r\n"
                         "3, spaces stay ,\xC3\xBC");
  const auto reader = open_rows(path);
  EXPECT_EQ(*reader->next(), Row({{"id", "1"}, {"text", "a, \"b\"\r\nand more\n"}, {"note", "x"}}));
  EXPECT_EQ(reader->where(), "line 2");
  EXPECT_EQ(*reader->next(), Row({{"id", "2"}, {"text", ""}, {"note", ""}}));
  EXPECT_EQ(reader->where(), "line 5");
  EXPECT_EQ(reader->next()->dump(), "{\"id\":\"3\",\"text\":\" spaces stay \",\"note\":\"ü\"}");
  EXPECT_FALSE(reader->next().has_value());
  EXPECT_EQ(rows_of(file("b.csv.gz", gzipped("text\nx\n"))).at(0).at("text"), "x");
}

TEST_F(TextRows, CsvNamesTheLineThatIsWrong) {
  const auto refused = [&](const std::string& rest, const std::string& said) {
    expect_refused(file("x.csv", "a,b\n1,2\n" + rest), ErrorKind::kInput, said);
  };
  refused("1,2,3\n", "CSV line 3 has 3 cells, its header has 2");
  refused("\"x\ny\",1\n1\n", "CSV line 5 has 1 cells, its header has 2");
  refused("1,2\n\n", "CSV line 4 has 1 cells");
  refused("1,\"never\nends\n", "CSV line 3: a quote that opens there never ends");
  refused("5\" disk,1\n1,2\n", "CSV line 3: a quote inside a cell");
  refused("\"a\"b,1\n", "CSV line 3: a quoted cell is followed by more text");
  expect_refused(file("same.csv", "a,b,a\n1,2,3\n"), ErrorKind::kInput,
                 "same.csv: two columns are named 'a'");
}

// Every cell that Python's csv module writes, quoted as it likes, is read back as it was.
TEST_F(TextRows, CsvReadsWhatPythonWrites) {
  const char* script =
      "import csv, json, random, sys\n"
      "r = random.Random(4)\n"
      "rows = [[''.join(r.choice('ab ,\\n\\r\"\\u00fc;') for _ in range(r.randrange(9))) for _ in "
      "'xyz']"
      " for _ in range(500)]\n"
      "w = csv.writer(open(sys.argv[1] + '/p.csv', 'w', newline='', encoding='utf-8'))\n"
      "w.writerows([['x', 'y', 'z']] + rows)\n"
      "json.dump(rows, open(sys.argv[1] + '/p.json', 'w'))\n";
  const auto source = file("p.py", script);
  const std::string run = text("python3 '", source.string(), "' '", folder_.path().string(), "'");
  if (std::system("python3 -c '' > /dev/null 2>&1") != 0) GTEST_SKIP() << "there is no python3";
  ASSERT_EQ(std::system(run.c_str()), 0);
  const Row expected = Row::parse(read_file(folder_ / "p.json"));
  const auto rows = rows_of(folder_ / "p.csv");
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t i = 0; i < rows.size(); ++i)
    EXPECT_EQ(rows[i], Row({{"x", expected[i][0]}, {"y", expected[i][1]}, {"z", expected[i][2]}}));
}

}  // namespace
}  // namespace plumb::harness
