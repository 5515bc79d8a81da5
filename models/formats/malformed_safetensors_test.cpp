// Malformed safetensors files, each opened as a user's would be: as the model.safetensors of a folder.

#include <gmock/gmock.h>

#include <cstring>

#include "base/error.h"
#include "base/testing.h"
#include "fixtures/formats/gguf_file.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/formats/checkpoint.h"
#include "models/formats/malformed.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;
using fixtures::little_endian;
using fixtures::put;
using fixtures::safetensors_bytes;
using testing::MalformedCase;

const std::string& sound_config() {
  static const std::string config = [] {
    fixtures::TinyDecoderOptions small;
    small.block_count = 1;
    small.width = 16;
    small.feed_forward_width = 16;
    return fixtures::tiny_config_json(fixtures::tiny_decoder(small));
  }();
  return config;
}

/// A folder whose weights are `bytes`.
MalformedCase file(const std::string& name, const std::string& bytes,
                   std::vector<std::string> words) {
  const auto write = [bytes](const fs::path& folder) {
    put(folder / "config.json", sound_config());
    put(folder / "model.safetensors", bytes);
  };
  return {name, write, std::move(words)};
}

/// The same with `zeros` zero bytes behind, which take no room on disk.
MalformedCase sparse(const std::string& name, const std::string& bytes, uint64_t zeros,
                     std::vector<std::string> words) {
  const auto write = [bytes, zeros](const fs::path& folder) {
    put(folder / "config.json", sound_config());
    put(folder / "model.safetensors", bytes);
    fs::resize_file(folder / "model.safetensors", bytes.size() + zeros);
  };
  return {name, write, std::move(words)};
}

constexpr const char* kSound =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},)"
    R"("c":{"dtype":"F16","shape":[],"data_offsets":[32,34]}})";
const std::string kPayload(34, 'p');

MalformedCase header(const std::string& name, const std::string& json,
                     std::vector<std::string> words) {
  return file(name, safetensors_bytes(json, kPayload), std::move(words));
}

/// The same, for a header that is too long to be kept from the program's start on.
MalformedCase large(const std::string& name, std::function<std::string()> json,
                    std::vector<std::string> words) {
  const auto write = [json = std::move(json)](const fs::path& folder) {
    put(folder / "config.json", sound_config());
    put(folder / "model.safetensors", safetensors_bytes(json(), kPayload));
  };
  return {name, write, std::move(words)};
}

/// The sound file with the first `from` of its header made `to`.
MalformedCase changed(const std::string& name, const std::string& from, const std::string& to,
                      std::vector<std::string> words) {
  std::string json = kSound;
  const size_t at = json.find(from);
  if (at == std::string::npos) throw Error(ErrorKind::kInternal, name + ": nothing to change");
  return header(name, json.replace(at, from.size(), to), std::move(words));
}

std::vector<MalformedCase> lengths() {
  const std::string sound = safetensors_bytes(kSound, kPayload);
  const auto claims = [&](const std::string& name, uint64_t length,
                          std::vector<std::string> words) {
    return file(name, safetensors_bytes(kSound, kPayload, length), std::move(words));
  };
  const auto above = [&](const std::string& name, uint64_t length) {
    return claims(name, length,
                  {text("claims ", length, " bytes"), "at most 100000000 are allowed"});
  };
  const uint64_t size = sound.size();
  return {
      file("EmptyFile", "", {"is empty (0 bytes)", "cut short"}),
      file("OneByte", "\x10", {"header length needs 8 bytes at byte 0 but only 1 remain"}),
      file("SevenBytes", std::string(7, '\1'), {"needs 8 bytes at byte 0 but only 7 remain"}),
      file("NothingButALength", little_endian(uint64_t{2}), {"needs 2 bytes at byte 8 but only 0"}),
      claims("LengthZero", 0, {"the JSON is no object"}),
      claims("LengthOne", 1, {"the JSON is broken at byte"}),
      claims("LengthOfTheFile", size, {text("needs ", size, " bytes at byte 8")}),
      claims("LengthOfTheFileLess7", size - 7, {text("needs ", size - 7, " bytes at byte 8")}),
      claims("LengthIntoThePayload", size - 8, {"the JSON is broken at byte"}),
      claims("LengthOneShort", std::string(kSound).size() - 1, {"the JSON is broken at byte"}),
      above("LengthJustAboveTheLimit", 100'000'001),
      above("LengthTwoToThe31", uint64_t{1} << 31),
      above("LengthTwoToThe32", uint64_t{1} << 32),
      above("LengthTwoToThe63", uint64_t{1} << 63),
      above("LengthWhoseSumWith8Wraps", ~uint64_t{0} - 7),
      above("LengthTwoToThe64Less1", ~uint64_t{0}),
      sparse("LengthAboveTheLimitOfALargeFile", little_endian(uint64_t{100'000'001}),
             100'000'001, {"claims 100000001 bytes", "at most 100000000"}),
      sparse("HundredMegabytesOfZeros", little_endian(uint64_t{100'000'000}), 100'000'000,
             {"a NUL at byte 0"}),
      sparse("SparseTerabyte", safetensors_bytes(kSound, kPayload), uint64_t{1} << 40,
             {"1099511627776 bytes after the last tensor"}),
  };
}

std::string nested(size_t depth, const char* open, const char* close) {
  std::string out;
  for (size_t i = 0; i < depth; ++i) out += open;
  out += "1";
  for (size_t i = 0; i < depth; ++i) out += close;
  return out;
}

/// `count` members of `{"k<number>": <value>}`.
std::string members(size_t count, const std::string& value) {
  std::string out;
  out.reserve(count * (value.size() + 14));
  for (size_t i = 0; i < count; ++i) out += text(i ? "," : "", "\"k", i, "\":", value);
  return out;
}

std::vector<MalformedCase> texts() {
  const std::string empty = R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  return {
      changed("NotUtf8", "\"pt\"", "\"p\xff\"", {"the JSON is broken at byte", "UTF-8"}),
      changed("OverlongUtf8", "\"pt\"", "\"\xC0\xAF\"", {"the JSON is broken", "UTF-8"}),
      changed("SurrogateAsUtf8", "\"pt\"", "\"\xED\xA0\x80\"", {"the JSON is broken", "UTF-8"}),
      changed("AboveUnicode", "\"pt\"", "\"\xF4\x90\x80\x80\"", {"the JSON is broken", "UTF-8"}),
      changed("LoneSurrogate", "\"pt\"", "\"\\ud800\"", {"the JSON is broken", "surrogate"}),
      changed("LoneLowSurrogate", "\"pt\"", "\"\\udc00x\"", {"the JSON is broken", "surrogate"}),
      changed("UnknownEscape", "\"pt\"", "\"\\x41\"", {"the JSON is broken"}),
      changed("RawNewlineInAName", "\"a\"", "\"a\n\"", {"the JSON is broken", "control"}),
      header("ByteOrderMark", "\xEF\xBB\xBF{}", {"a byte-order mark where '{' is needed"}),
      header("Utf16", std::string("{\0}\0", 4), {"a NUL at byte 1"}),
      header("PaddedWithNul", std::string(kSound) + std::string(8, '\0'), {"a NUL at byte"}),
      changed("NulInAName", "\"a\"", std::string("\"a\0\"", 4), {"a NUL at byte"}),
      header("JunkAfterTheObject", std::string(kSound) + "x", {"the JSON is broken at byte"}),
      header("TwoObjects", std::string(kSound) + "{}", {"the JSON is broken at byte"}),
      header("RootIsAnArray", "[]", {"the JSON is no object"}),
      header("RootIsAString", "\"a\"", {"the JSON is no object"}),
      header("RootIsANumber", "7", {"the JSON is no object"}),
      header("RootIsNull", "null", {"the JSON is no object"}),
      header("NothingButSpaces", "        ", {"the JSON is no object"}),
      header("Unterminated", "{\"a\":{\"dtype\":\"F32\"", {"the JSON is broken at byte"}),
      header("UnterminatedName", "{\"a", {"the JSON is broken at byte"}),
      header("SingleQuotes", "{'a':{}}", {"the JSON is broken at byte 2"}),
      header("Comment", "{/* */}", {"the JSON is broken at byte 2"}),
      header("CommaAtTheEnd", "{\"__metadata__\":{},}", {"the JSON is broken at byte"}),
      header("NoColon", "{\"a\" {}}", {"the JSON is broken at byte"}),
      header("PythonConstants", "{\"a\":None}", {"the JSON is broken at byte"}),
      header("NotANumber", "{\"a\":{\"shape\":[NaN]}}", {"the JSON is broken at byte"}),
      header("TenThousandObjectsDeep", nested(10'000, "{\"a\":", "}"), {"nests an object inside"}),
      header("TenThousandArraysDeep", text("{\"a\":{\"shape\":", nested(10'000, "[", "]"), "}}"),
             {"nested deeper than 3 levels"}),
      large("MillionKeys",
            [] { return text("{\"__metadata__\":{", members(1'000'000, "\"\""), "}}"); },
            {"__metadata__ has more than", "65536 pairs"}),
      large("MegabytesOfBrackets",
            [] {
              std::string empties = "{\"a\":{\"shape\":[";
              for (int i = 0; i < 1'000'000; ++i) empties += "[],";
              return empties + "]}}";
            },
            {"number or white space of", "are allowed"}),
      large("MillionPlainKeys", [] { return text("{", members(1'000'000, "0"), "}"); },
            {"a plain value at 'k0'", "an object is needed"}),
      large("SeventyThousandEmptyTensors",
            [empty] { return text("{", members(70'000, empty), "}"); },
            {"more than 65536 tensors"}),
      large("SixtyThousandEmptyTensors", [empty] { return text("{", members(60'000, empty), "}"); },
            {"34 bytes after the last tensor"}),
      large("FiveMegabytesOfDigits",
            [] { return text("{\"a\":", std::string(5'000'000, '1'), "}"); },
            {"number or white space of 5000001 bytes", "are allowed"}),
  };
}

std::vector<MalformedCase> doubles() {
  const std::string tensor = R"({"dtype":"F32","shape":[2,3],"data_offsets":[0,24]})";
  return {
      changed("TensorTwice", "\"b\"", "\"a\"", {"the header names 'a' twice"}),
      changed("TensorTwiceInOtherWords", "\"b\"", "\"\\u0061\"", {"the header names 'a' twice"}),
      header("SameTensorTwice", "{\"a\":" + tensor + ",\"a\":" + tensor + "}",
             {"the header names 'a' twice"}),
      changed("ShapeTwice", "[2,3]", "[2,3],\"shape\":[6]", {"gives 'a/shape' twice"}),
      changed("DtypeTwice", "\"F32\"", "\"F32\",\"dtype\":\"F32\"", {"gives 'a/dtype' twice"}),
      changed("OffsetsTwice", "[0,24]", "[0,24],\"data_offsets\":[0,24]",
              {"gives 'a/data_offsets' twice"}),
      changed("MetadataKeyTwice", "\"pt\"", "\"pt\",\"format\":\"np\"", {"names 'format' twice"}),
      changed("MetadataTwice", "\"b\"", R"("__metadata__":{"x":"y"},"b")",
              {"names '__metadata__' twice"}),
  };
}

std::vector<MalformedCase> numbers() {
  std::vector<MalformedCase> cases;
  const auto bad = [&](const std::string& name, const std::string& number, const std::string& why) {
    cases.push_back(changed("Offset" + name, "[0,24]", text("[0,", number, "]"), {why}));
    cases.push_back(changed("Dimension" + name, "[2,3]", text("[", number, ",3]"), {why}));
  };
  const std::string whole = "what is no whole number below 2^63";
  bad("WithAnExponent", "1e3", whole);
  bad("MinusZero", "-0", whole);
  bad("Negative", "-24", whole);
  bad("WithAPoint", "24.0", whole);
  bad("AsText", "\"24\"", whole);
  bad("True", "true", whole);
  bad("Null", "null", whole);
  bad("TwoToThe63", "9223372036854775808", whole);
  bad("TwoToThe64", "18446744073709551616", whole);
  bad("OfThirtyDigits", std::string(30, '9'), whole);
  bad("BeyondDoubles", "1e999", "the JSON is broken");
  bad("WithALeadingZero", "024", "the JSON is broken");
  bad("WithAPlus", "+24", "the JSON is broken");
  bad("InHexadecimal", "0x18", "the JSON is broken");
  return cases;
}

std::vector<MalformedCase> tensors() {
  const std::string fields = "dtype, shape and data_offsets are known";
  std::vector<MalformedCase> cases = {
      changed("DtypeMissing", R"("dtype":"F32",)", "", {"'a' lacks its dtype"}),
      changed("ShapeMissing", R"("shape":[2,3],)", "", {"'a' lacks its shape"}),
      changed("OffsetsMissing", R"(,"data_offsets":[0,24])", "",
              {"'a' lacks its two data_offsets"}),
      changed("FieldTooMany", "\"dtype\"", "\"x\":1,\"dtype\"", {"unknown", "'a/x'", fields}),
      changed("NoOffset", "[0,24]", "[]", {"'a' lacks its two data_offsets"}),
      changed("OneOffset", "[0,24]", "[0]", {"'a' lacks its two data_offsets"}),
      changed("ThreeOffsets", "[0,24]", "[0,24,24]", {"'a' has more than 2 data_offsets"}),
      changed("OffsetsInAnArray", "[0,24]", "[[0,24]]", {"nested deeper than 3 levels"}),
      changed("OffsetsNoArray", "[0,24]", "24", {"mistyped field at 'a/data_offsets'", fields}),
      changed("ShapeNoArray", "[2,3]", "6", {"mistyped field at 'a/shape'", fields}),
      changed("ShapeOfObjects", "[2,3]", "[{}]", {"nested deeper than 3 levels"}),
      changed("ShapeAnObject", "[2,3]", "{}", {"nests an object inside 'a'"}),
      changed("DtypeANumber", "\"F32\"", "32", {"mistyped field at 'a/dtype'", fields}),
      changed("TensorAnArray", "\"a\":{", "\"x\":[],\"a\":{", {"an array at 'x'"}),
      changed("TensorANumber", "\"a\":{", "\"x\":7,\"a\":{",
              {"a plain value at 'x'", "an object is needed"}),
      changed("NameEmpty", "\"a\"", "\"\"", {"a name of 0 bytes", "1 to 4096"}),
      large("NameOfAMegabyte", [] { return text("{\"", std::string(1 << 20, 'n'), "\":{}}"); },
            {"the JSON holds a string, number or white space of 1048582 bytes"}),
      large("NameOfAMegabyteAmongOthers",
            [] {
              const std::string name(1 << 20, 'n');
              return text("{\"", name, "\":{},\"x", name, "\":{},\"y", name, "\":{}}");
            },
            {"a name of 1048576 bytes", "1 to 4096"}),
      changed("DimensionsTooMany", "[2,3]", text("[1", nested(63, ",1", "").substr(0, 126), ",6]"),
              {"'a' has more than 64 dimensions"}),
  };
  for (const char* dtype : {"F64", "I64", "U8", "BOOL", "F8_E4M3", "F4", "f32", "float32", ""})
    cases.push_back(changed("Dtype" + (*dtype ? std::string(dtype) : "Empty"), "\"F32\"",
                            text('"', dtype, '"'),
                            {text("dtype '", dtype, "'; Plumb reads F32, F16 and BF16")}));
  return cases;
}

std::vector<MalformedCase> places() {
  const std::string overflow = "number of values does not fit 64 bits";
  return {
      changed("BeginAfterEnd", "[0,24]", "[24,0]", {"spans bytes 24..0", "the payload has 34"}),
      changed("EndBeyondThePayload", "[32,34]", "[32,36]", {"spans bytes 32..36", "has 34"}),
      changed("EndNearTwoToThe63", "[32,34]", "[32,9223372036854775807]", {"the payload has 34"}),
      changed("Overlap", "[24,32]", "[20,28]", {"begins at byte 20 where 24 is due", "an overlap"}),
      changed("SameRangeTwice", "[24,32]", "[0,24]", {"begins at byte 0 where 24", "an overlap"}),
      changed("Hole", "[24,32]", "[25,33]", {"begins at byte 25 where 24 is due", "a hole"}),
      changed("HoleAtTheBeginning", "[0,24]", "[8,24]", {"byte 8 where 0 is due", "a hole"}),
      changed("FewerBytesThanTheShape", "[2,3]", "[2,4]", {"holds 24 bytes, its shape needs 32"}),
      changed("MoreBytesThanTheShape", "[2,3]", "[5]", {"holds 24 bytes, its shape needs 20"}),
      changed("BytesForAZeroDimension", "[2,3]", "[0,3]", {"holds 24 bytes, its shape needs 0"}),
      changed("ProductWrapsToSmall", "[2,3]", "[2,9223372036854775807]", {"do not fit 63 bits"}),
      changed("ProductTwoTimesAlmostTwoToThe64", "[2,3]", "[2,18446744073709551614]",
              {"no whole number below 2^63"}),
      changed("ProductTwoToThe64", "[2,3]", "[4611686018427387904,4]", {overflow}),
      changed("BytesTwoToThe64", "[2,3]", "[4611686018427387904]", {"do not fit 63 bits"}),
      changed("SquareOfTwoToThe63", "[2,3]", "[9223372036854775807,9223372036854775807]",
              {overflow}),
      changed("ZeroHidesAnOverflow", "[2,3]", "[4611686018427387904,0,4611686018427387904]",
              {overflow}),
      file("OneByteShort", safetensors_bytes(kSound, kPayload.substr(1)),
           {"spans bytes 32..34 but the payload has 33", "cut short"}),
      file("OneByteTooMany", safetensors_bytes(kSound, kPayload + "x"),
           {"1 bytes after the last tensor"}),
      file("ZipAppended", safetensors_bytes(kSound, kPayload + "PK\5\6" + std::string(18, '\0')),
           {"22 bytes after the last tensor"}),
      file("FileTwice", safetensors_bytes(kSound, kPayload) + safetensors_bytes(kSound, kPayload),
           {"bytes after the last tensor"}),
      file("NoPayload", safetensors_bytes(kSound, ""), {"the payload has 0", "cut short"}),
      file("Gguf", text("GGUF", std::string(200, '\3')), {"claims 2170205", "at most 100000000"}),
      file("PageOfHtml", "<!DOCTYPE html><html><body>Sign in</body></html>",
           {"header claims", "no safetensors file"}),
      file("PointerOfGitLfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
           {"header claims", "no safetensors file"}),
  };
}

std::vector<MalformedCase> metadata() {
  const auto megabytes = [] {
    std::string json = "{\"__metadata__\":{\"format\":\"pt\"";
    for (int i = 0; i < 9; ++i) json += text(",\"m", i, "\":\"", std::string(1 << 20, 'm'), '"');
    return json + "}}";
  };
  const auto one_of_99 = [] {
    return text("{\"__metadata__\":{\"format\":\"", std::string(99'000'000, 'm'), "\"}}");
  };
  return {
      changed("MetadataNumber", "\"pt\"", "7",
              {"a value that is no text at '__metadata__/format'"}),
      changed("MetadataNull", "\"pt\"", "null", {"no text at '__metadata__/format'"}),
      changed("MetadataObject", "\"pt\"", "{\"x\":\"y\"}", {"nests an object"}),
      changed("MetadataArray", "\"pt\"", "[\"x\"]", {"an array at '__metadata__/format'"}),
      changed("MetadataItselfText", "{\"format\":\"pt\"}", "\"pt\"", {"'__metadata__'", "object"}),
      changed("MetadataItselfAnArray", "{\"format\":\"pt\"}", "[]", {"an array at '__metadata__'"}),
      large("MetadataOf99Megabytes", one_of_99,
            {"a string, number or white space of 99000004 bytes"}),
      large("MetadataOf9Megabytes", megabytes, {"__metadata__ has more than 8388608 bytes"}),
  };
}

// Names that are legal in the format and have no place in a model.
std::vector<MalformedCase> names() {
  std::vector<MalformedCase> cases;
  const auto named = [&](const std::string& name, const std::string& json,
                         const std::string& shown) {
    auto tensor = fixtures::safetensors_bytes(
        "{\"" + json + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "1234");
    cases.push_back(file("Name" + name, tensor, {"tensors of a llama decoder", "are missing"}));
    cases.push_back({"ExtraTensor" + name,
                     [json](const fs::path& folder) {
                       fixtures::TinyDecoderOptions small;
                       small.block_count = 1;
                       small.width = 16;
                       small.feed_forward_width = 16;
                       const auto decoder = fixtures::tiny_decoder(small);
                       std::string bytes = fixtures::safetensors_bytes(
                           fixtures::tiny_tensors(decoder, StoredType::kF32));
                       uint64_t length = 0;
                       std::memcpy(&length, bytes.data(), sizeof length);
                       const std::string head =
                           bytes.substr(8, length - 1) + ",\"" + json +
                           R"(":{"dtype":"F32","shape":[0],"data_offsets":[)" +
                           text(bytes.size() - 8 - length, ",", bytes.size() - 8 - length, "]}}");
                       put(folder / "config.json", fixtures::tiny_config_json(decoder));
                       put(folder / "model.safetensors",
                           safetensors_bytes(head, std::string_view(bytes).substr(8 + length)));
                     },
                     {"tensor " + shown + " has no place in a llama decoder of 1 blocks"}});
  };
  named("WithNul", "x\\u0000y", "'x\\x00y'");
  named("LeadingOut", "../../etc/x", "'../../etc/x'");
  named("OfAScript", "<script>alert(1)</script>", "'<script>alert(1)</script>'");
  named("OfTerminalCommands", "x\\n\\u001b[2J", "'x\\x0a\\x1b[2J'");
  return cases;
}

std::vector<MalformedCase> all() {
  std::vector<MalformedCase> cases;
  for (auto group : {lengths, texts, doubles, numbers, tensors, places, metadata, names})
    for (MalformedCase& one : group()) cases.push_back(std::move(one));
  return cases;
}

class MalformedSafetensors : public ::testing::TestWithParam<MalformedCase> {};
TEST_P(MalformedSafetensors, IsRefusedByName) {
  testing::expect_refused(GetParam(), [](const fs::path& folder) { Checkpoint::open(folder); });
}
INSTANTIATE_TEST_SUITE_P(Cases, MalformedSafetensors, ::testing::ValuesIn(all()),
                         testing::case_name);

}  // namespace
}  // namespace plumb::models
