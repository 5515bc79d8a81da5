#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <thread>
#include <vector>

#include "base/testing.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using testing::error_of;
using testing::TemporaryFolder;

size_t entries(const fs::path& folder) {
  return static_cast<size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(ReadFile, GivesBackEveryByteThatWasWritten) {
  const TemporaryFolder folder;
  std::string content;
  for (int i = 0; i < 100000; ++i) content += static_cast<char>(i * 31 % 256);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4095}, size_t{4096}, content.size()}) {
    write_file_atomically(folder / "f", content.substr(0, size));
    EXPECT_EQ(read_file(folder / "f"), content.substr(0, size));
  }
}

TEST(ReadFile, NamesWhatIsMissingOrNoFile) {
  const TemporaryFolder folder;
  const Error missing = error_of([&] { read_file(folder / "absent"); });
  EXPECT_EQ(missing.kind(), ErrorKind::kInput);
  EXPECT_NE(std::string(missing.what()).find("absent': No such file"), std::string::npos)
      << missing.what();
  const Error directory = error_of([&] { read_file(folder.path()); });
  EXPECT_EQ(directory.kind(), ErrorKind::kInput);
  EXPECT_NE(std::string(directory.what()).find("is a folder"), std::string::npos)
      << directory.what();
}

TEST(WriteFileAtomically, ReplacesTheOldContentAndLeavesNoTemporaryFile) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "f", "old and long");
  write_file_atomically(folder / "f", "new");
  EXPECT_EQ(read_file(folder / "f"), "new");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(WriteFileAtomically, LeavesNothingWhereItFails) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "taken");  // a rename over a folder fails
  const Error error = error_of([&] { write_file_atomically(folder / "taken", "x"); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_NE(std::string(error.what()).find("taken"), std::string::npos);
  EXPECT_EQ(entries(folder.path()), 1u);
  EXPECT_EQ(error_of([&] { write_file_atomically(folder / "no/such/folder", "x"); }).kind(),
            ErrorKind::kResource);
}

TEST(WriteFileAtomically, KeepsTheOldContentWhenAWriteStopsHalfWay) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "f", "old");
  struct rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);  // then the write fails with EFBIG
  const struct rlimit small = {.rlim_cur = 1000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Error error =
      error_of([&] { write_file_atomically(folder / "f", std::string(5000, 'n')); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_NE(std::string(error.what()).find("File too large"), std::string::npos) << error.what();
  EXPECT_EQ(read_file(folder / "f"), "old");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(WriteFileAtomically, ShowsAReaderOnlyWholeVersions) {
  const TemporaryFolder folder;
  const std::string a(300000, 'a'), b(200000, 'b');
  write_file_atomically(folder / "f", a);
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) write_file_atomically(folder / "f", i % 2 == 0 ? b : a);
  });
  for (int i = 0; i < 200; ++i) {
    const std::string seen = read_file(folder / "f");
    EXPECT_TRUE(seen == a || seen == b) << seen.size() << " bytes";
  }
  writer.join();
}

TEST(WriteFileAtomically, HonoursTheUsersFileMask) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(027);
  write_file_atomically(folder / "f", "x");
  ::umask(before);
  struct stat status = {};
  ASSERT_EQ(::stat((folder / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(RequireWritableFolder, MakesTheFolderAndLeavesItEmpty) {
  const TemporaryFolder folder;
  require_writable_folder(folder / "a/b");
  EXPECT_TRUE(fs::is_empty(folder / "a/b"));
}

TEST(RequireWritableFolder, RefusesAFileInTheWayAndAReadOnlyPlace) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "file", "x");
  EXPECT_EQ(error_of([&] { require_writable_folder(folder / "file"); }).kind(),
            ErrorKind::kResource);
  EXPECT_EQ(error_of([&] { require_writable_folder(folder / "file/below"); }).kind(),
            ErrorKind::kResource);
  // /proc refuses new entries even to root.
  const Error error = error_of([] { require_writable_folder("/proc/plumb"); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_NE(std::string(error.what()).find("choose another output folder"), std::string::npos);
}

TEST(MappedFile, ShowsTheFilesBytesAndKeepsThemWhenTheFileIsReplaced) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "f", "weights");
  MappedFile first(folder / "f");
  write_file_atomically(folder / "f", "others!");
  MappedFile moved(std::move(first));
  const auto bytes = moved.bytes();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "weights");
  EXPECT_TRUE(first.bytes().empty());  // NOLINT(bugprone-use-after-move): the contract says empty
}

TEST(MappedFile, RefusesWhatIsEmptyMissingOrNoRegularFile) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "empty", "");
  EXPECT_EQ(error_of([&] { MappedFile(folder / "empty"); }).kind(), ErrorKind::kInput);
  EXPECT_EQ(error_of([&] { MappedFile(folder / "absent"); }).kind(), ErrorKind::kInput);
  EXPECT_EQ(error_of([&] { MappedFile(folder.path()); }).kind(), ErrorKind::kInput);
  EXPECT_EQ(error_of([] { MappedFile("/dev/null"); }).kind(), ErrorKind::kInput);
}

/// Resident bytes of the mapping that holds `address`, by /proc/self/smaps.
int64_t resident_bytes(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2)
      inside = begin <= reinterpret_cast<uintptr_t>(address) &&
               reinterpret_cast<uintptr_t>(address) < end;
    long kibibytes = 0;
    if (inside && std::sscanf(line.c_str(), "Rss: %ld kB", &kibibytes) == 1)
      return kibibytes * 1024;
  }
  return -1;
}

TEST(MappedFile, DropEndsTheResidenceOfWholePagesAndNotTheirBytes) {
  const TemporaryFolder folder;
  const std::string content(1 << 20, 'w');
  write_file_atomically(folder / "f", content);
  const MappedFile file(folder / "f");
  const auto bytes = file.bytes();
  const auto all_right = [&] {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{'w'}; });
  };
  ASSERT_TRUE(all_right());
  ASSERT_EQ(resident_bytes(bytes.data()), 1 << 20);
  file.drop(100, (1 << 19) + 100);  // all pages inside but the first, which the range enters late
  EXPECT_EQ(resident_bytes(bytes.data()), (1 << 19) + 4096);
  file.drop(0, 1 << 20);
  EXPECT_EQ(resident_bytes(bytes.data()), 0);
  EXPECT_TRUE(all_right());
  file.drop(7, 7);
  EXPECT_EQ(error_of([&] { file.drop(0, (1 << 20) + 1); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([&] { file.drop(2, 1); }).kind(), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
