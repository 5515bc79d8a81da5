#include "harness/datasets/dataset.h"

#include <gmock/gmock.h>

#include "base/hash.h"
#include "harness/datasets/rows_testing.h"

namespace plumb::harness {
namespace {

using plumb::testing::error_of;
using plumb::testing::FileSizeLimit;
using plumb::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace testing;

using Named = std::vector<std::pair<std::string, std::string>>;  // path in the repository, bytes

std::string parquet(const std::string& name) {
  return read_file(kDatasetFiles / (name + ".parquet"));
}

class Datasets : public ::testing::Test {
 protected:
  Snapshot snapshot(const std::string& repository, const Named& files,
                    const std::string& commit = std::string(40, 'c')) const {
    Snapshot made;
    made.id = parse_dataset_id(repository);
    made.commit = commit;
    made.folder = folder_ / "snapshot";
    for (const auto& [name, bytes] : files) {
      const fs::path path = written(made.folder / name, bytes);
      made.files.push_back({name, path, bytes.size(), sha256_hex(bytes), false});
    }
    return made;
  }
  fs::path out() const { return folder_ / "data"; }
  Row manifest_of(const std::string& name) const {
    return Row::parse(read_file(out() / name / "manifest.json"));
  }
  /// The error of writing, which must leave nothing behind.
  Error refused(const Snapshot& from, bool all = true) const {
    const Error error = error_of([&] { write_dataset(from, out(), all); });
    EXPECT_FALSE(fs::exists(out())) << error.what();
    return error;
  }

  TemporaryFolder folder_;
};

void expect_questions(const fs::path& file, const std::string& name) {
  const Row expected = Row::parse(read_file(kDatasetFiles / "rows.json")).at("questions").at(name);
  std::string lines;
  for (const Row& row : expected) lines += row.dump() + "\n";
  EXPECT_EQ(read_file(file), lines) << name;
}

TEST_F(Datasets, BecomeQuestionFilesWhereDataIsLookedFor) {
  if (const std::string why = no_parquet(); !why.empty()) GTEST_SKIP() << why;
  const struct {
    const char *repository, *family, *from, *file, *name;
  } cases[] = {
      {"google/boolq", "boolq", "data/validation-00000-of-00001.parquet", "boolq_validation.jsonl",
       "boolq"},
      {"Rowan/hellaswag", "hellaswag", "data/validation-00000-of-00001.parquet",
       "hellaswag_validation.jsonl", "hellaswag"},
      {"ybisk/piqa", "piqa", "plain_text/validation/0000.parquet", "piqa_validation.jsonl", "piqa"},
      {"allenai/winogrande", "winogrande", "winogrande_xl/validation-00000-of-00001.parquet",
       "winogrande_validation.jsonl", "winogrande"}};
  for (const auto& one : cases) {
    const Dataset made =
        write_dataset(snapshot(one.repository, {{one.from, parquet(one.name)}}), out(), true);
    EXPECT_EQ(made.folder, out() / one.family);
    expect_questions(made.folder / one.file, one.name);
  }
  const auto arc = write_dataset(
      snapshot("allenai/ai2_arc", {{"ARC-Challenge/test-00000-of-00001.parquet", parquet("arc")},
                                   {"ARC-Easy/test-00000-of-00001.parquet", parquet("arc")}}),
      out(), true);
  expect_questions(arc.folder / "arc_easy_test.jsonl", "arc");
  expect_questions(arc.folder / "arc_challenge_test.jsonl", "arc");
}

TEST_F(Datasets, SayInAManifestWhereTheyComeFrom) {
  if (const std::string why = no_parquet(); !why.empty()) GTEST_SKIP() << why;
  const std::string bytes = parquet("mmlu");
  const Dataset made =
      write_dataset(snapshot("cais/mmlu", {{"all/dev-00000-of-00001.parquet", bytes},
                                           {"all/test-00000-of-00002.parquet", bytes},
                                           {"all/test-00001-of-00002.parquet", bytes}}),
                    out(), true);
  ASSERT_EQ(made.files.size(), 2u);
  EXPECT_EQ(made.files[0].file, "mmlu_test.jsonl");
  EXPECT_EQ(made.files[0].rows, 6);
  EXPECT_EQ(made.files[0].published_rows, 14042);
  EXPECT_THAT(made.files[0].from,
              ElementsAre("all/test-00000-of-00002.parquet", "all/test-00001-of-00002.parquet"));
  const Row manifest = manifest_of("mmlu");
  EXPECT_EQ(manifest.at("repository"), "cais/mmlu");
  EXPECT_EQ(manifest.at("commit"), std::string(40, 'c'));
  EXPECT_EQ(manifest.at("preset_version"), 1);
  EXPECT_EQ(manifest.at("licence"), "MIT");
  EXPECT_EQ(manifest.at("read").at(0), Row({{"file", "all/dev-00000-of-00001.parquet"},
                                            {"bytes", bytes.size()},
                                            {"sha256", sha256_hex(bytes)}}));
  for (const Row& file : manifest.at("files")) {
    const auto path = out() / "mmlu" / file.at("file").get<std::string>();
    EXPECT_EQ(file.at("sha256"), sha256_of_file(path));
    EXPECT_EQ(file.at("bytes"), fs::file_size(path));
    EXPECT_EQ(file.at("rows"), rows_of(path).size());
  }
}

TEST_F(Datasets, OfC4AreTheTextsOfTheShardsThatAreChosen) {
  const auto shard = [](const std::string& words) {
    return gzipped("{\"text\": \"" + words + "\", \"timestamp\": \"t\", \"url\": \"u\"}\n");
  };
  const Named files{{"en/c4-train.00007-of-01024.json.gz", shard("seven")},
                    {"en/c4-train.00011-of-01024.json.gz", shard("eleven")}};
  const Dataset made = write_dataset(snapshot("allenai/c4", files), out(), false);
  EXPECT_EQ(read_file(made.folder / "c4_en_train.jsonl"),
            "{\"text\":\"seven\"}\n{\"text\":\"eleven\"}\n");
  EXPECT_THAT(
      dataset_files(parse_dataset_id("allenai/c4"), {}).patterns,
      ElementsAre("en/c4-train.00000-of-01024.json.gz", "en/c4-validation.00000-of-00008.json.gz"));
}

TEST_F(Datasets, WithoutAPresetKeepTheirColumns) {
  const Dataset made =
      write_dataset(snapshot("me/mine", {{"a/x.jsonl.gz", gzipped("{\"q\": 1, \"p\": [null]}\n")},
                                         {"b.csv", "u,v\n1,\"2\n3\"\n"}}),
                    out(), true);
  EXPECT_EQ(made.folder, out() / "me--mine");
  EXPECT_EQ(read_file(made.folder / "a/x.jsonl"), "{\"q\":1,\"p\":[null]}\n");
  EXPECT_EQ(read_file(made.folder / "b.jsonl"), "{\"u\":\"1\",\"v\":\"2\\n3\"}\n");
  EXPECT_EQ(manifest_of("me--mine").at("licence"), nullptr);
  EXPECT_FALSE(manifest_of("me--mine").contains("preset_version"));
}

TEST_F(Datasets, NameFileAndRowThatDoNotFitAndLeaveNothing) {
  const std::string good = gzipped("{\"text\": \"a\"}\n"),
                    bad = gzipped("{\"text\": \"a\"}\n{\"txt\": 1}\n");
  const Error misfit =
      refused(snapshot("allenai/c4", {{"en/c4-train.00000-of-01024.json.gz", good},
                                      {"en/c4-validation.00000-of-00008.json.gz", bad}}));
  EXPECT_EQ(misfit.kind(), ErrorKind::kInput);
  EXPECT_THAT(misfit.what(),
              HasSubstr("en/c4-validation.00000-of-00008.json.gz: line 2: 'text' is not there"));
  const Error torn = refused(snapshot("me/mine", {{"a.jsonl.gz", good.substr(0, 12)}}));
  EXPECT_THAT(torn.what(), HasSubstr("a.jsonl.gz: gzip data end before their check sum"));
  if (!no_parquet().empty()) return;
  const Error damaged =
      refused(snapshot("google/boolq", {{"data/validation-0.parquet", "PAR1garbagePAR1"}}));
  EXPECT_EQ(damaged.kind(), ErrorKind::kInput);
  EXPECT_THAT(damaged.what(), HasSubstr("data/validation-0.parquet"));
}

TEST_F(Datasets, NameTheFilesThatAreMissingOrUnknown) {
  const Named train{{"en/c4-train.00000-of-01024.json.gz", gzipped("{\"text\": \"a\"}\n")}};
  EXPECT_THAT(
      refused(snapshot("allenai/c4", train)).what(),
      HasSubstr(
          "has no file 'en/c4-validation.00000-of-00008.json.gz', which 'c4_en_validation.jsonl'"));
  EXPECT_THAT(refused(snapshot("allenai/c4", {{"README.md", "x"}}), false).what(),
              HasSubstr("knows nothing to make of 'README.md'; it takes 'en/c4-train.*.json.gz'"));
  EXPECT_THAT(refused(snapshot("me/mine", {{"README.md", "x"}})).what(),
              HasSubstr("'README.md' is in no format"));
  EXPECT_THAT(refused(snapshot("me/mine", {{"a.csv", "x\n1\n"}, {"a.jsonl", "{}"}})).what(),
              HasSubstr("would both be 'a.jsonl'"));
  EXPECT_THAT(refused(snapshot("me/mine", {})).what(), HasSubstr("has no file of rows"));
}

TEST_F(Datasets, AreNotWrittenTwiceAndReplaceNothing) {
  const Named files{{"a.jsonl", "{\"q\": 1}\n"}};
  EXPECT_FALSE(write_dataset(snapshot("me/mine", files), out(), true).was_there);
  const Dataset again = write_dataset(snapshot("me/mine", files), out(), true);
  EXPECT_TRUE(again.was_there);
  EXPECT_EQ(again.files.at(0).rows, 1);
  EXPECT_EQ(again.files.at(0).sha256, sha256_of_file(out() / "me--mine/a.jsonl"));

  const auto expect_kept = [&](const Snapshot& other) {
    const Error error = error_of([&] { write_dataset(other, out(), true); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("remove it or give another --out"));
    EXPECT_TRUE(fs::exists(out() / "me--mine/manifest.json"));
  };
  expect_kept(snapshot("me/mine", files, std::string(40, 'd')));
  expect_kept(snapshot("me/mine", {{"a.jsonl", "{\"q\": 2}\n"}}));
  written(out() / "me--mine/a.jsonl", "{\"q\": 1");  // cut short by somebody
  expect_kept(snapshot("me/mine", files));
}

TEST_F(Datasets, OnAFullDiskOrInterruptedLeaveNothing) {
  std::string lines;
  for (int i = 0; i < 10'000; ++i) lines += text("{\"row\": ", i, "}\n");
  const auto from = snapshot("me/mine", {{"a.jsonl", lines}});
  {
    const FileSizeLimit limit(50'000);
    EXPECT_EQ(refused(from).kind(), ErrorKind::kResource);
  }
  int64_t seen = 0;
  const auto stop = [&](int64_t rows) {
    seen = rows;
    throw Error(ErrorKind::kUsage, "stopped");
  };
  EXPECT_STREQ(error_of([&] { write_dataset(from, out(), true, stop); }).what(), "stopped");
  EXPECT_EQ(seen, 4096);
  EXPECT_FALSE(fs::exists(out()));
}

TEST(DatasetId, HasThePresetsRevisionWhereNoneIsNamed) {
  EXPECT_EQ(parse_dataset_id("ybisk/piqa").revision, "refs/convert/parquet");
  EXPECT_EQ(parse_dataset_id("ybisk/piqa@main").revision, "main");
  EXPECT_EQ(parse_dataset_id("me/mine").revision, "main");
  EXPECT_EQ(parse_dataset_id("me/mine").kind, RepositoryKind::kDataset);
  EXPECT_THAT(dataset_files(parse_dataset_id("me/mine"), {"x*"}).patterns, ElementsAre("x*"));
  EXPECT_THAT(dataset_files(parse_dataset_id("me/mine"), {}).patterns,
              ::testing::Contains("*.parquet"));
}

}  // namespace
}  // namespace plumb::harness
