#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "base/file.h"
#include "base/testing.h"
#include "harness/fetch/cache.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using plumb::testing::error_of;
using plumb::testing::TemporaryFolder;

const std::string kCommit(40, 'c');
const std::string kContent = "hello\n";
const std::string kGitName = "ce013625030ba8dba906f756967f9e9ca394464a";  // git hash-object
const StopFlag kGoOn = false;

HubId model() { return parse_hub_id("org/name", RepositoryKind::kModel); }

std::span<const std::byte> bytes_of(const std::string& word) {
  return std::as_bytes(std::span(word));
}

TEST(HubCache, HasHuggingFacesLayout) {
  const RepositoryCache cache("/cache", model());
  EXPECT_EQ(cache.folder(), "/cache/models--org--name");
  EXPECT_EQ(cache.blob("e"), "/cache/models--org--name/blobs/e");
  EXPECT_EQ(cache.part("e"), "/cache/models--org--name/blobs/e.incomplete");
  EXPECT_EQ(cache.lock("e"), "/cache/.locks/models--org--name/e.lock");
  EXPECT_EQ(cache.snapshot("c"), "/cache/models--org--name/snapshots/c");
  EXPECT_EQ(cache.reference("refs/pr/1"), "/cache/models--org--name/refs/refs/pr/1");
  EXPECT_EQ(cache_folder_name(parse_hub_id("allenai/c4", RepositoryKind::kDataset)),
            "datasets--allenai--c4");
}

TEST(HubCache, RemembersWhatARevisionMeant) {
  const TemporaryFolder folder;
  const RepositoryCache cache(folder.path(), model());
  EXPECT_FALSE(cache.commit_of("main"));
  EXPECT_EQ(cache.commit_of(kCommit), kCommit);
  cache.remember("refs/pr/1", kCommit);
  EXPECT_EQ(cache.commit_of("refs/pr/1"), kCommit);
  EXPECT_EQ(read_file(cache.reference("refs/pr/1")), kCommit);
  write_file_atomically(cache.reference("damaged"), "../../x");
  EXPECT_FALSE(cache.commit_of("damaged"));
}

TEST(HubCache, PlacesARelativeLinkOrACopy) {
  const TemporaryFolder folder;
  const RepositoryCache cache(folder.path(), model());
  cache.make_folders();
  write_file_atomically(cache.blob(kGitName), kContent);
  cache.place(kCommit, "sub/deep/file", kGitName, true);
  const fs::path file = cache.snapshot(kCommit) / "sub/deep/file";
  EXPECT_EQ(fs::read_symlink(file), "../../../../blobs/" + kGitName);
  EXPECT_EQ(read_file(file), kContent);
  cache.place(kCommit, "sub/deep/file", kGitName, false);
  EXPECT_FALSE(fs::is_symlink(file));
  EXPECT_EQ(read_file(file), kContent);
  EXPECT_EQ(std::distance(fs::directory_iterator(file.parent_path()), {}), 1)
      << "a temporary file stayed";
}

TEST(HubCache, NamesTheDiskWhereItCannotWrite) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "models--org--name", "a file where the folder should be");
  const RepositoryCache cache(folder.path(), model());
  const Error error = error_of([&] { cache.make_folders(); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_NE(std::string(error.what()).find("models--org--name"), std::string::npos);
}

TEST(HubPartialFile, GoesOnWhereAnotherProcessStopped) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "part", "hel");
  PartialFile part(folder / "part", kGitName, kContent.size(), kGoOn);
  EXPECT_EQ(part.size(), 3u);
  part.append(bytes_of("lo\n"));
  EXPECT_TRUE(part.is_right());
  part.publish(folder / "blob");
  EXPECT_EQ(read_file(folder / "blob"), kContent);
  EXPECT_FALSE(fs::exists(folder / "part"));
}

TEST(HubPartialFile, IsNotRightWithOtherBytesOrAnotherLength) {
  const TemporaryFolder folder;
  PartialFile part(folder / "part", kGitName, kContent.size(), kGoOn);
  part.append(bytes_of("hell"));
  EXPECT_FALSE(part.is_right());
  part.append(bytes_of("a\n"));
  EXPECT_FALSE(part.is_right());
  part.restart();
  EXPECT_EQ(part.size(), 0u);
  part.append(bytes_of(kContent));
  EXPECT_TRUE(part.is_right());
  const std::string sha =
      "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";  // sha256sum
  PartialFile other(folder / "other", sha, kContent.size(), kGoOn);
  other.append(bytes_of(kContent));
  EXPECT_TRUE(other.is_right());
}

TEST(HubPartialFile, DropsWhatIsLongerThanTheFile) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "part", "longer than it should be");
  const PartialFile part(folder / "part", kGitName, kContent.size(), kGoOn);
  EXPECT_EQ(part.size(), 0u);
  EXPECT_EQ(fs::file_size(folder / "part"), 0u);
}

TEST(HubPartialFile, DoesNotFollowALinkThatSomebodyPutThere) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "precious", "data");
  fs::create_symlink(folder / "precious", folder / "part");
  EXPECT_EQ(error_of([&] { PartialFile(folder / "part", kGitName, 6, kGoOn); }).kind(),
            ErrorKind::kResource);
  EXPECT_EQ(read_file(folder / "precious"), "data");
}

TEST(HubPartialFile, SaysThatTheDiskIsFullAndKeepsWhatItHas) {
  const TemporaryFolder folder;
  PartialFile part(folder / "part", kGitName, 1 << 20, kGoOn);
  const plumb::testing::FileSizeLimit limit(4096);
  const Error error = error_of([&] { part.append(bytes_of(std::string(8192, 'x'))); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_EQ(fs::file_size(folder / "part"), 4096u);
}

TEST(HubPartialFile, HasThePermissionsOfTheUmask) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(0027);
  { const PartialFile part(folder / "part", kGitName, 1, kGoOn); }
  ::umask(before);
  struct stat status = {};
  ASSERT_EQ(::stat((folder / "part").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(HubLock, LetsOneInAtATime) {
  const TemporaryFolder folder;
  auto first = std::make_unique<FileLock>(folder / "lock", kGoOn);
  ASSERT_TRUE(first->is_held());
  std::atomic<bool> entered = false;
  std::thread second([&] {
    const FileLock lock(folder / "lock", kGoOn);
    entered = lock.is_held();
  });
  EXPECT_FALSE(entered);
  first.reset();
  second.join();
  EXPECT_TRUE(entered);
}

TEST(HubLock, StopsWaitingWhenAsked) {
  const TemporaryFolder folder;
  const FileLock first(folder / "lock", kGoOn);
  const StopFlag stop = true;
  EXPECT_THROW(FileLock(folder / "lock", stop), Stopped);
}

TEST(HubSpace, IsKnownForAFolderThatIsNotThereYet) {
  const TemporaryFolder folder;
  EXPECT_GT(free_bytes(folder / "not/yet"), 0u);
}

}  // namespace
}  // namespace plumb::harness
