#include "models/streamed_blocks.h"

#include <ATen/ops/arange.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <numeric>
#include <set>

#include "base/testing.h"
#include "fixtures/formats/golden_model.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/decoder.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.defined() == b.defined() &&
         (!a.defined() || (a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
                           std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0));
}

bool same_block(const Block& a, const Block& b) {
  return a.original_index == b.original_index && same_bits(a.attention_norm, b.attention_norm) &&
         same_bits(a.query_key_value, b.query_key_value) &&
         same_bits(a.attention_out, b.attention_out) &&
         same_bits(a.feed_forward_norm, b.feed_forward_norm) && same_bits(a.gate_up, b.gate_up) &&
         same_bits(a.down, b.down);
}

/// A model of 6 blocks in a folder of its own.
class StreamedBlocksOf : public ::testing::TestWithParam<Dtype> {
 protected:
  StreamedBlocksOf() {
    fixtures::write_tiny_folder(
        folder_ / "model", fixtures::tiny_decoder({.tied_embeddings = false}), StoredType::kF32, 2);
  }
  Checkpoint checkpoint() const { return Checkpoint::open(folder_ / "model"); }
  at::ScalarType type() const { return scalar_type(GetParam()); }

  testing::TemporaryFolder folder_;
};

TEST_P(StreamedBlocksOf, AreTheResidentOnesInAnyOrderExpectedOrNot) {
  const Decoder resident = Decoder::load(checkpoint(), GetParam());
  for (const bool pin : {false, true}) {
    StreamedBlocks stream(checkpoint(), type(), pin);
    const std::vector<int64_t> asked{0, 1, 2, 5, 3, 3, 4, 5, 0, 5, 2};
    stream.expect(asked);
    for (const int64_t index : asked)
      EXPECT_TRUE(same_block(*stream.block(index), *resident.block(index))) << index;
    stream.expect(std::vector<int64_t>{4, 5});
    for (const int64_t index : {2, 3, 1, 4, 0})  // others than was said
      EXPECT_TRUE(same_block(*stream.block(index), *resident.block(index))) << index;
  }
}

TEST_P(StreamedBlocksOf, NeedMemoryForTwoAndReadEachOnceAPass) {
  StreamedBlocks stream(checkpoint(), type(), false);
  std::vector<int64_t> pass(6);
  std::iota(pass.begin(), pass.end(), 0);
  std::set<const void*> places;
  for (int64_t passes = 1; passes <= 3; ++passes) {
    stream.expect(pass);
    for (const int64_t index : pass) places.insert(stream.block(index)->down.const_data_ptr());
    EXPECT_EQ(stream.blocks_read(), 6 * passes);
  }
  EXPECT_LE(places.size(), 2u);  // one where the thread was late
}

TEST_P(StreamedBlocksOf, StayAsTheyAreForWhoHoldsThem) {
  const Decoder resident = Decoder::load(checkpoint(), GetParam());
  StreamedBlocks stream(checkpoint(), type(), false);
  stream.expect(std::vector<int64_t>{0, 1, 2, 3});
  const std::shared_ptr<const Block> block = stream.block(0);
  const at::Tensor down = stream.block(1)->down;
  for (const int64_t index : {2, 3, 4, 5}) stream.block(index);
  EXPECT_TRUE(same_block(*block, *resident.block(0)));
  EXPECT_TRUE(same_bits(down, resident.block(1)->down));
}

TEST_P(StreamedBlocksOf, GiveADecoderThatComputesTheSameBits) {
  const Decoder resident = Decoder::load(checkpoint(), GetParam());
  const Decoder stream = Decoder::stream(checkpoint(), GetParam());
  EXPECT_FALSE(stream.embedding().defined()) << "an untied embedding is read by rows";
  EXPECT_EQ(stream.weight_bytes(), resident.weight_bytes());
  const at::Tensor tokens = at::arange(40).mul(31).remainder(256).view({2, 20});
  EXPECT_TRUE(same_bits(stream.embed(tokens), resident.embed(tokens)));
  const std::vector<int64_t> kept{0, 2, 5};
  for (const auto& [a, b] : {std::pair(resident, stream),
                             std::pair(resident.with_blocks(kept), stream.with_blocks(kept))})
    EXPECT_TRUE(same_bits(fixtures::logits_of(a, tokens), fixtures::logits_of(b, tokens)));
}

TEST_P(StreamedBlocksOf, ThrowAFaultOfTheirThreadWhereTheBlockIsAskedFor) {
  StreamedBlocks stream(checkpoint(), type(), false);
  const TensorEntry entry = *checkpoint().find(Role::kDown, 5);
  std::fstream file(checkpoint().files().at(entry.file), std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(entry.begin));
  file << std::string(8, '\xff') << std::flush;  // two NaNs
  stream.expect(std::vector<int64_t>{0, 5, 1});
  stream.block(0);
  const Error error = testing::error_of([&] { stream.block(5); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("block 5: "));
  EXPECT_THAT(error.what(), HasSubstr("2 values that are NaN"));
  EXPECT_EQ(stream.block(1)->original_index, 1) << "the others are there all the same";
}

TEST_P(StreamedBlocksOf, RefuseABlockThatIsNotThere) {
  StreamedBlocks stream(checkpoint(), type(), true);
  for (const int64_t index : {-1, 6})
    EXPECT_EQ(testing::error_of([&] { stream.block(index); }).kind(), ErrorKind::kInvariant);
}

INSTANTIATE_TEST_SUITE_P(Dtypes, StreamedBlocksOf, ::testing::Values(Dtype::kFp32, Dtype::kBf16));

TEST(StreamedBlocks, OfEveryFamilyHaveTheSizeAndTheLogitsOfResidentOnes) {
  const fixtures::GoldenArchitectures golden(std::string(PLUMB_SOURCE_DIR) +
                                             "/fixtures/golden/architectures.json");
  const testing::TemporaryFolder folder;
  int number = 0;
  for (const auto& one : golden.cases) {
    const fs::path model = folder / text(number++);
    fixtures::write_golden_model(model, one);
    const auto checkpoint = Checkpoint::open(model);
    for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16}) {
      const Decoder resident = Decoder::load(checkpoint, dtype);
      const Decoder stream = Decoder::stream(checkpoint, dtype, number % 2 == 0);
      EXPECT_EQ(stream.block_bytes(), resident.block_bytes()) << model;
      EXPECT_TRUE(same_bits(fixtures::logits_of(stream, golden.tokens),
                            fixtures::logits_of(resident, golden.tokens)))
          << checkpoint.config().architecture;
    }
  }
}

}  // namespace
}  // namespace plumb::models
