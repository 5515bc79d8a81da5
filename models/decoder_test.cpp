#include "models/decoder.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/rng.h"
#include "fixtures/synthetic/tiny_decoder.h"

namespace plumb::models {
namespace {

using fixtures::tiny_decoder;
using fixtures::TinyDecoderOptions;

at::Tensor random_tokens(int64_t sequences, int64_t count, int64_t vocabulary, uint64_t seed) {
  at::Tensor ids = at::arange(sequences * count).view({sequences, count});
  Rng rng(seed);
  for (int64_t i = 0; i < ids.numel(); ++i)
    ids.mutable_data_ptr<int64_t>()[i] =
        static_cast<int64_t>(rng.below(static_cast<uint64_t>(vocabulary)));
  return ids;
}

at::Tensor run_all(const Decoder& decoder, const at::Tensor& tokens) {
  at::Tensor x = decoder.embed(tokens);
  for (int64_t i = 0; i < decoder.block_count(); ++i) decoder.run_block_in_place(i, x);
  return x;
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor p = a.contiguous(), q = b.contiguous();
  return p.sizes() == q.sizes() && p.scalar_type() == q.scalar_type() &&
         std::memcmp(p.const_data_ptr(), q.const_data_ptr(), p.nbytes()) == 0;
}

/// Largest difference, relative to the largest value of `expected`.
double relative_difference(const at::Tensor& actual, const std::vector<float>& expected) {
  const at::Tensor flat = actual.contiguous().view(-1);
  EXPECT_EQ(flat.numel(), static_cast<int64_t>(expected.size()));
  double largest = 0, difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    difference =
        std::max(difference, std::abs(static_cast<double>(flat.const_data_ptr<float>()[i]) -
                                      static_cast<double>(expected[i])));
  }
  return difference / largest;
}

TinyDecoderOptions options_of(const nlohmann::json& o) {
  TinyDecoderOptions options;
  options.block_count = o.at("block_count");
  options.width = o.at("width");
  options.head_count = o.at("head_count");
  options.kv_head_count = o.at("kv_head_count");
  options.feed_forward_width = o.at("feed_forward_width");
  options.vocabulary_size = o.at("vocabulary_size");
  options.tied_embeddings = o.at("tied_embeddings");
  options.seed = o.at("seed");
  options.identity_blocks = o.at("identity_blocks").get<std::vector<int64_t>>();
  return options;
}

class DecoderReference : public ::testing::TestWithParam<size_t> {
 protected:
  static nlohmann::json load() {
    std::ifstream in(PLUMB_SOURCE_DIR "/fixtures/golden/decoder_reference.json");
    return nlohmann::json::parse(in).at("cases").at(GetParam());
  }
};

// The project's bound against transformers is 1e-4; two fp32 implementations of a few hundred
// products per sum, six blocks deep, differ by some tens of roundings of 2^-24, so 1e-5 is asked
// here.
constexpr double kParity = 1e-5;

TEST_P(DecoderReference, EqualsTransformersAfterEveryBlock) {
  const nlohmann::json golden = load();
  const Decoder decoder = tiny_decoder(options_of(golden.at("options")));
  const auto rows = golden.at("tokens").get<std::vector<std::vector<int64_t>>>();
  const auto count = static_cast<int64_t>(rows[0].size());
  std::vector<int64_t> ids;
  for (const auto& row : rows) ids.insert(ids.end(), row.begin(), row.end());
  const at::Tensor tokens = at::tensor(ids).view({static_cast<int64_t>(rows.size()), count});

  at::Tensor x = decoder.embed(tokens);
  for (int64_t i = 0; i < decoder.block_count(); ++i) {
    x = decoder.run_block(i, x);
    const auto expected =
        golden.at("last_states").at(static_cast<size_t>(i)).get<std::vector<float>>();
    EXPECT_LT(relative_difference(x.select(1, count - 1), expected), kParity) << "block " << i;
  }
  EXPECT_LT(relative_difference(decoder.logits(x.narrow(1, count - 2, 2)),
                                golden.at("logits").get<std::vector<float>>()),
            kParity);
  const at::Tensor losses =
      decoder.cross_entropy(x.narrow(1, 0, count - 1).reshape({-1, x.size(2)}),
                            tokens.narrow(1, 1, count - 1).reshape(-1));
  EXPECT_LT(relative_difference(losses, golden.at("losses").get<std::vector<float>>()), kParity);
}
INSTANTIATE_TEST_SUITE_P(Cases, DecoderReference, ::testing::Values(0, 1, 2));

class DecoderOfDtype : public ::testing::TestWithParam<Dtype> {};
INSTANTIATE_TEST_SUITE_P(Dtypes, DecoderOfDtype, ::testing::Values(Dtype::kFp32, Dtype::kBf16));

TEST_P(DecoderOfDtype, GivesTheSameBitsTwice) {
  const Decoder decoder = tiny_decoder({.dtype = GetParam()});
  const at::Tensor tokens = random_tokens(3, 70, 256, 5);
  EXPECT_TRUE(same_bits(run_all(decoder, tokens), run_all(decoder, tokens)));
}

TEST_P(DecoderOfDtype, PassesThroughAnIdentityBlockToTheLastBit) {
  const Decoder decoder = tiny_decoder({.dtype = GetParam(), .identity_blocks = {3}});
  const at::Tensor x = decoder.embed(random_tokens(2, 33, 256, 6));
  EXPECT_TRUE(same_bits(decoder.run_block(3, x), x));
  EXPECT_FALSE(same_bits(decoder.run_block(2, x), x));
}

TEST_P(DecoderOfDtype, WritesInPlaceWhatItReturnsOtherwise) {
  const Decoder decoder = tiny_decoder({.dtype = GetParam()});
  const at::Tensor x = decoder.embed(random_tokens(2, 20, 256, 7)), before = x.clone();
  at::Tensor y = x.clone();
  decoder.run_block_in_place(1, y);
  EXPECT_TRUE(same_bits(decoder.run_block(1, x), y));
  EXPECT_TRUE(same_bits(x, before)) << "run_block must leave its input alone";
}

TEST_P(DecoderOfDtype, KeepsTheOrderOfTheBlocksThatStay) {
  const Decoder decoder = tiny_decoder({.dtype = GetParam()});
  const at::Tensor tokens = random_tokens(2, 20, 256, 8);
  const std::vector<int64_t> kept = {0, 2, 5};
  const Decoder pruned = decoder.with_blocks(kept);
  ASSERT_EQ(pruned.config().block_count, 3);
  EXPECT_EQ(pruned.block(2)->original_index, 5);
  EXPECT_EQ(pruned.block(2)->down.const_data_ptr(), decoder.block(5)->down.const_data_ptr());
  at::Tensor x = decoder.embed(tokens);
  for (const int64_t i : kept) x = decoder.run_block(i, x);
  EXPECT_TRUE(same_bits(run_all(pruned, tokens), x));
}

TEST_P(DecoderOfDtype, LetsNoLaterTokenChangeAnEarlierState) {
  const Decoder decoder = tiny_decoder({.dtype = GetParam()});
  const at::Tensor tokens = random_tokens(1, 40, 256, 9);
  at::Tensor changed = tokens.clone();
  changed.mutable_data_ptr<int64_t>()[39] = (changed.const_data_ptr<int64_t>()[39] + 1) % 256;
  const at::Tensor x = run_all(decoder, tokens), y = run_all(decoder, changed);
  EXPECT_TRUE(same_bits(x.narrow(1, 0, 39), y.narrow(1, 0, 39)));
  EXPECT_FALSE(same_bits(x, y));
}

TEST_P(DecoderOfDtype, ContinuesFromACacheAsIfTheSequenceWereWhole) {
  const Decoder decoder = tiny_decoder({.dtype = GetParam()});
  const at::Tensor tokens = random_tokens(2, 37, 256, 10);
  KvCache cache = decoder.make_cache(2, 37);
  const at::Tensor prefill = decoder.forward_cached(tokens.narrow(1, 0, 30), cache);
  const at::Tensor middle = decoder.forward_cached(tokens.narrow(1, 30, 6), cache);
  const at::Tensor last = decoder.forward_cached(tokens.narrow(1, 36, 1), cache);
  EXPECT_EQ(cache.length, 37);
  const at::Tensor whole = run_all(decoder, tokens).to(at::kFloat);
  // Other shapes take other kernels, so the bits differ: fp32 by tens of roundings of 2^-24. In
  // bf16 each of the 12 residual additions may fall to the other neighbour, 2^-8 of the largest
  // state.
  const double bound = GetParam() == Dtype::kFp32 ? 1e-5 : 12.0 / 256;
  const auto near = [&](const at::Tensor& part, int64_t first) {
    const at::Tensor expected = whole.narrow(1, first, part.size(1)).contiguous();
    const auto* data = expected.const_data_ptr<float>();
    EXPECT_LT(relative_difference(part.to(at::kFloat), {data, data + expected.numel()}), bound);
  };
  near(prefill, 0);
  near(middle, 30);
  near(last, 36);
  EXPECT_THROW(decoder.forward_cached(tokens.narrow(1, 0, 1), cache), Error);
}

TEST(Decoder, CountsATiedHeadOnce) {
  const Decoder tied = tiny_decoder({}), untied = tiny_decoder({.tied_embeddings = false});
  EXPECT_EQ(untied.weight_bytes() - tied.weight_bytes(), tied.embedding().nbytes());
  EXPECT_EQ(tied.weight_bytes(), tied.block_bytes() + tied.embedding().nbytes() + 64 * 4);
}

TEST(Decoder, NamesATokenOutsideTheVocabulary) {
  const Decoder decoder = tiny_decoder({});
  at::Tensor tokens = random_tokens(2, 8, 256, 11);
  tokens.mutable_data_ptr<int64_t>()[11] = 256;
  try {
    decoder.embed(tokens);
    FAIL() << "a token outside the vocabulary was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_NE(std::string(error.what()).find("token 256 at position 3 of sequence 1"),
              std::string::npos)
        << error.what();
  }
}

TEST(Decoder, RefusesShapesThatDoNotFit) {
  const Decoder decoder = tiny_decoder({});
  const at::Tensor x = decoder.embed(random_tokens(1, 4, 256, 12));
  EXPECT_THROW(decoder.run_block(0, x.to(at::kBFloat16)), Error);
  EXPECT_THROW(decoder.run_block(0, x.narrow(2, 0, 32)), Error);
  EXPECT_THROW(decoder.with_blocks(std::vector<int64_t>{2, 2}), Error);
  EXPECT_THROW(decoder.with_blocks(std::vector<int64_t>{0, 6}), Error);
  EXPECT_THROW(parse_dtype("fp16"), Error);
}

}  // namespace
}  // namespace plumb::models
