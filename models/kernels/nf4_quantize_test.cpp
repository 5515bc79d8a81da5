#include "models/kernels/nf4_quantize.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/testing.h"
#include "models/decoder.h"

namespace plumb::models {
namespace {

using plumb::testing::error_of;
using Json = nlohmann::json;

const Json& golden() {
  static const Json json =
      Json::parse(read_file(PLUMB_SOURCE_DIR "/fixtures/golden/nf4_quantize.json"));
  return json;
}

template <typename Value>
std::vector<Value> values_of(const Json& hex) {
  const auto digits = hex.get<std::string>();
  std::vector<Value> out(digits.size() / 2 / sizeof(Value));
  auto* bytes = reinterpret_cast<uint8_t*>(out.data());
  for (size_t i = 0; i < digits.size() / 2; ++i)
    bytes[i] = static_cast<uint8_t>(std::stoul(digits.substr(2 * i, 2), nullptr, 16));
  return out;
}

template <typename Value>
bool same_bits(std::span<const Value> a, std::span<const Value> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

float as_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7FFFu + ((bits >> 16) & 1u)) & 0xFFFF0000u);
}

struct Quantized {
  std::vector<uint8_t> codes;
  std::vector<float> absmax;
};

using Quantize = void (*)(std::span<const float>, std::span<uint8_t>, std::span<float>);

Quantized quantized(Quantize quantize, std::span<const float> weights) {
  const auto count = static_cast<int64_t>(weights.size());
  Quantized out{std::vector<uint8_t>(static_cast<size_t>(nf4_code_bytes(count)), 0xAA),
                std::vector<float>(static_cast<size_t>(nf4_blocks(count)), -1.0f)};
  quantize(weights, out.codes, out.absmax);
  return out;
}

void expect_golden(const std::vector<float>& weights, const Json& expected) {
  const auto codes = values_of<uint8_t>(expected.at("codes"));
  const auto absmax = values_of<float>(expected.at("absmax"));
  for (const Quantize quantize : {nf4_quantize_reference, nf4_quantize_cpu}) {
    const Quantized found = quantized(quantize, weights);
    EXPECT_TRUE(found.codes == codes);
    EXPECT_TRUE(same_bits<float>(found.absmax, absmax));
  }
  const float offset = values_of<float>(expected.at("offset")).at(0);
  if (!std::isfinite(offset)) {
    EXPECT_EQ(error_of([&] { quantize_scales(absmax); }).kind(), ErrorKind::kInput);
    return;
  }
  const QuantizedScales scales = quantize_scales(absmax);
  EXPECT_EQ(std::bit_cast<uint32_t>(scales.offset), std::bit_cast<uint32_t>(offset));
  EXPECT_TRUE(scales.codes == values_of<uint8_t>(expected.at("nested_codes")));
  EXPECT_TRUE(same_bits<float>(scales.scales, values_of<float>(expected.at("nested_absmax"))));
}

TEST(Nf4QuantizeGolden, GivesBitsandbytesBytes) {
  ASSERT_GE(golden().at("cases").size(), 20u);
  for (const Json& one : golden().at("cases")) {
    SCOPED_TRACE(one.at("name").get<std::string>());
    std::vector<float> weights = values_of<float>(one.at("weights"));
    expect_golden(weights, one);
    for (float& weight : weights) weight = as_bf16(weight);
    SCOPED_TRACE("bf16");
    bool finite = true;
    for (const float weight : weights) finite &= std::isfinite(weight);
    if (finite) expect_golden(weights, one.at("bf16"));
  }
}

TEST(Nf4QuantizeGolden, HasBitsandbytesDynamicMap) {
  EXPECT_TRUE(same_bits<float>(dynamic_map(), values_of<float>(golden().at("dynamic_map"))));
}

// All feed-forward matrices of the real model.
TEST(Nf4QuantizeSmolLm2, GivesBitsandbytesBytes) {
  const char* const file = std::getenv("PLUMB_TEST_MODEL");
  if (file == nullptr) GTEST_SKIP() << "PLUMB_TEST_MODEL names no model";
  if (sha256_of_file(file) != golden().at("model").at("sha256"))
    GTEST_SKIP() << "PLUMB_TEST_MODEL is another file than the one of nf4_quantize.json";
  const Decoder decoder = Decoder::load(Checkpoint::open(file), Dtype::kFp32);
  const int64_t F = decoder.config().feed_forward_width;
  size_t compared = 0;
  for (const Json& tensor : golden().at("model").at("tensors")) {
    const auto name = tensor.at("name").get<std::string>();
    SCOPED_TRACE(name);
    const auto block = decoder.block(std::stol(name.substr(4)));
    const at::Tensor matrix = name.find("gate") != name.npos ? block->gate_up.narrow(0, 0, F)
                              : name.find("up") != name.npos ? block->gate_up.narrow(0, F, F)
                                                             : block->down;
    const std::span<const float> weights(matrix.const_data_ptr<float>(),
                                         static_cast<size_t>(matrix.numel()));
    const Quantized found = quantized(nf4_quantize_cpu, weights);
    const QuantizedScales scales = quantize_scales(found.absmax);
    EXPECT_EQ(sha256_hex(std::as_bytes(std::span(found.codes))), tensor.at("codes"));
    EXPECT_EQ(sha256_hex(std::as_bytes(std::span(found.absmax))), tensor.at("absmax"));
    EXPECT_EQ(sha256_hex(std::as_bytes(std::span(scales.codes))), tensor.at("nested_codes"));
    EXPECT_EQ(sha256_hex(std::as_bytes(std::span(scales.scales))), tensor.at("nested_absmax"));
    EXPECT_EQ(sha256_hex(std::as_bytes(std::span(&scales.offset, 1))), tensor.at("offset"));
    ++compared;
  }
  EXPECT_EQ(compared, 90u);
}

std::vector<float> random_weights(size_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> out(count);
  for (float& weight : out) weight = static_cast<float>(rng.normal() * std::exp(rng.normal()));
  return out;
}

TEST(Nf4Quantize, CpuGivesTheReferencesBits) {
  for (const size_t count : {0u, 1u, 63u, 64u, 65u, 128u, 4159u, 65537u, 884736u}) {
    const auto weights = random_weights(count, count);
    const Quantized expected = quantized(nf4_quantize_reference, weights);
    const Quantized found = quantized(nf4_quantize_cpu, weights);
    EXPECT_TRUE(found.codes == expected.codes) << count;
    EXPECT_TRUE(same_bits<float>(found.absmax, expected.absmax)) << count;
  }
}

// The nearest level is within half the widest gap of it, 0.152 of the block's largest magnitude; scales of 8 bits are off by
// half a step of the dynamic map, at most 0.0071 of the largest distance from their mean.
TEST(Nf4Quantize, ComesBackWithinHalfAStep) {
  const auto weights = random_weights(64 * 1000 + 9, 3);
  const Quantized q = quantized(nf4_quantize_cpu, weights);
  std::vector<float> back(weights.size());
  nf4_dequantize_cpu(q.codes, q.absmax, back);
  for (size_t i = 0; i < weights.size(); ++i)
    ASSERT_LE(std::abs(back[i] - weights[i]), 0.1520f * q.absmax[i / 64]) << i;
  const QuantizedScales scales = quantize_scales(q.absmax);
  std::vector<float> scales_back(q.absmax.size());
  dequantize_scales(scales, scales_back);
  for (size_t i = 0; i < scales_back.size(); ++i)
    ASSERT_LE(std::abs(scales_back[i] - q.absmax[i]), 0.0072f * scales.scales[i / 256] + 1e-5f)
        << i;
}

TEST(Nf4Quantize, TakesAFewMoreThanFourBits) {
  const auto weights = random_weights(size_t{1536} * 576, 5);
  const Nf4Weights q = nf4_weights(weights);
  EXPECT_NEAR(8.0 * static_cast<double>(q.size_bytes()) / static_cast<double>(weights.size()),
              4.127, 0.001);
  std::vector<float> back(weights.size()), expected(weights.size());
  nf4_dequantize(q, back);
  std::vector<float> absmax(q.scales.codes.size());
  dequantize_scales(q.scales, absmax);
  nf4_dequantize_reference(q.codes, absmax, expected);
  EXPECT_TRUE(same_bits<float>(back, expected));
}

TEST(Nf4Quantize, DependsOnNoNumberOfThreads) {
  const auto weights = random_weights(64 * 100000, 6);  // more scales than one thread's share
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Nf4Weights one = nf4_weights(weights);
  at::set_num_threads(3);
  const Nf4Weights three = nf4_weights(weights);
  at::set_num_threads(before);
  EXPECT_TRUE(one.codes == three.codes);
  EXPECT_TRUE(one.scales.codes == three.scales.codes);
  EXPECT_EQ(std::bit_cast<uint32_t>(one.scales.offset),
            std::bit_cast<uint32_t>(three.scales.offset));
}

TEST(Nf4Quantize, NamesTheWeightThatIsNotFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()})
    for (const size_t at : {0u, 63u, 70u, 129u})
      for (const Quantize quantize : {nf4_quantize_reference, nf4_quantize_cpu}) {
        auto weights = random_weights(130, 7);
        weights[at] = bad;
        const Error error = error_of([&] { quantized(quantize, weights); });
        EXPECT_EQ(error.kind(), ErrorKind::kInput);
        EXPECT_NE(std::string(error.what()).find("weight " + std::to_string(at) + " is"),
                  std::string::npos)
            << error.what();
      }
}

TEST(Nf4Quantize, RefusesSizesThatDoNotFit) {
  const std::vector<float> weights(65);
  std::vector<uint8_t> codes(32);
  std::vector<float> absmax(2);
  EXPECT_EQ(error_of([&] { nf4_quantize_cpu(weights, codes, absmax); }).kind(),
            ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb::models
