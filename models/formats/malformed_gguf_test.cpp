// Malformed GGUF files, each opened as a user's would be. Many are the arithmetic of published faults in other readers:
// counts near 2^64 whose product with an element's size is small again, lengths whose sum with the position is, padding
// that carries an offset over the end, arrays in arrays.

#include <gmock/gmock.h>

#include <limits>

#include "base/error.h"
#include "base/testing.h"
#include "models/formats/checkpoint.h"
#include "models/formats/malformed_gguf_testing.h"

namespace plumb::models {
namespace {

using namespace fixtures;
using namespace testing;
namespace fs = std::filesystem;

std::vector<MalformedCase> preambles() {
  const auto cut = [](size_t length) {
    return [length] { return sound().bytes().substr(0, length); };
  };
  const auto counts = [](const std::string& name, bool tensors, uint64_t count, Words words) {
    return changed(
        name, [=](GgufFile& f) { (tensors ? f.tensor_count : f.metadata_count) = count; },
        std::move(words));
  };
  const auto announces = [&](uint64_t count, const char* what) {
    return Words{text("announces ", count, " ", what), "bytes remain", "fetch it again"};
  };
  return {
      bytes("Empty", cut(0), {"is empty (0 bytes)"}),
      bytes("OneByte", cut(1), {"magic needs 4 bytes at byte 0 but only 1 remain"}),
      bytes("MagicAlone", cut(4), {"version needs 4 bytes at byte 4 but only 0 remain"}),
      bytes("NoMetadataCount", cut(20), {"metadata count needs 8 bytes at byte 16"}),
      bytes("NothingButAPreamble", cut(24), {"announces 18 metadata entries but only 0 bytes"}),
      changed("OldMagic", [](GgufFile& f) { f.magic = "GGJT"; }, {"does not start with 'GGUF'"}),
      changed("LowerCaseMagic", [](GgufFile& f) { f.magic = "gguf"; }, {"not start with 'GGUF'"}),
      changed("VersionZero", [](GgufFile& f) { f.version = 0; }, {"version 0", "2 and 3 are"}),
      changed("VersionOne", [](GgufFile& f) { f.version = 1; }, {"version 1", "2 and 3 are"}),
      changed("VersionFour", [](GgufFile& f) { f.version = 4; }, {"version 4", "2 and 3 are"}),
      changed("VersionMost", [](GgufFile& f) { f.version = ~0u; }, {"version 4294967295"}),
      changed("BigEndian", [](GgufFile& f) { f.version = 3u << 24; }, {"is big-endian", "convert"}),
      counts("TensorCountMost", true, kMost, announces(kMost, "tensors")),
      counts("TensorCountTwoToThe63", true, kHuge, announces(kHuge, "tensors")),
      // Times the 64 bytes of a reader's structure, 2^58 + 1 is 64.
      counts("TensorCountThatWrapsTimes64", true, (uint64_t{1} << 58) + 1,
             announces((uint64_t{1} << 58) + 1, "tensors")),
      counts("TensorCountTwoToThe32", true, uint64_t{1} << 32,
             announces(uint64_t{1} << 32, "tensors")),
      counts("TensorCountOneTooMany", true, 12, {"tensor '' has a name of 0 bytes"}),
      counts("TensorCountOneTooFew", true, 10, {"'blk.0.ffn_down.weight'", "missing"}),
      counts("MetadataCountMost", false, kMost, announces(kMost, "metadata entries")),
      counts("MetadataCountTwoToThe63", false, kHuge, announces(kHuge, "metadata entries")),
      counts("MetadataCountThatWrapsTimes64", false, (uint64_t{1} << 58) + 1,
             announces((uint64_t{1} << 58) + 1, "metadata entries")),
      counts("MetadataCountZero", false, 0, {"'general.architecture' has 8 dimensions; at most 4"}),
      counts("MetadataCountOneTooMany", false, 19, {"needs"}),
      bytes("EightyThousandTensors",
            [] {
              GgufFile file = sound();
              for (int i = 0; i < 80'000; ++i) file.tensors.push_back({text(i), {0}, 0, ""});
              return file.bytes();
            },
            {"announces 80011 tensors", "at most 65536"}),
      bytes("SixtyThousandEmptyTensors",
            [] {
              GgufFile file = sound();
              for (int i = 0; i < 60'000; ++i) file.tensors.push_back({text(i), {0}, 0, ""});
              return file.bytes();
            },
            {"tensor '0' has no place in a llama decoder"}),
      bytes("EightyThousandKeys",
            [] {
              GgufFile file = sound();
              for (int i = 0; i < 80'000; ++i) file.metadata.emplace_back(text(i), gguf_u8(0));
              return file.bytes();
            },
            {"announces 80018 metadata entries", "at most 65536"}),
  };
}

std::vector<MalformedCase> strings() {
  const auto lies = [](uint64_t length) {
    return GgufField{8, little_endian(length) + std::string(40, 'x')};
  };
  const auto key = [](const std::string& name, uint64_t length, Words words) {
    return bytes(
        name,
        [length] {
          std::string all = sound().bytes();
          return all.replace(24, 8, little_endian(length));
        },
        std::move(words));
  };
  return {
      key("KeyLengthMost", kMost, {text("a metadata key needs ", kMost, " bytes at byte 32")}),
      key("KeyLengthWhoseSumWraps", kMost - 31, {text("a metadata key needs ", kMost - 31)}),
      key("KeyLengthTwoToThe63", kHuge, {text("a metadata key needs ", kHuge)}),
      key("KeyLengthZero", 0, {"a metadata key has 0 bytes"}),
      changed("KeyOf70000Bytes", [](GgufFile& f) { f.metadata[0].first.assign(70'000, 'k'); },
              {"a metadata key has 70000 bytes", "65535"}),
      changed("KeyTwice", [](GgufFile& f) { f.metadata.push_back(f.metadata[3]); },
              {"metadata key 'llama.block_count': the key occurs twice"}),
      changed("KeyTwiceWithAnotherType",
              [](GgufFile& f) { f.metadata.emplace_back("llama.block_count", gguf_text("1")); },
              {"metadata key 'llama.block_count': the key occurs twice"}),
      with("StringLengthMost", "x", lies(kMost), {"'x': a string needs 18446744073709551615"}),
      with("StringLengthTwoToThe63", "x", lies(kHuge), {"'x': a string needs 9223372036854775808"}),
      with("StringLengthWhoseSumWraps", "x", lies(kMost - 500), {"'x': a string needs"}),
      with("StringBeyondTheFile", "x", lies(uint64_t{1} << 32), {"needs 4294967296 bytes"}),
      bytes("StringOfHundredMegabytes",
            [] {
              GgufFile file = sound();
              file.metadata.emplace_back("x", gguf_text(std::string(100 << 20, 'x')));
              return file.bytes();
            },
            {"'x': a string has 104857600 bytes; at most 67108864"}),
  };
}

std::vector<MalformedCase> values() {
  const auto elements = [](const std::string& name, uint32_t type, uint64_t count) {
    return with(name, "x", gguf_array(type, count, std::string(64, '\1')),
                {text("'x': an array announces ", count, " elements"), "bytes remain"});
  };
  std::string twice_nested = little_endian(uint32_t{9}) + little_endian(uint64_t{1});
  for (int i = 0; i < 10'000; ++i)
    twice_nested += little_endian(uint32_t{9}) + little_endian(uint64_t{1});
  return {
      with("TypeUnknown", "x", {13, std::string(8, '\0')}, {"'x': the unknown value type 13"}),
      with("TypeMost", "x", {~0u, std::string(8, '\0')}, {"the unknown value type 4294967295"}),
      with("BooleanOfTwo", "x", {7, "\2"}, {"'x': a boolean of 2; 0 or 1 is needed"}),
      elements("ArrayCountMost", 0, kMost),
      elements("ArrayCountTwoToThe63", 8, kHuge),
      elements("ArrayCountThatWrapsTimes8", 10, (uint64_t{1} << 61) + 1),
      elements("ArrayCountThatWrapsTimes4", 5, (uint64_t{1} << 62) + 1),
      elements("ArrayCountThatWrapsTimes2", 2, kHuge + 1),
      elements("ArrayCountThatWrapsTimes32", 8, (uint64_t{1} << 59) + 1),
      elements("ArrayCountTwoToThe32", 7, uint64_t{1} << 32),
      elements("ArrayCountBeyondTheFile", 12, 1 << 20),
      with("ArrayInAnArray", "x", gguf_array(9, 1, std::string(64, '\0')), {"an array of type 9"}),
      with("ArraysNestedTenThousandDeep", "x", {9, twice_nested}, {"an array of type 9"}),
      with("ArrayOfUnknownType", "x", gguf_array(77, 1, "xxxxxxxx"), {"an array of type 77"}),
      with("ArrayWithABooleanOfThree", "x", gguf_array(7, 3, std::string("\1\0\3", 3)),
           {"'x': a boolean of 3"}),
      with("ArrayWithAStringThatLies", "x",
           gguf_array(8, 2, little_endian(uint64_t{1}) + "x" + little_endian(kHuge) + "xxxxxxxx"),
           {"'x': a string needs 9223372036854775808"}),
      bytes("ArrayOfTwentyMillionBytes",
            [] {
              GgufFile file = sound();
              file.metadata.emplace_back("x",
                                         gguf_array(0, 20'000'000, std::string(20'000'000, '\1')));
              return file.bytes();
            },
            {"an array announces 20000000 elements", "16777216 is the limit"}),
      bytes("ArrayOfTenMillionBytes",
            [] {
              GgufFile file = sound();
              file.metadata.emplace_back("x",
                                         gguf_array(0, 10'000'000, std::string(10'000'000, '\1')));
              file.metadata.emplace_back("y", GgufField{13, ""});
              return file.bytes();
            },
            {"'y': the unknown value type 13"}),
      bytes("ArrayOfMillionEmptyStrings",
            [] {
              GgufFile file = sound();
              file.metadata.emplace_back("x",
                                         gguf_array(8, 1'000'000, std::string(8'000'000, '\0')));
              file.metadata.emplace_back("y", GgufField{13, ""});
              return file.bytes();
            },
            {"'y': the unknown value type 13"}),
  };
}

std::vector<MalformedCase> alignments() {
  const auto aligned = [](const std::string& name, GgufField field) {
    return with(name, "general.alignment", field,
                {"general.alignment must be a power of two of at most 1048576"});
  };
  const auto offset = [](const std::string& name, uint64_t at, Words words) {
    return changed(
        name, [at](GgufFile& f) { f.tensors[1].offset = at; }, std::move(words));
  };
  return {
      aligned("AlignmentZero", gguf_u32(0)),
      aligned("AlignmentThree", gguf_u32(3)),
      aligned("AlignmentTwentyFour", gguf_u32(24)),
      aligned("AlignmentTwoToThe21", gguf_u32(1 << 21)),
      aligned("AlignmentTwoToThe31", gguf_u32(1u << 31)),
      aligned("AlignmentMost", gguf_u64(kMost)),
      aligned("AlignmentTwoToThe63", gguf_u64(kHuge)),
      aligned("AlignmentNegative", gguf_i32(-32)),
      aligned("AlignmentText", gguf_text("32")),
      aligned("AlignmentReal", gguf_f32(32)),
      aligned("AlignmentAnArray", gguf_i32s({32})),
      with("AlignmentBeyondTheFile", "general.alignment", gguf_u32(1 << 20),
           {"data should begin at a multiple of 1048576", "but the file has"}),
      offset("OffsetNotAligned", 33, {"begins at offset 33", "no multiple of the alignment 32"}),
      offset("OffsetBeyondTheFile", 1 << 30, {"at offset 1073741824 but the data section has"}),
      offset("OffsetMost", kMost - 31, {"at offset 18446744073709551584 but the data section"}),
      offset("OffsetTwoToThe63", kHuge, {"at offset 9223372036854775808 but the data section"}),
      offset("OffsetOfAnother", 0, {"share bytes of the file"}),
      offset("OffsetInTheMiddleOfAnother", 32, {"share bytes of the file"}),
      // Padded to the alignment, the end of a tensor that ends at 2^64 - 1 would be 0.
      changed("EndThatPaddingWraps",
              [](GgufFile& f) {
                f.tensors[1].dimensions = {(uint64_t{1} << 61) - 8};
                f.tensors[1].type = 0;
              },
              {"bytes at offset 16384 but the data section has"}),
  };
}

std::vector<MalformedCase> tensors() {
  const auto shape = [](const std::string& name, std::vector<uint64_t> dimensions, Words words) {
    return changed(
        name, [=](GgufFile& f) { f.tensors[0].dimensions = dimensions; }, std::move(words));
  };
  const auto type = [](const std::string& name, uint32_t id, Words words) {
    return changed(
        name, [=](GgufFile& f) { f.tensors[0].type = id; }, std::move(words));
  };
  const std::string values = "number of values does not fit 64 bits";
  const uint64_t root = uint64_t{1} << 32, quarter = uint64_t{1} << 62;
  return {
      shape("ProductTwoToThe64", {root, root}, {values}),
      shape("ProductOfFourThatWraps", {1 << 16, 1 << 16, 1 << 16, 1 << 16}, {values}),
      shape("ProductThatWrapsToSmall", {quarter + 1, 4}, {values}),
      shape("BytesThatWrap", {quarter, 1}, {"bytes do not fit 63 bits"}),
      shape("ZeroHidesAnOverflow", {quarter, 0, quarter}, {values}),
      shape("DimensionMost", {kMost}, {"a dimension of 18446744073709551615"}),
      shape("DimensionTwoToThe63", {kHuge, 2}, {"a dimension of 9223372036854775808"}),
      shape("FiveDimensions", {1, 1, 1, 1, 1}, {"has 5 dimensions; at most 4"}),
      shape("LargerThanTheFile", {1 << 20, 1 << 10}, {"needs 2147483648 bytes at offset 0"}),
      shape("NoDimension", {}, {"'token_embd.weight' is missing or no matrix"}),
      bytes("DimensionCountMost",
            [] {
              const std::string name = "token_embd.weight";
              std::string all = sound().bytes();
              return all.replace(all.find(name) + name.size(), 4, "\xff\xff\xff\xff");
            },
            {"has 4294967295 dimensions; at most 4"}),
      type("TypeOfAnotherReader", 10, {"type Q2_K; Plumb reads F32, F16, BF16"}),
      type("TypeOfIntegers", 26, {"type I32; Plumb reads F32"}),
      type("TypeRemoved", 4, {"the unknown type 4; Plumb reads F32"}),
      type("TypeMostOfAll", ~0u, {"the unknown type 4294967295; Plumb reads F32"}),
      changed("RowsThatFillNoBlock",
              [](GgufFile& f) {
                f.tensors[0].type = 8;
                f.tensors[0].dimensions = {33, 256};
              },
              {"rows of 33 values, but Q8_0 stores them in blocks of 32"}),
      changed("NameTwice", [](GgufFile& f) { f.tensors[1].name = f.tensors[0].name; },
              {"tensor 'token_embd.weight' occurs twice"}),
      changed("NameOfNoByte", [](GgufFile& f) { f.tensors[1].name.clear(); },
              {"a name of 0 bytes"}),
      changed("NameOf256Bytes", [](GgufFile& f) { f.tensors[1].name.assign(256, 'n'); },
              {"a name of 256 bytes; 1 to 255"}),
      changed("NameOfTerminalCommands", [](GgufFile& f) { f.tensors[1].name = "x\n\x1b[2J"; },
              {"tensors of a llama decoder of 1 blocks are missing, the first is"}),
      changed("TensorMissing", [](GgufFile& f) { f.tensors.erase(f.tensors.begin() + 1); },
              {"1 tensors of a llama decoder", "'output_norm.weight'"}),
      changed("LayerIndexThatJumps",
              [](GgufFile& f) {
                for (GgufTensor& t : f.tensors)
                  if (t.name.starts_with("blk.0.")) t.name[4] = '1';
              },
              {"9 tensors of a llama decoder of 1 blocks are missing", "'blk.0."}),
      changed("DataCutShort", [](GgufFile& f) { f.tensors.back().bytes.pop_back(); },
              {"tensor 'blk.0.ffn_down.weight' needs 2048 bytes", "cut short"}),
      changed("NoData",
              [](GgufFile& f) {
                for (GgufTensor& t : f.tensors) t.bytes.clear();
              },
              {"but the data section has"}),
  };
}

std::vector<MalformedCase> all() {
  std::vector<MalformedCase> cases;
  for (auto group : {preambles, strings, values, alignments, tensors})
    for (MalformedCase& one : group()) cases.push_back(std::move(one));
  return cases;
}

class MalformedGguf : public ::testing::TestWithParam<MalformedCase> {};
TEST_P(MalformedGguf, IsRefusedByName) {
  expect_refused(GetParam(), [](const fs::path& folder) { Checkpoint::open(folder / "m.gguf"); });
}
INSTANTIATE_TEST_SUITE_P(Cases, MalformedGguf, ::testing::ValuesIn(all()), case_name);

/// Cut after any byte, a whole model is refused.
TEST(CutGguf, IsRefusedWhereverItIsCut) {
  const plumb::testing::TemporaryFolder folder;
  const std::string whole = sound().bytes();
  const size_t header = sound().header_size();
  const fs::path path = folder / "m.gguf";
  put(path, whole);
  ASSERT_NO_THROW(Checkpoint::open(path));
  for (size_t length = whole.size(); length-- > 0;) {
    if (length > header + 64 && length % 509 != 0) continue;  // within one tensor's bytes all alike
    fs::resize_file(path, length);
    const Error error = plumb::testing::error_of([&] { Checkpoint::open(path); });
    ASSERT_EQ(error.kind(), ErrorKind::kInput) << length;
  }
}

}  // namespace
}  // namespace plumb::models
