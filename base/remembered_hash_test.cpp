#include "base/remembered_hash.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/error.h"
#include "base/hash.h"
#include "base/testing.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using testing::error_of;
using testing::TemporaryFolder;
using testing::Variable;

/// Until the next write of a file that was just written would change its times.
void settle() { std::this_thread::sleep_for(std::chrono::milliseconds(60)); }

class RememberedHash : public ::testing::Test {
 protected:
  fs::path put(const std::string& name, const std::string& content) {
    write_file_atomically(folder_ / name, content);
    return folder_ / name;
  }
  size_t entries() const {
    const fs::path hashes = folder_ / "cache/plumb/hashes";
    if (!fs::exists(hashes)) return 0;
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(hashes), fs::directory_iterator()));
  }
  fs::path only_entry() const { return *fs::directory_iterator(folder_ / "cache/plumb/hashes"); }
  /// What is remembered of the only entry becomes another hash: who gets it has not read the file.
  std::string plant() {
    const std::string planted = sha256_hex("planted");
    const std::string entry = read_file(only_entry());
    write_file_atomically(only_entry(), planted + entry.substr(64));
    return planted;
  }

  const TemporaryFolder folder_;
  const Variable cache_{"XDG_CACHE_HOME", folder_ / "cache"};
};

TEST_F(RememberedHash, ReadsAFileOnceWhileItStaysAsItIs) {
  const fs::path file = put("f", std::string(3u << 20, 'x'));
  settle();
  EXPECT_EQ(remembered_sha256(file), sha256_of_file(file));
  ASSERT_EQ(entries(), 1u);
  const std::string planted = plant();
  EXPECT_EQ(remembered_sha256(file), planted);
  // By whatever path it is reached, and from an open file as well.
  fs::create_symlink(file, folder_ / "link");
  EXPECT_EQ(remembered_sha256(folder_ / "link"), planted);
  EXPECT_EQ(remembered_sha256(InputFile(file)), planted);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(RememberedHash, ReadsAgainWhateverWasDoneToTheFile) {
  const fs::path file = put("f", "one");
  const auto write_in_place = [&](const std::string& content) {
    const int opened = ::open(file.c_str(), O_WRONLY);
    ASSERT_EQ(::pwrite(opened, content.data(), content.size(), 0),
              static_cast<ssize_t>(content.size()));
    ::close(opened);
  };
  const std::vector<std::function<void()>> changes = {
      [&] { write_in_place("two"); },
      [&] {  // and the time of the write put back
        struct stat before = {};
        ::stat(file.c_str(), &before);
        write_in_place("six");
        const timespec times[] = {before.st_atim, before.st_mtim};
        ::utimensat(AT_FDCWD, file.c_str(), times, 0);
      },
      [&] { put("f", "ten"); },
      [&] {
        put("other", "old");
        settle();
        fs::rename(folder_ / "other", file);
      },
      [&] { fs::resize_file(file, 2); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    settle();
    remembered_sha256(file);
    ASSERT_EQ(entries(), 1u);
    plant();
    changes[i]();
    EXPECT_EQ(remembered_sha256(file), sha256_of_file(file)) << "change " << i;
  }
}

TEST_F(RememberedHash, RemembersNothingOfAFileThatWasJustWritten) {
  const fs::path file = put("f", "one");
  EXPECT_EQ(remembered_sha256(file), sha256_hex("one"));
  EXPECT_EQ(entries(), 0u);
  // A file system that stamps whole seconds: another write in the same one would not show.
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const timespec whole[] = {{now + 1000, 0}, {now + 1000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), whole, 0), 0);
  settle();
  EXPECT_EQ(remembered_sha256(file), sha256_hex("one"));
  EXPECT_EQ(entries(), 0u);
}

TEST_F(RememberedHash, TakesNoEntryThatIsDamaged) {
  const fs::path file = put("f", "one");
  settle();
  remembered_sha256(file);
  const std::string whole = read_file(only_entry());
  const std::string other = sha256_hex("planted");
  for (const std::string& damaged :
       {std::string(), whole.substr(0, 63), "X" + whole.substr(1), whole + "\n",
        other + whole.substr(64, whole.size() - 66) + "\n",
        other.substr(0, 60) + whole.substr(60, 3)}) {
    write_file_atomically(only_entry(), damaged);
    EXPECT_EQ(remembered_sha256(file), sha256_hex("one")) << damaged;
  }
}

TEST_F(RememberedHash, WorksWithoutAPlaceToRemember) {
  const fs::path file = put("f", "one");
  settle();
  for (const char* cache : {"/dev/null", "relative", ""}) {
    const Variable nowhere("XDG_CACHE_HOME", cache);
    const Variable home("HOME", "/dev/null");
    EXPECT_EQ(remembered_sha256(file), sha256_hex("one"));
    remember_sha256(file, sha256_hex("one"));
  }
  EXPECT_EQ(entries(), 0u);
  EXPECT_EQ(error_of([&] { remembered_sha256(folder_ / "absent"); }).kind(), ErrorKind::kInput);
}

TEST_F(RememberedHash, TakesTheWordOfWhoHashedTheFile) {
  const fs::path file = put("f", "one");
  const std::string told = sha256_hex("told");
  remember_sha256(file, told);  // waits by itself
  EXPECT_EQ(remembered_sha256(file), told);
  remember_sha256(folder_ / "absent", told);
  remember_sha256(put("g", "two"), "0123456789012345678901234567890123456789");  // git's
  EXPECT_EQ(entries(), 1u);
}

}  // namespace
}  // namespace plumb
