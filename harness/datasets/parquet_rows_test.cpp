#include <gmock/gmock.h>

#include <fstream>

#include "base/rng.h"
#include "harness/datasets/rows_testing.h"

namespace plumb::harness {
namespace {

using plumb::testing::error_of;
using plumb::testing::TemporaryFolder;
using ::testing::HasSubstr;
using namespace testing;

const Row& expected() {
  static const Row rows = Row::parse(read_file(kDatasetFiles / "rows.json"));
  return rows;
}

void expect_types(const fs::path& file) {
  const auto rows = rows_of(file);
  const Row& wanted = expected().at("types");
  ASSERT_EQ(rows.size(), wanted.size()) << file;
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i].dump(), wanted[i].dump()) << file;
}

class ParquetRows : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = no_parquet(); !why.empty()) GTEST_SKIP() << why;
  }
  fs::path file(const std::string& name, std::string_view bytes) const {
    return written(folder_ / name, bytes);
  }
  /// The rows read, or none where the file is refused as a file should be.
  std::optional<size_t> read_or_refuse(std::string_view bytes) const {
    const auto path = folder_ / "x.parquet";
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      return rows_of(path).size();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
      EXPECT_THAT(error.what(), HasSubstr("Parquet cannot be read"));
    }
    return std::nullopt;
  }
  /// Bytes changed at seeded places, most of them in the footer; what Arrow makes of it must be rows or an Error.
  void flip(const std::string& name, uint64_t seed, int rounds) const {
    const std::string whole = read_file(kDatasetFiles / name);
    Rng random(seed);
    const auto below = [&](uint64_t bound) { return random.below(bound); };
    for (int round = 0; round < rounds; ++round) {
      std::string bytes = whole;
      for (uint64_t changes = 1 + below(3); changes > 0; --changes) {
        const uint64_t reach =
            below(2) == 0 ? whole.size() : std::min<uint64_t>(whole.size(), 1200);
        bytes[whole.size() - 1 - below(reach)] = static_cast<char>(below(256));
      }
      read_or_refuse(bytes);
    }
  }

  TemporaryFolder folder_;
};

TEST_F(ParquetRows, AreWhatPyarrowReads) {
  expect_types(kDatasetFiles / "types.parquet");
  expect_types(kDatasetFiles / "types_plain.parquet");
}

TEST_F(ParquetRows, ReadOnlyTheColumnsThatAreAskedFor) {
  const auto rows = rows_of(kDatasetFiles / "types.parquet", {"struct", "text"});
  EXPECT_EQ(rows.at(0).dump(),
            "{\"text\":\"plain\",\"struct\":{\"text\":[\"p\",\"q\"],\"label\":[\"A\",\"B\"]}}");
  const Error error = error_of([&] { rows_of(kDatasetFiles / "piqa.parquet", {"text"}); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(),
              HasSubstr("piqa.parquet: Parquet cannot be read: it has no column 'text'; "
                        "it has goal, sol1, sol2, label"));
}

TEST_F(ParquetRows, RefuseWhatIsNoParquet) {
  for (const std::string bytes : {"PAR1garbagePAR1", "PAR1", "no Parquet at all", "PAR1PAR1PAR1"})
    EXPECT_EQ(read_or_refuse(bytes), std::nullopt) << bytes;
  EXPECT_THAT(error_of([&] { rows_of(folder_ / "none.parquet"); }).what(),
              HasSubstr("none.parquet"));
}

TEST_F(ParquetRows, RefuseEveryTruncation) {
  const std::string whole = read_file(kDatasetFiles / "types_plain.parquet");
  for (size_t size = 1; size < whole.size(); size += 11)
    EXPECT_EQ(read_or_refuse(std::string_view(whole).substr(0, size)), std::nullopt) << size;
}

TEST_F(ParquetRows, SurviveChangedBytes) {
  flip("types.parquet", 1, 150);
  flip("types_plain.parquet", 2, 150);
  flip("arc.parquet", 3, 150);
}

TEST_F(ParquetRows, AreWhatPyarrowWritesNowInEveryCodec) {
  const std::string python = python_with_pyarrow();
  if (python.empty()) GTEST_SKIP() << "there is no Python with pyarrow";
  const std::string run =
      text("'", python, "' '", PLUMB_SOURCE_DIR,
           "/fixtures/golden/make_dataset_files.py' --more --out '", (folder_ / "made").string(),
           "' > '", (folder_ / "log").string(), "' 2>&1");
  ASSERT_EQ(std::system(run.c_str()), 0) << read_file(folder_ / "log");
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "made")) {
    if (!entry.path().filename().string().starts_with("types")) continue;
    expect_types(entry.path());
    ++files;
  }
  EXPECT_EQ(files, 14);
  EXPECT_EQ(Row::parse(read_file(folder_ / "made/rows.json")).at("types"), expected().at("types"));
  const auto many = rows_of(folder_ / "made/many.parquet");
  ASSERT_EQ(many.size(), 5000u);
  for (size_t i = 0; i < many.size(); ++i) EXPECT_EQ(many[i].at("i"), i);
}

class ParquetRowsLong : public ParquetRows {};

TEST_F(ParquetRowsLong, SurviveChangedBytesOfEveryFile) {
  uint64_t seed = 100;
  for (const auto& entry : fs::directory_iterator(kDatasetFiles))
    if (entry.path().extension() == ".parquet") flip(entry.path().filename(), ++seed, 5'000);
}

// What a build without Arrow says. The plug-in's place is looked up once, so this asks a process of its own.
TEST(ParquetRowsDeathTest, NameWhatIsMissingWithoutThePlugin) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        ::setenv("PLUMB_PARQUET_PLUGIN", "/nonexistent/libplumb_parquet.so", 1);
        try {
          open_rows(kDatasetFiles / "types.parquet");
        } catch (const Error& error) {
          std::fputs(error.what(), stderr);
          std::_Exit(error.exit_code());
        }
        std::_Exit(0);
      },
      ::testing::ExitedWithCode(6),
      "Parquet cannot be read here: 'libplumb_parquet.so' does not load.*PLUMB_ARROW_DIR");
}

}  // namespace
}  // namespace plumb::harness
