// What is in a checkpoint's bytes: values that are no numbers, and bytes that were flipped.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/decoder.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;
using fixtures::GgufFile;
using fixtures::little_endian;
using fixtures::put;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

Decoder small_decoder() {
  fixtures::TinyDecoderOptions small;
  small.block_count = 2;
  small.width = 32;
  small.head_count = 2;
  small.feed_forward_width = 32;
  return fixtures::tiny_decoder(small);
}

class WeightsThatAreNoNumbers : public ::testing::TestWithParam<Dtype> {
 protected:
  std::string refusal(const GgufFile& file) const {
    put(folder_ / "m.gguf", file.bytes());
    const Checkpoint checkpoint = Checkpoint::open(folder_ / "m.gguf");  // reads no weight
    const Error error = error_of([&] { Decoder::load(checkpoint, GetParam()); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  TemporaryFolder folder_;
  Decoder decoder_ = small_decoder();
};

TEST_P(WeightsThatAreNoNumbers, AreNamedByFileTensorBlockCountAndPlace) {
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::signaling_NaN(),
        std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    GgufFile file = fixtures::tiny_gguf(decoder_, StoredType::kF32);
    std::string& bytes = file.tensor("blk.1.ffn_up.weight").bytes;
    for (const size_t at : {size_t{900}, size_t{3 * 32 + 5}})
      bytes.replace(4 * at, 4, little_endian(value));
    EXPECT_THAT(refusal(file),
                HasSubstr("m.gguf: tensor 'blk.1.ffn_up.weight' holds 2 values that are NaN or "
                          "infinite"));
    EXPECT_THAT(refusal(file), HasSubstr("the first at index 101 (row 3, column 5)"));
  }
}

TEST_P(WeightsThatAreNoNumbers, AreFoundInEveryTensorAndType) {
  const auto sound = fixtures::tiny_gguf(decoder_, StoredType::kF32);
  for (size_t i = 0; i < sound.tensors.size(); ++i) {
    GgufFile file = sound;
    std::string& bytes = file.tensors[i].bytes;
    bytes.replace(bytes.size() - 4, 4, little_endian(std::numeric_limits<float>::infinity()));
    EXPECT_THAT(refusal(file), HasSubstr("'" + file.tensors[i].name + "' holds 1 values"));
  }
  for (const StoredType type : {StoredType::kF16, StoredType::kQ8_0, StoredType::kQ4_0,
                                StoredType::kQ4_1, StoredType::kQ5_0, StoredType::kQ5_1}) {
    GgufFile file = fixtures::tiny_gguf(decoder_, type);
    // An infinite fp16: a value of F16, the scale of a whole storage block of the others.
    file.tensor("blk.0.attn_q.weight").bytes.replace(0, 2, little_endian(uint16_t{0x7c00}));
    EXPECT_THAT(refusal(file), HasSubstr("'blk.0.attn_q.weight' holds"));
  }
}
INSTANTIATE_TEST_SUITE_P(Dtypes, WeightsThatAreNoNumbers,
                         ::testing::Values(Dtype::kFp32, Dtype::kBf16));

TEST(Weights, ThatOnlyBf16CannotHoldAreRefusedInBf16Alone) {
  const TemporaryFolder folder;
  GgufFile file = fixtures::tiny_gguf(small_decoder(), StoredType::kF32);
  // Half of the way from the largest bf16 to 2^128, and so the least that rounds to infinity.
  const float large = 0x1.ffp127f;
  file.tensor("blk.1.ffn_up.weight").bytes.replace(0, 4, little_endian(large));
  put(folder / "m.gguf", file.bytes());
  const Checkpoint checkpoint = Checkpoint::open(folder / "m.gguf");
  EXPECT_NO_THROW(Decoder::load(checkpoint, Dtype::kFp32));
  EXPECT_THAT(error_of([&] { Decoder::load(checkpoint, Dtype::kBf16); }).what(),
              HasSubstr("NaN or infinite in bf16, the first at index 0"));
}

TEST(Weights, ThatAreCutShortAfterOpeningAreAnErrorAndNoCrash) {
  const TemporaryFolder folder;
  put(folder / "m.gguf", fixtures::tiny_gguf(small_decoder(), StoredType::kF32).bytes());
  const Checkpoint checkpoint = Checkpoint::open(folder / "m.gguf");
  fs::resize_file(folder / "m.gguf", fs::file_size(folder / "m.gguf") - 1);
  const Error error = error_of([&] { Decoder::load(checkpoint, Dtype::kFp32); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("become shorter since it was opened"));
}

/// Whole models with flipped bytes: opened and loaded, or refused in words.
class ModelWithFlippedBytes : public ::testing::Test {
 protected:
  static void expect_loaded_or_refused(const fs::path& model) {
    try {
      Decoder::load(Checkpoint::open(model), Dtype::kFp32);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
  static std::string flipped(std::string bytes, size_t within, Rng& rng) {
    for (uint64_t flips = 1 + rng.below(3); flips > 0; --flips)
      bytes[rng.below(within)] = static_cast<char>(rng.below(256));
    return bytes;
  }
  TemporaryFolder folder_;
  Decoder decoder_ = small_decoder();
};

TEST_F(ModelWithFlippedBytes, LoadsOrIsRefusedAsAGguf) {
  const GgufFile file = fixtures::tiny_gguf(decoder_, StoredType::kQ4_0);
  const std::string good = file.bytes();
  for (uint64_t round = 0; round < 300; ++round) {
    Rng rng(1, round);
    put(folder_ / "m.gguf", flipped(good, file.header_size(), rng));
    expect_loaded_or_refused(folder_ / "m.gguf");
  }
}

TEST_F(ModelWithFlippedBytes, LoadsOrIsRefusedAsAFolder) {
  const fs::path model = folder_ / "model";
  const std::string config = fixtures::tiny_config_json(decoder_);
  const std::string good =
      fixtures::safetensors_bytes(fixtures::tiny_tensors(decoder_, StoredType::kF16));
  uint64_t header = 0;
  std::memcpy(&header, good.data(), sizeof header);
  for (uint64_t round = 0; round < 300; ++round) {
    Rng rng(1, round);
    const bool in_config = rng.below(2) == 0;
    put(model / "config.json", in_config ? flipped(config, config.size(), rng) : config);
    put(model / "model.safetensors", in_config ? good : flipped(good, header + 8, rng));
    expect_loaded_or_refused(model);
  }
}

}  // namespace
}  // namespace plumb::models
