// Byte alphabet, UTF-8 and form C: what the other parts of the tokenizer stand on.
#include <gmock/gmock.h>

#include <set>

#include "base/hash.h"
#include "base/testing.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/nfc.h"
#include "models/tokenizer/testing.h"

namespace plumb::models {
namespace {

using plumb::testing::error_of;
using testing::all_code_points;
using testing::golden;
using ::testing::HasSubstr;
using testing::utf8;

TEST(ByteAlphabet, IsABijectionOfBytesAndCharacters) {
  std::set<std::string> symbols;
  std::string bytes, all;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string symbol = byte_symbol(static_cast<uint8_t>(byte));
    symbols.insert(symbol);
    all += symbol;
    bytes += static_cast<char>(byte);
    EXPECT_EQ(bytes_of_symbols(symbol), std::string(1, static_cast<char>(byte)));
  }
  EXPECT_EQ(symbols.size(), 256u);
  EXPECT_EQ(bytes_of_symbols(all), bytes);
}

TEST(ByteAlphabet, WritesSpaceAndLineEndAsGpt2Does) {
  EXPECT_EQ(byte_symbol(' '), "\u0120");
  EXPECT_EQ(byte_symbol('\n'), "\u010a");
  EXPECT_EQ(byte_symbol(0xAD), "\u0143");
  EXPECT_EQ(byte_symbol('a'), "a");
  EXPECT_EQ(byte_symbol(0xFF), "\u00ff");
}

TEST(ByteAlphabet, HasNoBytesForOtherCharacters) {
  EXPECT_EQ(bytes_of_symbols("a b"), std::nullopt);  // a space itself is not of the alphabet
  EXPECT_EQ(bytes_of_symbols("\u0144"), std::nullopt);
  EXPECT_EQ(bytes_of_symbols("\u4e2d"), std::nullopt);
}

TEST(Utf8, TakesEveryCodePointButTheSurrogates) {
  for (const uint32_t point : all_code_points()) {
    const std::string c = utf8(point);
    ASSERT_TRUE(is_utf8(c)) << point;
    const char* at = c.data();
    ASSERT_EQ(next_code_point(at), point);
    ASSERT_EQ(at, c.data() + c.size());
    ASSERT_EQ(previous_character(c.data() + c.size()), c.data());
  }
}

TEST(Utf8, RefusesEveryOtherSequenceOfOneTwoAndThreeBytes) {
  std::set<std::string> well_formed;
  for (const uint32_t point : all_code_points())
    if (point < 0x10000) well_formed.insert(utf8(point));
  const auto check = [&](const std::string& bytes) {
    bool expected = well_formed.contains(bytes);  // or characters one after the other
    for (size_t cut = 1; cut < bytes.size() && !expected; ++cut)
      expected = well_formed.contains(bytes.substr(0, cut)) && is_utf8(bytes.substr(cut));
    ASSERT_EQ(is_utf8(bytes), expected) << ::testing::PrintToString(bytes);
  };
  for (int first = 0; first < 256; ++first) {
    check({static_cast<char>(first)});
    for (int second = 0; second < 256; ++second) {
      check({static_cast<char>(first), static_cast<char>(second)});
      for (const int third : {0x00, 0x41, 0x7F, 0x80, 0xBF, 0xC0, 0xFF})
        check({static_cast<char>(first), static_cast<char>(second), static_cast<char>(third)});
    }
  }
}

TEST(Utf8, RefusesFourBytesThatAreOverlongBeyondUnicodeOrCutShort) {
  for (const std::string bytes : {"\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
                                  "\xF0\x9F\x98", "\xF0\x9F\x98\x41", "\xF8\x88\x80\x80\x80"})
    EXPECT_FALSE(is_utf8(bytes)) << ::testing::PrintToString(bytes);
}

TEST(Utf8, ErrorNamesTheByteItsPositionAndWhatToDo) {
  const Error error = error_of([] { require_utf8("eight by\xC3tes and more"); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_STREQ(error.what(),
               "byte 8 (0xC3) of 21 is not valid UTF-8; convert the text to UTF-8 first");
}

// Compares 16 digits of the SHA-256 of all lines of each group.
void expect_nfc(const std::vector<std::string>& texts, size_t size, const nlohmann::json& digests) {
  ASSERT_EQ((texts.size() + size - 1) / size, digests.size());
  std::string lines;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (!testing::is_tested(i / size)) continue;
    const std::string made = to_nfc(texts[i]);
    if (is_surely_nfc(texts[i])) {
      ASSERT_EQ(made, texts[i]);
    }
    ASSERT_EQ(to_nfc(made), made) << "form C of form C";
    lines += made + "\n";
    if ((i + 1) % size != 0 && i + 1 != texts.size()) continue;
    EXPECT_EQ(sha256_hex(lines).substr(0, 16), digests.at(i / size)) << "texts up to " << i;
    lines.clear();
  }
}

TEST(NfcGolden, IsTheReferencesForEveryCodePointBetweenALetterAndMarks) {
  std::vector<std::string> texts;
  for (const uint32_t point : all_code_points())
    texts.push_back(text("e", utf8(point), "\u0301\u0323"));
  expect_nfc(texts, golden().at("points_per_digest"), golden().at("nfc").at("points"));
}

TEST(NfcGolden, IsTheReferencesForSequencesOfLettersAndMarks) {
  const auto& nfc = golden().at("nfc");
  const auto ranges = nfc.at("ranges").get<std::vector<std::pair<uint32_t, uint32_t>>>();
  const auto size = nfc.at("sequences_per_digest").get<size_t>();
  testing::Generator draw;
  std::vector<std::string> texts(size * nfc.at("sequences").size());
  for (std::string& text : texts) {
    std::vector<std::pair<uint32_t, uint32_t>> drawn(1 + draw(10));
    for (auto& range : drawn) range = ranges[draw(ranges.size())];
    for (const auto& [first, last] : drawn)
      text += utf8(first + static_cast<uint32_t>(draw(last - first + 1)));
  }
  expect_nfc(texts, size, nfc.at("sequences"));
}

}  // namespace
}  // namespace plumb::models
