#include "base/hash.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/testing.h"

namespace plumb {
namespace {

// FIPS 180-2, appendix B, and the empty message of the NIST test vectors.
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(sha256_hex(std::string_view("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex(std::string_view("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheBytesAreCut) {
  const std::string content(5000, 'x');
  for (const size_t cut : {size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{4999}}) {
    Sha256 hash;
    for (size_t at = 0; at < content.size(); at += cut)
      hash.update(std::string_view(content).substr(at, cut));
    EXPECT_EQ(hash.hex(), sha256_hex(content)) << "cut every " << cut;
  }
}

TEST(Sha256, OfAFileIsThatOfItsBytes) {
  const testing::TemporaryFolder folder;
  for (const size_t size : {size_t{0}, size_t{1} << 20, (size_t{1} << 20) + 7}) {
    write_file_atomically(folder / "f", std::string(size, 'z'));
    EXPECT_EQ(sha256_of_file(folder / "f"), sha256_hex(std::string(size, 'z')));
  }
  EXPECT_EQ(testing::error_of([&] { sha256_of_file(folder / "absent"); }).kind(),
            ErrorKind::kInput);
  EXPECT_EQ(testing::error_of([&] { sha256_of_file(folder.path()); }).kind(), ErrorKind::kInput);
}

TEST(Sha256, IsSpentOnceRead) {
  Sha256 hash;
  hash.hex();
  EXPECT_EQ(testing::error_of([&] { hash.hex(); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(testing::error_of([&] { hash.update(std::string_view("x")); }).kind(),
            ErrorKind::kInvariant);
}

// `printf 'hello\n' | git hash-object --stdin`, and the same of nothing.
TEST(GitBlobHash, IsGitsNameOfTheContent) {
  const std::string content = "hello\n";
  GitBlobHash hash(content.size());
  hash.update(std::as_bytes(std::span(content).first(2)));
  hash.update(std::as_bytes(std::span(content).subspan(2)));
  EXPECT_EQ(hash.hex(), "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(GitBlobHash(0).hex(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

}  // namespace
}  // namespace plumb
