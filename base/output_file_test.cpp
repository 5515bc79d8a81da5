#include "base/output_file.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/testing.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using testing::error_of;
using testing::FileSizeLimit;
using testing::TemporaryFolder;

size_t entries(const fs::path& folder) {
  return static_cast<size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(OutputFile, HoldsItsPiecesOneAfterTheOther) {
  const TemporaryFolder folder;
  OutputFile file(folder / "f");
  file.write("one ");
  file.write("");
  file.write(std::as_bytes(std::span("two", 3)));
  file.finish();
  EXPECT_EQ(read_file(folder / "f"), "one two");
}

TEST(OutputFile, GoesWhereItWasNotFinished) {
  const TemporaryFolder folder;
  { OutputFile(folder / "f").write("part"); }
  EXPECT_EQ(entries(folder.path()), 0u);
}

TEST(OutputFile, TakesNoFileThatIsThere) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "f", "old");
  EXPECT_EQ(error_of([&] { OutputFile{folder / "f"}; }).kind(), ErrorKind::kResource);
  EXPECT_EQ(read_file(folder / "f"), "old");
}

TEST(OutputFile, LeavesNothingOnAFullDisk) {
  const TemporaryFolder folder;
  const FileSizeLimit full(8192);
  const Error error = error_of([&] {
    OutputFile file(folder / "f");
    for (int i = 0; i < 10; ++i) file.write(std::string(4096, 'x'));
  });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_NE(std::string(error.what()).find("too large"), std::string::npos) << error.what();
  EXPECT_EQ(entries(folder.path()), 0u);
}

TEST(NewFolder, AppearsWholeAtPublish) {
  const TemporaryFolder folder;
  NewFolder fresh(folder / "a/b/c/");
  write_file_atomically(fresh.path() / "f", "content");
  EXPECT_FALSE(fs::exists(folder / "a/b/c"));
  fresh.publish();
  EXPECT_EQ(read_file(folder / "a/b/c/f"), "content");
  EXPECT_EQ(entries(folder / "a/b"), 1u);
}

TEST(NewFolder, TakesThePlaceOfAnEmptyOneAlsoThroughALink) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "empty");
  fs::create_directory_symlink(folder / "empty", folder / "link");
  NewFolder fresh(folder / "link");
  write_file_atomically(fresh.path() / "f", "content");
  fresh.publish();
  EXPECT_EQ(read_file(folder / "empty/f"), "content");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
}

TEST(NewFolder, LeavesNothingWhenItIsNotPublishedNotEvenParents) {
  const TemporaryFolder folder;
  {
    const NewFolder fresh(folder / "a/b/c");
    write_file_atomically(fresh.path() / "f", "content");
  }
  EXPECT_EQ(entries(folder.path()), 0u);
}

TEST(NewFolder, KeepsParentsThatOthersUseMeanwhile) {
  const TemporaryFolder folder;
  {
    const NewFolder fresh(folder / "a/b/c");
    write_file_atomically(folder / "a/mine", "content");
  }
  EXPECT_FALSE(fs::exists(folder / "a/b"));
  EXPECT_EQ(read_file(folder / "a/mine"), "content");
}

TEST(NewFolder, RefusesWhatIsThere) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "f", "content");
  for (const fs::path& taken : {folder.path(), folder / "f"}) {
    const Error error = error_of([&] { NewFolder{taken}; });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(error.what()).find(taken.string()), std::string::npos);
  }
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(NewFolder, NamesAPlaceThatCannotBeWritten) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "f", "content");
  for (const fs::path& where :
       {folder / "f/x", folder / "f/x/y", fs::path("/proc/none/x"), fs::path()}) {
    const Error error = error_of([&] { NewFolder{where}; });
    EXPECT_EQ(error.kind(), ErrorKind::kResource) << where;
    EXPECT_NE(std::string(error.what()).find(where.string()), std::string::npos);
  }
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(NewFolder, RemovesWhatAKilledProcessLeftAndNothingElse) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const NewFolder fresh(folder / "target");
    ::_exit(0);  // no destructor runs
  }
  ASSERT_GT(child, 0);
  ::waitpid(child, nullptr, 0);
  ASSERT_EQ(entries(folder.path()), 1u);
  write_file_atomically(folder / text(".other.", child, ".0.tmp"), "of another target");
  fs::create_directory(folder / text(".target.", ::getpid(), ".x.tmp"));  // of a process at work
  { const NewFolder fresh(folder / "target"); }
  EXPECT_EQ(entries(folder.path()), 2u);
}

}  // namespace
}  // namespace plumb
