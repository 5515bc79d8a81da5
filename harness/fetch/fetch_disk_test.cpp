// A disk that is full, not writable or of another kind, caches that others made, and work without the Hub.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "base/file.h"
#include "fixtures/formats/safetensors_file.h"
#include "fixtures/hub/hub_faults.h"
#include "harness/fetch/fetch_testing.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using namespace fixtures;  // the faults
using plumb::testing::error_of;
using testing::Ending;
using testing::fetch_one;
using testing::HubTrial;
using testing::kCommit;
using enum ErrorKind;

void expect_right(HubTrial& trial, const HubFile& file) {
  const Ending ending = fetch_one(trial, file);
  EXPECT_FALSE(ending.kind.has_value()) << ending.said;
}

// RLIMIT_FSIZE fails a write as a quota does, at any byte.
TEST(FetchDisk, ThatTakesNoMoreBytesIsAnErrorAndThePartIsGoneOnWith) {
  for (const rlim_t bytes : {0, 1, 700, 20'000, 49'999}) {
    SCOPED_TRACE(bytes);
    HubTrial trial;
    Ending ending;
    {
      const plumb::testing::FileSizeLimit limit(bytes);
      ending = fetch_one(trial, trial.large());
    }
    EXPECT_EQ(ending.kind, kResource) << ending.said;
    EXPECT_NE(ending.said.find("File too large"), std::string::npos) << ending.said;
    expect_right(trial, trial.large());
  }
}

/// A file system of its own for the cache; a reason where this process may not mount one.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& at, const char* options) : at_(at) {
    fs::create_directories(at);
    if (::mount("plumb_test", at.c_str(), "tmpfs", 0, options) != 0)
      reason_ = text("no file system can be mounted here: ", std::strerror(errno));
  }
  ~SmallDisk() {
    if (reason_.empty()) ::umount2(at_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  const std::string& reason() const { return reason_; }
  void make_read_only() const {
    ::mount("plumb_test", at_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr);
  }
  void make_larger() const { ::mount("plumb_test", at_.c_str(), "tmpfs", MS_REMOUNT, "size=1m"); }

 private:
  fs::path at_;
  std::string reason_;
};

TEST(FetchDisk, ThatIsTooSmallIsSaidBeforeAByteIsFetched) {
  HubTrial trial;
  const SmallDisk disk(trial.cache(), "size=40k");
  if (!disk.reason().empty()) GTEST_SKIP() << disk.reason();
  const Ending ending = fetch_one(trial, trial.large());
  EXPECT_EQ(ending.kind, kResource) << ending.said;
  for (const auto& request : trial.hub().requests())
    EXPECT_NE(request.port, trial.hub().cdn_port()) << request.target;
  disk.make_larger();
  expect_right(trial, trial.large());
}

TEST(FetchDisk, ThatFillsUpOnTheWayIsAnErrorAndThePartIsGoneOnWith) {
  HubTrial trial;
  const SmallDisk disk(trial.cache(), "size=80k");
  if (!disk.reason().empty()) GTEST_SKIP() << disk.reason();
  // Another program takes the space while the bytes come.
  trial.hub().on(testing::body_of(trial.large()), [&](const LoopbackRequest&, LoopbackResponse&) {
    put(trial.path("cache/models--other--one/blobs/x.incomplete"), std::string(40'000, 'x'));
  });
  const Ending ending = fetch_one(trial, trial.large());
  EXPECT_EQ(ending.kind, kResource) << ending.said;
  EXPECT_NE(ending.said.find("No space left"), std::string::npos) << ending.said;
  trial.hub().no_more_faults();
  disk.make_larger();
  expect_right(trial, trial.large());
}

TEST(FetchDisk, ThatIsReadOnlyIsAnErrorUnlessAllIsThere) {
  HubTrial trial;
  const SmallDisk disk(trial.cache(), "size=1m");
  if (!disk.reason().empty()) GTEST_SKIP() << disk.reason();
  expect_right(trial, trial.plain());
  disk.make_read_only();
  expect_right(trial, trial.plain());  // nothing is to be written
  const Ending ending = fetch_one(trial, trial.large());
  EXPECT_EQ(ending.kind, kResource) << ending.said;
}

TEST(FetchDisk, CacheThatCannotBeMadeIsAnError) {
  HubTrial trial;
  put(trial.path("cache"), "a file");
  trial.settings().cache = trial.path("cache") / "below";
  EXPECT_EQ(error_of([&] { trial.fetch("plain.json"); }).kind(), kResource);
  trial.settings().cache = trial.path("cache");
  EXPECT_EQ(error_of([&] { trial.fetch("plain.json"); }).kind(), kResource);
  trial.settings().cache = "/proc/plumb-cache";
  EXPECT_EQ(error_of([&] { trial.fetch("plain.json"); }).kind(), kResource);
  EXPECT_EQ(read_file(trial.path("cache")), "a file");
}

TEST(FetchDisk, CacheMayBeALinkAndHaveForeignLetters) {
  HubTrial trial;
  fs::create_directories(trial.path("cache real, \xc3\xa4"));
  fs::create_directory_symlink(trial.path("cache real, \xc3\xa4"), trial.path("cache"));
  expect_right(trial, trial.plain());
  expect_right(trial, trial.large());
  testing::expect_sound_cache(trial.path("cache real, \xc3\xa4"));
}

TEST(FetchDisk, WithoutLinksHoldsCopies) {
  HubTrial trial;
  trial.settings().links = false;
  for (const HubFile* file : {&trial.plain(), &trial.large()}) {
    expect_right(trial, *file);
    const auto placed = trial.cache() / "models--org--model" / "snapshots" / kCommit / file->name;
    EXPECT_FALSE(fs::is_symlink(placed));
    expect_right(trial, *file);
  }
}

TEST(FetchDisk, FilesHaveTheModeThatTheUserAsksFor) {
  const mode_t before = ::umask(027);
  HubTrial trial;
  expect_right(trial, trial.large());
  ::umask(before);
  struct stat status = {};
  ASSERT_EQ(::stat(trial.blob(trial.large()).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640U);
}

// What the cache may look like after others, a full disk or a power cut.
TEST(FetchCache, IsMadeWholeAgain) {
  const std::pair<const char*, void (*)(HubTrial&)> harms[] = {
      {"a link that leads nowhere", [](HubTrial& t) { fs::remove(t.blob(t.large())); }},
      {"a blob that was cut", [](HubTrial& t) { fs::resize_file(t.blob(t.large()), 1000); }},
      {"an empty blob", [](HubTrial& t) { fs::resize_file(t.blob(t.large()), 0); }},
      {"no snapshot",
       [](HubTrial& t) { fs::remove_all(t.cache() / "models--org--model/snapshots"); }},
      {"no refs", [](HubTrial& t) { fs::remove_all(t.cache() / "models--org--model/refs"); }},
      {"a ref that is none",
       [](HubTrial& t) { put(t.cache() / "models--org--model/refs/main", "x/../y"); }},
      {"no locks", [](HubTrial& t) { fs::remove_all(t.cache() / ".locks"); }},
      {"a stale lock",
       [](HubTrial& t) {
         fs::remove(t.blob(t.large()));
         put(t.cache() / ".locks/models--org--model" / (t.large().hash + ".lock"), "4711");
       }},
      {"a wrong file in the snapshot's place",
       [](HubTrial& t) {
         const auto link = t.cache() / "models--org--model/snapshots" / kCommit / t.large().name;
         fs::remove(link);
         put(link, "not the Hub's");
       }},
  };
  for (const auto& [name, harm] : harms) {
    SCOPED_TRACE(name);
    HubTrial trial;
    expect_right(trial, trial.large());
    harm(trial);
    expect_right(trial, trial.large());
  }
}

// What lies where the part would be must not be written through.
TEST(FetchCache, WritesThroughNoLinkOfAPart) {
  HubTrial trial;
  put(trial.path("cache-outside"), "somebody's file");
  fs::create_directories(trial.incomplete(trial.large()).parent_path());
  fs::create_symlink(trial.path("cache-outside"), trial.incomplete(trial.large()));
  fetch_one(trial, trial.large());
  EXPECT_EQ(read_file(trial.path("cache-outside")), "somebody's file");
}

TEST(FetchCache, WaitsForTheLockOfAnother) {
  HubTrial trial;
  const auto path = trial.cache() / ".locks/models--org--model" / (trial.large().hash + ".lock");
  put(path, "");
  const int lock = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  std::atomic<bool> released = false;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    released = true;
    ::close(lock);
  });
  trial.hub().on(testing::body_of(trial.large()), [&](const LoopbackRequest&, LoopbackResponse&) {
    EXPECT_TRUE(released) << "the bytes were asked for while another held the lock";
  });
  expect_right(trial, trial.large());
  other.join();
}

// Ctrl-C comes as an exception out of `between`, also while a lock is waited for.
TEST(FetchCache, StopsWhileItWaitsAndWhileBytesCome) {
  struct Stop {};
  for (const bool locked : {false, true}) {
    HubTrial trial;
    const auto path = trial.cache() / ".locks/models--org--model" / (trial.large().hash + ".lock");
    put(path, "");
    const int lock = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (locked) {
      ASSERT_EQ(::flock(lock, LOCK_EX), 0);
    }
    trial.settings().stall_timeout = std::chrono::seconds(60);
    trial.hub().on(testing::body_of(trial.large()), cut_at(0.5, LoopbackResponse::Ending::kStall));
    int calls = 0;
    const auto between = [&] {
      if (++calls == 3) throw Stop{};
    };
    EXPECT_THROW(
        harness::fetch(trial.settings(), {"org/model"}, {{trial.large().name}}, {}, between), Stop);
    ::close(lock);
    trial.expect_sound_cache();
    trial.hub().no_more_faults();
    expect_right(trial, trial.large());
  }
}

TEST(FetchOffline, GivesWhatTheCacheHoldsAndAsksNobody) {
  HubTrial trial;
  expect_right(trial, trial.large());
  trial.hub().forget_requests();
  trial.settings().offline = true;
  expect_right(trial, trial.large());
  const Ending missing = fetch_one(trial, trial.plain());
  EXPECT_EQ(missing.kind, kNetwork) << missing.said;
  EXPECT_NE(missing.said.find("plain.json"), std::string::npos) << missing.said;
  EXPECT_TRUE(trial.hub().requests().empty());
}

TEST(FetchOffline, IsWhatRemainsWhereTheHubCannotBeReached) {
  HubTrial trial;
  expect_right(trial, trial.large());
  trial.settings().endpoint = "http://127.0.0.1:1";  // tcpmux: nothing listens
  expect_right(trial, trial.large());
  const Ending missing = fetch_one(trial, trial.plain());
  EXPECT_EQ(missing.kind, kNetwork) << missing.said;
}

}  // namespace
}  // namespace plumb::harness
