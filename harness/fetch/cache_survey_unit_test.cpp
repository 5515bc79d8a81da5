#include <gtest/gtest.h>

#include "base/file.h"
#include "base/testing.h"
#include "harness/fetch/cache.h"
#include "harness/fetch/cache_survey.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using plumb::testing::error_of;

const std::string kCommit(40, 'c');
const std::string kContent = "hello\n";
const std::string kGitName = "ce013625030ba8dba906f756967f9e9ca394464a";  // git hash-object
const std::string kShaName = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

/// A cache with "org/name" at one commit, whose two files are right, and a part.
class HubCacheSurvey : public ::testing::Test {
 protected:
  void SetUp() override {
    layout_.make_folders();
    write_file_atomically(layout_.blob(kGitName), kContent);
    write_file_atomically(layout_.blob(kShaName), kContent);
    write_file_atomically(layout_.part(std::string(64, 'a')), "part");
    layout_.place(kCommit, "config.json", kGitName, true);
    layout_.place(kCommit, "sub/weights", kShaName, true);
    layout_.remember("main", kCommit);
    layout_.remember("refs/pr/1", kCommit);
  }
  fs::path cache() const { return folder_.path(); }
  CachedRepository only() const {
    const auto all = survey_cache(cache());
    EXPECT_EQ(all.size(), 1u);
    return all.at(0);
  }

  plumb::testing::TemporaryFolder folder_;
  RepositoryCache layout_{folder_.path(), parse_hub_id("org/name", RepositoryKind::kModel)};
};

TEST_F(HubCacheSurvey, FindsRevisionsBytesAndParts) {
  fs::create_directories(cache() / "spaces--org--other");  // not ours
  fs::create_directories(cache() / "models--..--x");
  const CachedRepository found = only();
  EXPECT_EQ(found.id.repository, "org/name");
  ASSERT_EQ(found.revisions.size(), 1u);
  EXPECT_EQ(found.revisions[0].commit, kCommit);
  EXPECT_EQ(found.revisions[0].references, (std::vector<std::string>{"main", "refs/pr/1"}));
  EXPECT_EQ(found.revisions[0].file_count, 2u);
  EXPECT_EQ(found.revisions[0].bytes, 2 * kContent.size());
  EXPECT_EQ(found.blob_bytes, 2 * kContent.size());
  EXPECT_EQ(found.partials.size(), 1u);
  EXPECT_EQ(found.partial_bytes, 4u);
}

TEST_F(HubCacheSurvey, OfNoCacheIsEmpty) { EXPECT_TRUE(survey_cache(cache() / "absent").empty()); }

TEST_F(HubCacheSurvey, VerifyingFindsEveryWrongByteAndEveryLinkThatLeadsElsewhere) {
  EXPECT_TRUE(verify_repository(only(), {}, {}).empty());
  write_file_atomically(layout_.blob(kGitName), "hellO\n");  // right size, wrong bytes
  auto faults = verify_repository(only(), {}, {});
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].file, layout_.blob(kGitName));
  fs::remove(layout_.blob(kShaName));
  fs::create_symlink("/etc/hostname", layout_.snapshot(kCommit) / "outside");
  write_file_atomically(layout_.blob("no-hash"), "x");
  faults = verify_repository(only(), {}, {});
  EXPECT_EQ(faults.size(), 4u) << "bytes, name, dangling link, link outside";
}

TEST_F(HubCacheSurvey, VerifyingCanBeStopped) {
  struct Stop {};
  EXPECT_THROW(verify_repository(only(), {}, [] { throw Stop{}; }), Stop);
}

TEST_F(HubCacheSurvey, RemovingPartsLeavesTheOneThatIsBeingFetched) {
  const StopFlag go_on = false;
  {
    const FileLock lock(layout_.lock(std::string(64, 'a')), go_on);
    EXPECT_EQ(remove_partials(cache(), only()), 0u);
  }
  EXPECT_EQ(remove_partials(cache(), only()), 4u);
  EXPECT_TRUE(only().partials.empty());
  EXPECT_EQ(only().blobs.size(), 2u);
}

TEST_F(HubCacheSurvey, RemovingARepositoryLeavesNothingUnlessItIsBeingFetched) {
  const StopFlag go_on = false;
  {
    const FileLock lock(layout_.lock(kGitName), go_on);
    EXPECT_EQ(error_of([&] { remove_repository(cache(), only()); }).kind(), ErrorKind::kResource);
    EXPECT_EQ(only().blobs.size(), 2u);
  }
  EXPECT_EQ(remove_repository(cache(), only()), 2 * kContent.size() + 4);
  EXPECT_TRUE(survey_cache(cache()).empty());
  EXPECT_TRUE(fs::is_empty(cache() / ".locks"));
}

}  // namespace
}  // namespace plumb::harness
