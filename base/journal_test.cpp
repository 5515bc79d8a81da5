#include "base/journal.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::error_of;
using Lines = std::vector<std::string>;

class JournalFile : public ::testing::Test {
 protected:
  void put(std::string_view bytes) const {
    std::ofstream(path_, std::ios::binary).write(bytes.data(), static_cast<long>(bytes.size()));
  }
  Lines read() const { return Journal(path_).take_lines(); }

  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "journal";
  const Lines three_{"{\"key\": 1}", "", "a line with spaces \xC3\xA9"};
};

class JournalOfThree : public JournalFile {
 protected:
  JournalOfThree() {
    Journal journal(path_);
    journal.begin(three_[0]);
    ends_.push_back(std::filesystem::file_size(path_));
    for (size_t i = 1; i < three_.size(); ++i) {
      journal.append(three_[i]);
      ends_.push_back(std::filesystem::file_size(path_));
    }
    bytes_ = read_file(path_);
  }
  Lines first(size_t count) const { return {three_.begin(), three_.begin() + count}; }
  /// Lines that end in the first `size` bytes.
  size_t whole(size_t size) const {
    size_t count = 0;
    while (count < ends_.size() && ends_[count] <= size) ++count;
    return count;
  }

  std::vector<size_t> ends_;
  std::string bytes_;
};

TEST_F(JournalFile, ThatIsNotThereHasNoLines) {
  Journal journal(path_);
  EXPECT_TRUE(journal.take_lines().empty());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(JournalOfThree, HasItsLinesWhenItIsOpenedAgain) {
  Journal again(path_);
  EXPECT_EQ(again.dropped_bytes(), 0u);
  EXPECT_FALSE(again.is_damaged());
  EXPECT_EQ(again.take_lines(), three_);
  again.append("more");
  Lines all = three_;
  all.push_back("more");
  EXPECT_EQ(read(), all);
}

TEST_F(JournalOfThree, CutAtAnyByteHasTheWholeLinesBeforeItAndGoesOnAfterThem) {
  for (size_t size = 0; size < bytes_.size(); ++size) {
    put(std::string_view(bytes_).substr(0, size));
    const size_t count = whole(size);
    Journal cut(path_);
    EXPECT_FALSE(cut.is_damaged()) << size;
    EXPECT_EQ(cut.dropped_bytes(), size - (count == 0 ? 0 : ends_[count - 1]));
    ASSERT_EQ(cut.take_lines(), first(count)) << size;
    if (count == 0) continue;
    for (size_t i = count; i < three_.size(); ++i) cut.append(three_[i]);
    ASSERT_TRUE(read_file(path_) == bytes_) << size;
  }
}

TEST_F(JournalOfThree, ChangedInAnyByteHasTheLinesBeforeItAndNoneAfterIt) {
  for (size_t at = 0; at < bytes_.size(); ++at)
    for (const int bit : {0, 7}) {
      std::string bytes = bytes_;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      put(bytes);
      Journal changed(path_);
      EXPECT_EQ(changed.take_lines(), first(whole(at))) << at;
      EXPECT_GT(changed.dropped_bytes(), 0u) << at;
      // Of the last line's own bytes nobody knows whether they were ever written, nor of what looks
      // like a part of it.
      if (at + 1 < ends_[1]) {
        EXPECT_TRUE(changed.is_damaged()) << at;
      }
    }
}

TEST_F(JournalOfThree, TrustsNoLineThatWasLeftOutOrSwapped) {
  const std::string_view bytes = bytes_;
  const auto line = [&](size_t i) {
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string(bytes.substr(begin, ends_[i] - begin));
  };
  put(line(0) + line(2));
  EXPECT_EQ(read(), first(1));
  put(line(0) + line(2) + line(1));
  EXPECT_EQ(read(), first(1));
  put(line(1) + line(2));
  EXPECT_EQ(read(), first(0));
  put(line(0) + line(1) + line(1));
  EXPECT_EQ(read(), first(2));
}

TEST_F(JournalOfThree, BeginsAnewInPlaceOfTheOld) {
  Journal journal(path_);
  journal.begin("another");
  journal.append("line");
  EXPECT_EQ(read(), (Lines{"another", "line"}));
  journal.remove();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(JournalOfThree, FullDiskIsAnErrorAndWhatStoodStands) {
  const std::string more(300, 'x');
  for (const size_t room : {0, 1, 64, 65, 100, 364}) {
    put(bytes_);
    Journal journal(path_);
    {
      const testing::FileSizeLimit limit(bytes_.size() + room);
      const Error error = error_of([&] { journal.append(more); });
      EXPECT_EQ(error.kind(), ErrorKind::kResource);
      EXPECT_NE(std::string(error.what()).find("File too large"), std::string::npos);
      EXPECT_EQ(read(), three_) << room;
    }
    journal.append(more);  // room again
    Lines all = three_;
    all.push_back(more);
    EXPECT_EQ(read(), all) << room;
  }
}

TEST_F(JournalFile, HasNoLineFeedInALine) {
  Journal journal(path_);
  EXPECT_EQ(error_of([&] { journal.begin("a\nb"); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([&] { Journal(folder_.path()); }).kind(), ErrorKind::kInput);
}

}  // namespace
}  // namespace plumb
