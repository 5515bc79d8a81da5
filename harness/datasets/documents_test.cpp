#include "harness/datasets/documents.h"

#include <gmock/gmock.h>

#include "base/hash.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "harness/cli/program_testing.h"
#include "harness/datasets/rows_testing.h"

namespace plumb::harness {
namespace {

using plumb::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace testing;

class Documents : public TinyCase {
 protected:
  fs::path file(const std::string& name, std::string_view bytes) const {
    return written(path(name), bytes);
  }
  std::vector<std::string> texts(const fs::path& document_file) const {
    std::vector<std::string> all;
    for (const auto& document : read_documents(document_file)) {
      EXPECT_EQ(document.line, static_cast<int64_t>(all.size()));
      all.push_back(document.text);
    }
    return all;
  }
};

TEST_F(Documents, AreTheSameInEveryFormat) {
  const std::string lines =
      "{\"text\": \"one\", \"url\": \"u\"}\n{\"text\": \"t,\\\"w\\\"\\no\"}\n";
  const auto same = ElementsAre("one", "t,\"w\"\no");
  EXPECT_THAT(texts(file("a.jsonl", lines)), same);
  EXPECT_THAT(texts(file("a.json.gz", gzipped(lines))), same);
  EXPECT_THAT(texts(file("a.jsonl.gz", gzipped(lines))), same);
  const std::string csv = "id,text\r\n1,one\r\n2,\"t,\"\"w\"\"\no\"\r\n";
  EXPECT_THAT(texts(file("a.csv", csv)), same);
  EXPECT_THAT(texts(file("a.csv.gz", gzipped(csv))), same);
  EXPECT_THAT(texts(file("a.txt", "one\n\ntwo\nlines\n")), ElementsAre("one", "two\nlines"));
}

TEST_F(Documents, OfParquetAreItsTextColumn) {
  if (const std::string why = no_parquet(); !why.empty()) GTEST_SKIP() << why;
  const Error null = error_of([&] { texts(kDatasetFiles / "types.parquet"); });
  EXPECT_THAT(null.what(), HasSubstr("types.parquet: row 3 has a 'text' of type null"));
  const Error none = error_of([&] { texts(kDatasetFiles / "piqa.parquet"); });
  EXPECT_THAT(none.what(), HasSubstr("it has no column 'text'; it has goal"));
}

TEST_F(Documents, NameFileAndRowOnce) {
  const Error error = error_of([&] { texts(file("a.csv", "id,txt\n1,x\n")); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_STREQ(error.what(), "a.csv: line 2 has no column 'text'; needed is text in it");
  EXPECT_THAT(error_of([&] { texts(file("b.csv", "id,text\n")); }).what(),
              HasSubstr("holds no document"));
}

// The same batch, but for the file it names, whatever format the documents are in.
TEST_F(Documents, GiveTheSameBatchFromTheCommandLine) {
  std::string csv = "text\n";
  for (const auto& document : models::read_documents(text_file())) csv += document.text + "\n";
  const auto table = file("table.csv", csv);
  const auto profiled = [&](const std::string& documents, const std::string& out_folder) {
    const auto result = plumb({"profile", "--model", model(), "--documents", documents,
                               "--max-tokens", "32", "--limit", "16", "--out", path(out_folder)});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return read_file(path(out_folder + "/distances.csv"));
  };
  EXPECT_EQ(profiled(table, "b"), profiled(text_file(), "a"));
}

// What is hashed is what is read, even where the name has come to mean another file between both.
TEST_F(Documents, AndTheirHashAreOfTheFileThatWasOpened) {
  const std::string first = read_file(text_file());
  const fs::path name = file("documents.jsonl", first);
  const InputFile opened(name);
  write_file_atomically(name, "{\"text\": \"another file\"}\n");
  const auto tokenizer = models::Tokenizer::open(model());
  const models::TokenBatch batch = harness::select_documents(opened, tokenizer, 32, 4);
  EXPECT_EQ(batch.sha256, sha256_hex(first));
  EXPECT_EQ(batch.tokens,
            harness::select_documents(InputFile(text_file()), tokenizer, 32, 4).tokens);
}

}  // namespace
}  // namespace plumb::harness
