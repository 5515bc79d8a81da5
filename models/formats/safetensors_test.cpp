#include "models/formats/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/formats/gguf_file.h"
#include "fixtures/formats/safetensors_file.h"
#include "models/formats/safetensors_writer.h"

namespace plumb::models {
namespace {

using fixtures::safetensors_bytes;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

SafetensorsHeader parsed(const std::string& bytes) {
  return parse_safetensors(std::as_bytes(std::span(bytes)));
}

/// One line of kind kInput that has `part` and says what to do.
void expect_refused(const std::string& bytes, const std::string& part) {
  const Error error = error_of([&] { parsed(bytes); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
  const std::string what = error.what();
  EXPECT_THAT(what, HasSubstr(part));
  EXPECT_EQ(what.find('\n'), std::string::npos) << what;
  EXPECT_LT(what.size(), 600u) << what;
  EXPECT_TRUE(what.find("fetch") != std::string::npos || what.find("convert") != std::string::npos)
      << what;
}

constexpr const char* kSound =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b":{"shape":[4],"data_offsets":[24,32],"dtype":"BF16"},)"
    R"("c":{"dtype":"F16","shape":[],"data_offsets":[32,34]}})";
const std::string kPayload(34, 'p');

/// The sound header with its first `from` made `to`.
std::string changed(const std::string& from, const std::string& to) {
  std::string header = kSound;
  const size_t at = header.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return safetensors_bytes(header.replace(at, from.size(), to), kPayload);
}

TEST(Safetensors, FindsEveryTensorWhereItsBytesAre) {
  const std::string bytes = safetensors_bytes(kSound, kPayload);
  const SafetensorsHeader header = parsed(bytes);
  EXPECT_THAT(header.metadata, ElementsAre(::testing::Pair("format", "pt")));
  ASSERT_EQ(header.tensors.size(), 3u);
  const TensorEntry& b = header.tensors[1];
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.type, StoredType::kBf16);
  EXPECT_THAT(b.shape, ElementsAre(4));
  EXPECT_EQ(b.begin, bytes.size() - 34 + 24);
  EXPECT_EQ(b.size_bytes(), 8u);
  EXPECT_EQ(header.tensors[2].element_count(), 1);
}

TEST(Safetensors, RefusesAFileThatIsCutOrTooLongAnywhere) {
  const std::string bytes = safetensors_bytes(kSound, kPayload);
  for (size_t length = 0; length < bytes.size(); ++length)
    ASSERT_EQ(error_of([&] { parsed(bytes.substr(0, length)); }).kind(), ErrorKind::kInput)
        << "at " << length;
  expect_refused(bytes + "x", "1 bytes after the last tensor");
}

TEST(Safetensors, RefusesAHeaderLengthThatLies) {
  for (const uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{10}, uint64_t{250}})
    EXPECT_EQ(error_of([&] { parsed(safetensors_bytes(kSound, kPayload, length)); }).kind(),
              ErrorKind::kInput);
  expect_refused(safetensors_bytes(kSound, kPayload, 5000), "needs 5000 bytes at byte 8");
  for (const uint64_t length :
       {uint64_t{100'000'001}, uint64_t{1} << 63, ~uint64_t{0} - 7, ~uint64_t{0}})
    expect_refused(safetensors_bytes(kSound, kPayload, length), text("claims ", length, " bytes"));
}

TEST(Safetensors, RefusesAHeaderThatIsNoJsonObject) {
  const std::string words[] = {"",
                               "[]",
                               "null",
                               "7",
                               "{",
                               "{]",
                               "\"a\"",
                               "{\"a\"}",
                               "{}x",
                               "nan",
                               "{\"a\":{}}x",
                               "\xEF\xBB\xBF{}",
                               "{\"\xff\":{}}"};
  for (const std::string& header : words)
    EXPECT_EQ(error_of([&] { parsed(safetensors_bytes(header, "")); }).kind(), ErrorKind::kInput)
        << header;
  EXPECT_TRUE(parsed(safetensors_bytes("{}   ", "")).tensors.empty());
  expect_refused(safetensors_bytes(std::string("{}\0", 3), ""), "NUL at byte 2");
}

TEST(Safetensors, RefusesFieldsThatAreMissingUnknownMistypedOrDouble) {
  expect_refused(changed(R"("dtype":"F32",)", ""), "'a' lacks its dtype");
  expect_refused(changed(R"("shape":[2,3],)", ""), "'a' lacks its shape");
  expect_refused(changed(R"(,"data_offsets":[0,24])", ""), "'a' lacks its two data_offsets");
  expect_refused(changed("[0,24]", "[0]"), "'a' lacks its two data_offsets");
  expect_refused(changed("[0,24]", "[0,24,25]"), "more than 2 data_offsets");
  expect_refused(changed("[0,24]", "[[0],24]"), "nested deeper than 3 levels");
  expect_refused(changed("[2,3]", "[2,{}]"), "nested deeper than 3 levels");
  expect_refused(changed("\"shape\":[2,3]", "\"shape\":6"), "mistyped field at 'a/shape'");
  expect_refused(changed("\"shape\"", "\"form\""), "array at 'a/form'");
  expect_refused(changed("\"F32\"", "32"), "mistyped field at 'a/dtype'");
  expect_refused(changed(R"("dtype":"F32")", R"("dtype":"F32","x":1)"), "unknown or mistyped");
  expect_refused(changed(R"("dtype":"F32")", R"("dtype":"F32","dtype":"F32")"), "'a/dtype' twice");
  expect_refused(changed("[2,3]", R"([2,3],"shape":[6])"), "'a/shape' twice");
  expect_refused(changed("\"b\"", "\"a\""), "'a' twice");
  expect_refused(changed("{\"format\"", "{\"format\":\"x\",\"format\""), "'format' twice");
  expect_refused(changed("\"pt\"", "7"), "no text at '__metadata__/format'");
  expect_refused(changed("\"pt\"", "{\"x\":1}"), "nests an object");
  expect_refused(changed("{\"dtype\":\"F32\"", "7,\"x\":{\"dtype\":\"F32\""), "plain value at 'a'");
  expect_refused(changed("\"a\"", "\"\""), "a name of 0 bytes");
  expect_refused(changed("\"a\"", text('"', std::string(5000, 'n'), '"')), "a name of 5000 bytes");
}

TEST(Safetensors, RefusesTypesThatItDoesNotReadByName) {
  for (const char* dtype : {"F64", "I8", "U8", "BOOL", "F8_E4M3", "f32", ""})
    expect_refused(changed("\"F32\"", text('"', dtype, '"')),
                   text("dtype '", dtype, "'; Plumb reads F32, F16 and BF16"));
}

TEST(Safetensors, RefusesNumbersThatAreNoSizes) {
  for (const char* number : {"-2", "2.0", "1e2", "\"2\"", "true", "null", "9223372036854775808",
                             "18446744073709551616", "1e999"}) {
    const std::string shape = changed("[2,3]", text("[", number, ",3]"));
    EXPECT_EQ(error_of([&] { parsed(shape); }).kind(), ErrorKind::kInput) << number;
    const std::string offset = changed("[0,24]", text("[0,", number, "]"));
    EXPECT_EQ(error_of([&] { parsed(offset); }).kind(), ErrorKind::kInput) << number;
  }
}

TEST(Safetensors, RefusesShapesThatDoNotFit) {
  expect_refused(changed("[2,3]", "[9223372036854775807,9223372036854775807]"), "64 bits");
  expect_refused(changed("[2,3]", "[4611686018427387904,0,4611686018427387904]"), "64 bits");
  expect_refused(changed("[2,3]", "[4611686018427387904]"), "bytes do not fit 63 bits");
  expect_refused(changed("[2,3]", "[2,4]"), "'a' holds 24 bytes, its shape needs 32");
  expect_refused(changed("[2,3]", "[0,3]"), "its shape needs 0");
  std::string many = "[1";
  for (int i = 0; i < 80; ++i) many += ",1";
  expect_refused(changed("[2,3]", text(many, "]")), "more than 64 dimensions");
}

TEST(Safetensors, RefusesOffsetsThatLie) {
  expect_refused(changed("[0,24]", "[24,0]"), "spans bytes 24..0");
  expect_refused(changed("[32,34]", "[32,36]"), "spans bytes 32..36 but the payload has 34");
  expect_refused(changed("[32,34]", "[32,9223372036854775807]"), "but the payload has 34");
  expect_refused(changed("[24,32]", "[20,28]"), "an overlap");
  expect_refused(changed("[24,32]", "[25,33]"), "a hole");
  expect_refused(changed("[0,24]", "[8,24]"), "begins at byte 8 where 0 is due");
}

TEST(Safetensors, ShowsAForeignNameOnOneHarmlessLine) {
  expect_refused(changed("\"a\":{\"dtype\":\"F32\"", R"("x\n\u001b[2J":{"dtype":"F99")"),
                 "'x\\x0a\\x1b[2J'");
}

TEST(SafetensorsWithFlippedBytes, IsReadWithinItsBoundsOrRefused) {
  const std::string good = safetensors_bytes(kSound, kPayload);
  for (uint64_t round = 0; round < 10'000; ++round) {
    Rng rng(1, round);
    std::string bytes = good;
    for (uint64_t flips = 1 + rng.below(4); flips > 0; --flips) {
      const uint64_t at = rng.below(good.size() - kPayload.size());
      // Half of the changes stay within JSON's own alphabet and so get past the reader.
      const std::string alphabet = "0123456789[]{}\",:-eF";
      bytes[at] =
          rng.below(2) ? alphabet[rng.below(alphabet.size())] : static_cast<char>(rng.below(256));
    }
    try {
      for (const TensorEntry& entry : parsed(bytes).tensors) {
        ASSERT_LE(entry.begin, entry.end);
        ASSERT_LE(entry.end, bytes.size());
        ASSERT_EQ(entry.size_bytes(), stored_bytes(entry.name, entry.shape, entry.type));
      }
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::kInput) << error.what();
      ASSERT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(SafetensorsWriter, WritesWhatTheReaderReads) {
  const TemporaryFolder folder;
  const std::string a(24, 'a'), b(6, 'b');
  write_safetensors(folder / "f",
                    {{"one", StoredType::kF32, {2, 3}, bytes_of(a)},
                     {"none", StoredType::kF32, {0, 7}, {}},
                     {"two \"quoted\"", StoredType::kBf16, {3}, bytes_of(b)}},
                    {{"format", "pt"}});
  const std::string bytes = read_file(folder / "f");
  const SafetensorsHeader header = parsed(bytes);
  ASSERT_EQ(header.tensors.size(), 3u);
  EXPECT_EQ(header.tensors[0].begin % 8, 0u);  // the header is padded
  EXPECT_EQ(bytes.substr(header.tensors[0].begin, 24), a);
  EXPECT_EQ(header.tensors[2].name, "two \"quoted\"");
  EXPECT_EQ(bytes.substr(header.tensors[2].begin), b);
  EXPECT_EQ(header.metadata.at("format"), "pt");
}

TEST(SafetensorsWriter, LeavesNoFileWhereItIsGivenTooLittleOrTooMuch) {
  const TemporaryFolder folder;
  const std::vector<TensorSlot> slots{{"a", StoredType::kF32, {2}}};
  const auto write = [&](const std::string& piece) {
    SafetensorsWriter writer(folder / "f", slots, {});
    writer.write(bytes_of(piece));
    writer.finish();
  };
  EXPECT_EQ(error_of([&] { write("1234567"); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([&] { write("123456789"); }).kind(), ErrorKind::kInvariant);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  write("12345678");
  EXPECT_TRUE(std::filesystem::exists(folder / "f"));
}

TEST(SafetensorsWriter, RefusesWhatReadersWouldRefuse) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::vector<TensorSlot>& slots) {
    const Error error = error_of([&] { SafetensorsWriter(folder / "f", slots, {}); });
    EXPECT_EQ(error.kind(), ErrorKind::kInvariant);
    return std::string(error.what());
  };
  const TensorSlot odd{"odd", StoredType::kBf16, {3}}, wide{"wide", StoredType::kF32, {1}};
  EXPECT_THAT(refused({odd, wide}), HasSubstr("'wide' cannot be written: it is not aligned"));
  EXPECT_THAT(refused({wide, wide}), HasSubstr("occurs twice"));
  EXPECT_THAT(refused({{"__metadata__", StoredType::kF32, {1}}}), HasSubstr("occurs twice"));
  EXPECT_THAT(refused({{"q", StoredType::kQ8_0, {32}}}), HasSubstr("no safetensors dtype"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_TRUE(wider(wide, odd));
  EXPECT_FALSE(wider(odd, wide));
  EXPECT_FALSE(wider(wide, wide));
}

}  // namespace
}  // namespace plumb::models
