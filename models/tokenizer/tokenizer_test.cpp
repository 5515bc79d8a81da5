#include "models/tokenizer/tokenizer.h"

#include <gmock/gmock.h>

#include <thread>

#include "base/rng.h"
#include "base/testing.h"
#include "models/tokenizer/testing.h"

namespace plumb::models {
namespace {

using nlohmann::json;
using plumb::testing::error_of;
using plumb::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Bytes and a few words of the reference's small tokenizers, with one added token.
Tokenizer small(const char* name = "<|im_start|>", const json& flags = json::object()) {
  json whole = testing::golden().at("small").at("cases").at(0).at("rest");
  whole["model"] = testing::golden().at("small").at("models").at("all bytes");
  json token = {{"id", 275}, {"content", name}, {"special", true}};
  token.update(flags);
  whole["added_tokens"] = {token};
  const TemporaryFolder folder;
  write_file_atomically(folder / "tokenizer.json", whole.dump());
  return Tokenizer::open(folder.path());
}

std::string random_utf8(uint64_t seed) {
  Rng rng(seed);
  std::string text;
  for (uint64_t left = rng.below(60); left > 0; --left) {
    const uint64_t width = rng.below(4);
    const uint64_t bound = width == 0 ? 0x80 : width == 1 ? 0x800 : width == 2 ? 0xD800 : 0x110000;
    const auto point = static_cast<uint32_t>(rng.below(bound));
    if (point < 0xD800 || point >= 0xE000) append_utf8(text, point);
    if (rng.below(20) == 0) text += "<|im_start|>";
  }
  return text;
}

TEST(Tokenizer, DecodesWhatItEncodedToTheSameBytesOverSeeds) {
  const Tokenizer tokenizer = small();
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    const std::string text = random_utf8(seed);
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
}

TEST(Tokenizer, CutsAtAnAddedTokenAsIfTheTextsWereApart) {
  const Tokenizer tokenizer = small();
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::string before = random_utf8(seed), behind = random_utf8(seed + 500);
    auto expected = tokenizer.encode(before);
    expected.push_back(275);
    for (const int32_t id : tokenizer.encode(behind)) expected.push_back(id);
    EXPECT_EQ(tokenizer.encode(before + "<|im_start|>" + behind), expected);
  }
}

TEST(Tokenizer, OfAnEmptyTextIsEmpty) {
  EXPECT_TRUE(small().encode("").empty());
  EXPECT_EQ(small().decode({}), "");
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8WithThePosition) {
  const auto tokenizer = small();
  for (const std::string bytes : {"abc\xFFxyz", "abc\xC0\xAF", "abc\xED\xA0\x80", "abc\xF0\x9F"}) {
    const Error error = error_of([&] { tokenizer.encode(bytes); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_THAT(error.what(), HasSubstr("byte 3 (0x"));
  }
}

TEST(Tokenizer, KeepsZeroBytesAndControls) {
  const std::string controls("\0a\x01\x1f\x7f\0", 6);
  const auto tokenizer = small();
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(controls)), controls);
}

TEST(Tokenizer, DecodesPartsOfCharactersToTheirBytes) {
  const auto tokenizer = small();
  const auto ids = tokenizer.encode("\u4e2d");
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_EQ(tokenizer.decode({ids[0]}), "\xE4");
  EXPECT_EQ(tokenizer.decode({ids[1], ids[2]}), "\xB8\xAD");
}

TEST(Tokenizer, NamesTheIdThatIsOutOfRange) {
  const auto tokenizer = small();
  EXPECT_EQ(tokenizer.vocabulary_size(), 276);
  EXPECT_STREQ(error_of([&] {
                 tokenizer.decode({5, 276});
               }).what(),
               "token id 276 is out of range; ids are 0 to 275");
  EXPECT_THAT(error_of([&] { tokenizer.decode({-1}); }).what(), HasSubstr("token id -1"));
}

// An added token whose text could be read as the byte alphabet ("\u0120" is a space there).
TEST(Tokenizer, DecodesAnAddedTokenToItsOwnText) {
  const auto tokenizer = small("<\u0120>");
  EXPECT_THAT(tokenizer.encode("<\u0120>"), ElementsAre(275));
  EXPECT_EQ(tokenizer.decode({275}), "<\u0120>");
}

TEST(Tokenizer, FindsAnAddedTokenThatIsNormalisedOnlyInNormalisedText) {
  EXPECT_THAT(small("<n>", {{"normalized", true}}).encode("<n>"), ElementsAre(275));
}

// Copies share one tokenizer and its pool of scratch; a data race would show under a sanitizer and
// as wrong ids here.
TEST(Tokenizer, GivesTheSameIdsOnManyThreadsAtOnce) {
  const auto tokenizer = small();
  std::vector<std::vector<int32_t>> expected;
  for (uint64_t i = 0; i < 300; ++i) expected.push_back(tokenizer.encode(random_utf8(i)));
  std::vector<std::thread> threads;
  std::vector<size_t> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t, copy = tokenizer] {
      for (uint64_t i = 0; i < expected.size(); ++i)
        if (copy.encode(random_utf8(i)) != expected[i]) ++wrong[t];
    });
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(wrong, ElementsAre(0u, 0u, 0u, 0u));
}

TEST(Tokenizer, TakesTextsOfAMegabyteWithoutASpace) {
  const auto tokenizer = small();
  Rng rng(5);
  std::string word;
  for (size_t i = 0; i < 1 << 20; ++i) word += static_cast<char>('a' + rng.below(26));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(word)), word);
  std::string tags;
  while (tags.size() < 1 << 20) tags += "<|im_start<|im_start|>";
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(tags)), tags);
}

}  // namespace
}  // namespace plumb::models
