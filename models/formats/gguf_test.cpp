#include "models/formats/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/formats/gguf_file.h"

namespace plumb::models {
namespace {

using namespace fixtures;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::VariantWith;

GgufHeader parsed(const std::string& bytes) { return parse_gguf(std::as_bytes(std::span(bytes))); }

/// Three tensors of three types and a metadata value of every type.
GgufFile sound() {
  GgufFile file;
  file.metadata = {{"u8", gguf_u8(200)},
                   {"i8", {1, "\xfe"}},
                   {"u16", {2, little_endian(uint16_t{40000})}},
                   {"i16", {3, little_endian(int16_t{-7})}},
                   {"u32", gguf_u32(4'000'000'000)},
                   {"i32", gguf_i32(-5)},
                   {"f32", gguf_f32(0.1f)},
                   {"bool", gguf_bool(true)},
                   {"text", gguf_text("words")},
                   {"u64", gguf_u64(std::numeric_limits<uint64_t>::max())},
                   {"i64", {11, little_endian(std::numeric_limits<int64_t>::min())}},
                   {"f64", {12, little_endian(0.1)}},
                   {"texts", gguf_texts({"a", "", "ccc"})},
                   {"numbers", gguf_i32s({1, -2, 3})},
                   {"flags", gguf_array(7, 3, std::string("\1\0\1", 3))}};
  file.tensors = {{"first", {5, 3}, 0, std::string(60, 'f')},
                  {"second", {32, 2}, 8, std::string(68, 's')},
                  {"third", {7}, 30, std::string(14, 't')}};
  return file;
}

/// One line that has `part`, says what was found and what to do, and is of kind kInput.
void expect_refused(const std::string& bytes, const std::string& part) {
  const Error error = error_of([&] { parsed(bytes); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
  const std::string what = error.what();
  EXPECT_THAT(what, HasSubstr(part));
  EXPECT_EQ(what.find('\n'), std::string::npos) << what;
  EXPECT_LT(what.size(), 500u) << what;
  EXPECT_TRUE(what.find("fetch") != std::string::npos || what.find("use a ") != std::string::npos ||
              what.find("convert it") != std::string::npos ||
              what.find("name a ") != std::string::npos)
      << what;
}

template <typename Change>
void expect_refused_after(Change&& change, const std::string& part) {
  GgufFile file = sound();
  change(file);
  expect_refused(file.bytes(), part);
}

TEST(Gguf, ReadsEveryMetadataTypeWithItsSign) {
  const std::string bytes = sound().bytes();
  const GgufHeader header = parsed(bytes);
  EXPECT_EQ(header.metadata.size(), 15u);
  const auto value = [&](const char* key) { return header.metadata.find(key)->second; };
  EXPECT_THAT(value("u8"), VariantWith<uint64_t>(200u));
  EXPECT_THAT(value("i8"), VariantWith<int64_t>(-2));
  EXPECT_THAT(value("u16"), VariantWith<uint64_t>(40000u));
  EXPECT_THAT(value("i16"), VariantWith<int64_t>(-7));
  EXPECT_THAT(value("u32"), VariantWith<uint64_t>(4'000'000'000u));
  EXPECT_THAT(value("i32"), VariantWith<int64_t>(-5));
  EXPECT_THAT(value("f32"), VariantWith<double>(double{0.1f}));
  EXPECT_THAT(value("bool"), VariantWith<bool>(true));
  EXPECT_THAT(value("text"), VariantWith<std::string_view>("words"));
  EXPECT_THAT(value("u64"), VariantWith<uint64_t>(std::numeric_limits<uint64_t>::max()));
  EXPECT_THAT(value("i64"), VariantWith<int64_t>(std::numeric_limits<int64_t>::min()));
  EXPECT_THAT(value("f64"), VariantWith<double>(0.1));
}

template <typename Value, typename Each>
std::vector<Value> elements(const GgufHeader& header, const char* key, Each each) {
  std::vector<Value> out;
  (std::get<GgufArray>(header.metadata.find(key)->second).*each)([&](auto v) { out.push_back(v); });
  return out;
}

TEST(Gguf, ReadsArraysOfEveryTypeWithTheirSigns) {
  GgufFile file = sound();
  const auto add = [&](const char* key, uint32_t type, const std::string& bytes) {
    file.metadata.emplace_back(key, gguf_array(type, 2, bytes));
  };
  add("u8s", 0, "\x01\xff");
  add("i8s", 1, "\x01\xff");
  add("u16s", 2, little_endian(uint16_t{1}) + little_endian(uint16_t{65535}));
  add("i16s", 3, little_endian(int16_t{1}) + little_endian(int16_t{-1}));
  add("u32s", 4, little_endian(uint32_t{1}) + little_endian(uint32_t{4'000'000'000}));
  add("u64s", 10, little_endian(uint64_t{1}) + little_endian(uint64_t{5}));
  add("i64s", 11, little_endian(int64_t{1}) + little_endian(int64_t{-5}));
  add("f32s", 6, little_endian(0.5f) + little_endian(-1.5f));
  add("f64s", 12, little_endian(0.1) + little_endian(-0.1));
  const std::string bytes = file.bytes();
  const GgufHeader header = parsed(bytes);
  const auto whole = [&](const char* key) {
    return elements<int64_t>(header, key, &GgufArray::integers);
  };
  EXPECT_THAT(whole("u8s"), ElementsAre(1, 255));
  EXPECT_THAT(whole("i8s"), ElementsAre(1, -1));
  EXPECT_THAT(whole("u16s"), ElementsAre(1, 65535));
  EXPECT_THAT(whole("i16s"), ElementsAre(1, -1));
  EXPECT_THAT(whole("u32s"), ElementsAre(1, 4'000'000'000));
  EXPECT_THAT(whole("numbers"), ElementsAre(1, -2, 3));
  EXPECT_THAT(whole("u64s"), ElementsAre(1, 5));
  EXPECT_THAT(whole("i64s"), ElementsAre(1, -5));
  EXPECT_THAT(elements<double>(header, "f32s", &GgufArray::reals), ElementsAre(0.5, -1.5));
  EXPECT_THAT(elements<double>(header, "f64s", &GgufArray::reals), ElementsAre(0.1, -0.1));
  EXPECT_THAT(elements<bool>(header, "flags", &GgufArray::booleans),
              ElementsAre(true, false, true));
  EXPECT_THAT(elements<std::string_view>(header, "texts", &GgufArray::texts),
              ElementsAre("a", "", "ccc"));
  EXPECT_EQ(error_of([&] { whole("texts"); }).kind(), ErrorKind::kInvariant);
}

TEST(Gguf, FindsEveryTensorWhereItsBytesAre) {
  for (const uint32_t version : {2u, 3u})
    for (const uint64_t alignment : {8u, 32u, 256u}) {
      GgufFile file = sound();
      file.version = version;
      file.alignment = alignment;
      file.metadata.emplace_back("general.alignment", gguf_u32(static_cast<uint32_t>(alignment)));
      const std::string bytes = file.bytes();
      const GgufHeader header = parsed(bytes);
      EXPECT_EQ(header.version, version);
      ASSERT_EQ(header.tensors.size(), 3u);
      EXPECT_THAT(header.tensors[0].shape, ElementsAre(3, 5));  // outermost first
      EXPECT_THAT(header.tensors[1].shape, ElementsAre(2, 32));
      EXPECT_EQ(header.tensors[1].type, StoredType::kQ8_0);
      EXPECT_EQ(header.tensors[2].type, StoredType::kBf16);
      for (size_t i = 0; i < 3; ++i) {
        const TensorEntry& entry = header.tensors[i];
        EXPECT_EQ(bytes.substr(entry.begin, entry.size_bytes()), file.tensors[i].bytes);
      }
    }
}

TEST(Gguf, RefusesAFileThatIsCutAnywhere) {
  const std::string bytes = sound().bytes();
  ASSERT_NO_THROW(parsed(bytes));
  for (size_t length = 0; length < bytes.size(); ++length) {
    const Error error = error_of([&] { parsed(bytes.substr(0, length)); });
    ASSERT_EQ(error.kind(), ErrorKind::kInput) << "at " << length;
    ASSERT_THAT(error.what(), HasSubstr("fetch it again")) << "at " << length;
  }
}

TEST(Gguf, RefusesWhatIsNoGgufOfAKnownVersion) {
  expect_refused_after([](GgufFile& f) { f.magic = "GGML"; }, "does not start with 'GGUF'");
  expect_refused_after([](GgufFile& f) { f.version = 1; }, "GGUF version 1");
  expect_refused_after([](GgufFile& f) { f.version = 4; }, "GGUF version 4");
  expect_refused_after([](GgufFile& f) { f.version = 0x03000000; }, "big-endian");
}

TEST(Gguf, RefusesCountsThatLie) {
  for (const uint64_t count : {uint64_t{4}, uint64_t{1} << 32, uint64_t{1} << 63, ~uint64_t{0}}) {
    expect_refused_after([&](GgufFile& f) { f.tensor_count = count; }, "");
    expect_refused_after([&](GgufFile& f) { f.metadata_count = 12 + count % 1000; }, "");
    expect_refused_after([&](GgufFile& f) { f.metadata_count = count << 20; }, "");
  }
  expect_refused_after([](GgufFile& f) { f.tensor_count = ~uint64_t{0}; },
                       "announces 18446744073709551615 tensors");
  expect_refused_after([](GgufFile& f) { f.metadata_count = ~uint64_t{0}; },
                       "announces 18446744073709551615 metadata entries");
}

TEST(Gguf, RefusesLengthsThatLie) {
  for (const uint64_t length :
       {uint64_t{10'000}, uint64_t{1} << 40, uint64_t{1} << 63, ~uint64_t{0} - 7, ~uint64_t{0}}) {
    const auto text_of = [&](GgufFile& f) { f.field("text").bytes = little_endian(length) + "x"; };
    expect_refused_after(text_of, text("needs ", length, " bytes"));
    for (const uint32_t type : {0u, 4u, 7u, 8u, 10u, 12u})
      expect_refused_after(
          [&](GgufFile& f) { f.field("texts") = gguf_array(type, length, "xxxx"); },
          text("announces ", length, " elements"));
  }
}

TEST(Gguf, RefusesMetadataOfNoKnownForm) {
  expect_refused_after([](GgufFile& f) { f.field("u8").type = 13; }, "unknown value type 13");
  expect_refused_after([](GgufFile& f) { f.field("bool").bytes = "\2"; }, "a boolean of 2");
  expect_refused_after([](GgufFile& f) { f.field("texts") = gguf_array(9, 1, ""); },
                       "an array of type 9");
  expect_refused_after([](GgufFile& f) { f.field("texts") = gguf_array(99, 1, ""); },
                       "an array of type 99");
  expect_refused_after([](GgufFile& f) { f.metadata.push_back(f.metadata[2]); },
                       "metadata key 'u16': the key occurs twice");
  expect_refused_after([](GgufFile& f) { f.metadata[2].first.clear(); }, "key has 0 bytes");
  expect_refused_after([](GgufFile& f) { f.metadata[2].first.assign(70'000, 'k'); },
                       "key has 70000 bytes");
}

TEST(Gguf, RefusesAnAlignmentThatIsNone) {
  for (const uint64_t alignment : {uint64_t{0}, uint64_t{24}, uint64_t{1} << 40, ~uint64_t{0}})
    expect_refused_after(
        [&](GgufFile& f) { f.metadata.emplace_back("general.alignment", gguf_u64(alignment)); },
        "general.alignment must be a power of two");
  expect_refused_after(
      [](GgufFile& f) { f.metadata.emplace_back("general.alignment", gguf_text("32")); },
      "general.alignment must be a power of two");
}

TEST(Gguf, RefusesShapesThatDoNotFit) {
  const auto dimensions = [](std::vector<uint64_t> sizes, const std::string& part) {
    expect_refused_after([&](GgufFile& f) { f.tensor("first").dimensions = sizes; }, part);
  };
  const uint64_t huge = uint64_t{1} << 62;
  dimensions({huge, huge}, "does not fit 64 bits");
  dimensions({huge, 0, huge}, "does not fit 64 bits");  // a zero hides no overflow
  dimensions({uint64_t{1} << 33, uint64_t{1} << 31}, "does not fit 64 bits");
  dimensions({huge}, "bytes do not fit 63 bits");
  dimensions({~uint64_t{0}}, "dimension of 18446744073709551615");
  dimensions({1, 1, 1, 1, 1}, "has 5 dimensions");
  dimensions({5, 300}, "needs 6000 bytes");
  expect_refused_after(
      [](GgufFile& f) {
        f.tensor("second").dimensions = {33, 2};
      },
      "rows of 33 values, but Q8_0 stores them in blocks of 32");
}

TEST(Gguf, RefusesTypesThatItDoesNotReadByName) {
  const auto type = [](uint32_t id, const std::string& part) {
    expect_refused_after([&](GgufFile& f) { f.tensor("first").type = id; }, part);
  };
  type(10, "'first' has type Q2_K; Plumb reads F32, F16, BF16");
  type(23, "type IQ4_XS");
  type(24, "type I8");
  type(4, "the unknown type 4");  // ggml's Q4_2, gone
  type(~uint32_t{0}, "the unknown type 4294967295");
}

TEST(Gguf, RefusesOffsetsThatLie) {
  const auto offset = [](const char* tensor, uint64_t at, const std::string& part) {
    expect_refused_after([&](GgufFile& f) { f.tensor(tensor).offset = at; }, part);
  };
  offset("second", 65, "no multiple of the alignment 32");
  offset("second", 32, "share bytes of the file");
  offset("second", 0, "share bytes of the file");
  offset("third", 1 << 20, "needs 14 bytes at offset 1048576");
  offset("third", ~uint64_t{0} - 31, "needs 14 bytes at offset 18446744073709551584");
  offset("third", uint64_t{1} << 63, "needs 14 bytes at offset 9223372036854775808");
}

TEST(Gguf, RefusesTensorsWithoutANameOfTheirOwn) {
  expect_refused_after([](GgufFile& f) { f.tensors[2].name = "first"; },
                       "tensor 'first' occurs twice");
  expect_refused_after([](GgufFile& f) { f.tensors[2].name.clear(); }, "a name of 0 bytes");
  expect_refused_after([](GgufFile& f) { f.tensors[2].name.assign(300, 'n'); },
                       "a name of 300 bytes");
  expect_refused_after(
      [](GgufFile& f) {
        f.tensors[2] = {"bad\nname\x1b[2J", {7}, 99, ""};
      },
      "'bad\\x0aname\\x1b[2J'");
}

/// A header with some bytes changed is read or refused in words: nothing else happens, and nothing
/// that is read leaves the file.
TEST(GgufWithFlippedBytes, IsReadWithinItsBoundsOrRefused) {
  const GgufFile file = sound();
  const std::string good = file.bytes();
  for (uint64_t round = 0; round < 10'000; ++round) {
    Rng rng(1, round);
    std::string bytes = good;
    for (uint64_t flips = 1 + rng.below(4); flips > 0; --flips)
      bytes[rng.below(file.header_size())] = static_cast<char>(rng.below(256));
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

}  // namespace
}  // namespace plumb::models
