#include "models/kernels/nf4.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "models/device.h"

namespace plumb::models {
namespace {

struct Weights {
  std::vector<uint8_t> codes;
  std::vector<float> absmax;
  size_t count;
};

Weights random_weights(int64_t count, uint64_t seed) {
  Rng rng(seed);
  Weights weights{std::vector<uint8_t>(static_cast<size_t>(nf4_code_bytes(count))),
                  std::vector<float>(static_cast<size_t>(nf4_blocks(count))),
                  static_cast<size_t>(count)};
  for (uint8_t& code : weights.codes) code = static_cast<uint8_t>(rng.below(256));
  for (float& scale : weights.absmax) scale = static_cast<float>(std::exp(4 * rng.normal()));
  return weights;
}

// All bits count, so memory is compared and not values (-0 from a negative zero scale, NaN from a
// NaN scale).
bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

std::vector<float> reference(const Weights& weights) {
  std::vector<float> out(weights.count);
  nf4_dequantize_reference(weights.codes, weights.absmax, out);
  return out;
}

// Ends of code bytes, of vector steps (32), of blocks (64), of a thread's share (512 blocks), and a
// real matrix.
constexpr int64_t kSizes[] = {0,
                              1,
                              2,
                              31,
                              32,
                              33,
                              63,
                              64,
                              65,
                              96,
                              127,
                              128,
                              129,
                              4096,
                              4097,
                              4159,
                              4160,
                              4161,
                              32767,
                              32768,
                              32769,
                              65537,
                              int64_t{576} * 1536};

class Nf4 : public ::testing::TestWithParam<int64_t> {};

TEST_P(Nf4, EveryInstructionSetGivesTheReferencesBits) {
  const Weights weights = random_weights(GetParam(), 11);
  const std::vector<float> expected = reference(weights);
  for (const std::string_view set : nf4_instruction_sets()) {
    // A guard behind the last weight: vector stores must not run over the end.
    std::vector<float> out(weights.count + 1, 42.0f);
    nf4_dequantize_with(set, weights.codes, weights.absmax, std::span(out).first(weights.count));
    EXPECT_EQ(out.back(), 42.0f) << set;
    out.pop_back();
    EXPECT_TRUE(same_bits(out, expected)) << set;
  }
  std::vector<float> out(weights.count);
  nf4_dequantize_cpu(weights.codes, weights.absmax, out);
  EXPECT_TRUE(same_bits(out, expected));
}

// Through the table, as every caller does: on the fake device always, on CUDA where there is one.
std::vector<float> on_device(const KernelTable& table, const Weights& weights) {
  const auto check = [](const char* message) {
    if (message != nullptr) throw Error(ErrorKind::kResource, message);
  };
  const auto release = [&](void* pointer) { table.release(pointer); };
  using Memory = std::unique_ptr<void, decltype(release)>;
  const auto upload = [&](const void* from, size_t bytes) {
    void* pointer = nullptr;
    check(table.allocate(&pointer, bytes + 8));
    Memory memory(pointer, release);
    if (from != nullptr) check(table.copy_to_device(pointer, from, bytes));
    return memory;
  };
  std::vector<float> out(weights.count);
  const Memory codes = upload(weights.codes.data(), weights.codes.size());
  const Memory absmax = upload(weights.absmax.data(), weights.absmax.size() * sizeof(float));
  const Memory result = upload(nullptr, out.size() * sizeof(float));
  check(table.nf4_dequantize(
      static_cast<const uint8_t*>(codes.get()), static_cast<const float*>(absmax.get()),
      static_cast<float*>(result.get()), static_cast<int64_t>(out.size()), nullptr));
  check(table.copy_to_host(out.data(), result.get(), out.size() * sizeof(float)));
  return out;
}

TEST_P(Nf4, TableOfAPluginGivesTheReferencesBits) {
  const Plugin fake = open_plugin(std::string(PLUMB_BINARY_DIR) + "/libplumb_fake_good.so");
  ASSERT_NE(fake.table, nullptr) << fake.reason;
  const Weights weights = random_weights(GetParam(), 12);
  EXPECT_TRUE(same_bits(on_device(*fake.table, weights), reference(weights)));
}

TEST(Nf4Cuda, GivesTheReferencesBitsForEverySize) {
  if (const std::string reason = cuda_unavailable_reason(); !reason.empty())
    GTEST_SKIP() << "no CUDA device: " << reason;
  for (const int64_t size : kSizes) {
    const Weights weights = random_weights(size, 13);
    EXPECT_TRUE(same_bits(on_device(cuda_kernels(), weights), reference(weights))) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Nf4, ::testing::ValuesIn(kSizes));

TEST(Nf4Format, FirstOfTwoWeightsIsInTheHighNibble) {
  const std::vector<uint8_t> codes = {0xF0, 0x7A};
  const std::vector<float> absmax = {2.0f};
  std::vector<float> out(4);
  nf4_dequantize_reference(codes, absmax, out);
  EXPECT_EQ(out, (std::vector<float>{2.0f, -2.0f, 0.0f, 2 * kNf4Levels[10]}));
}

TEST(Nf4Format, NanScaleIsNotHidden) {
  Weights weights = random_weights(128, 3);
  weights.absmax[1] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> out(weights.count);
  nf4_dequantize_cpu(weights.codes, weights.absmax, out);
  EXPECT_FALSE(std::isnan(out[63]));
  EXPECT_TRUE(std::isnan(out[64]));
}

TEST(Nf4Format, SizesThatDisagreeAreNamed) {
  Weights weights = random_weights(129, 3);
  std::vector<float> out(127);
  EXPECT_THROW(nf4_dequantize_reference(weights.codes, weights.absmax, out), Error);
  try {
    nf4_dequantize_cpu(weights.codes, weights.absmax, out);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvariant);
    EXPECT_STREQ(error.what(), "NF4: 127 weights need 64 code bytes and 2 scales, found 65 and 3");
  }
}

TEST(Nf4Format, InstructionSetThatIsMissingIsAResourceError) {
  const Weights weights = random_weights(64, 3);
  std::vector<float> out(64);
  EXPECT_THROW(nf4_dequantize_with("sse9", weights.codes, weights.absmax, out), Error);
}

template <typename T>
std::vector<T> from_hex(const std::string& hex) {
  std::vector<uint8_t> bytes(hex.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<uint8_t>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
  std::vector<T> values(bytes.size() / sizeof(T));
  static_assert(std::endian::native == std::endian::little);
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(Nf4Golden, EqualsBitsandbytesOnCpuBitForBit) {
  std::ifstream file(std::string(PLUMB_SOURCE_DIR) + "/fixtures/golden/nf4_bitsandbytes.json");
  const auto golden = nlohmann::json::parse(file);
  ASSERT_EQ(golden["cases"].size(), 20u);
  for (const auto& example : golden["cases"]) {
    const auto codes = from_hex<uint8_t>(example["codes"]);
    const auto absmax = from_hex<float>(example["absmax"]);
    const auto expected = from_hex<float>(example["weights"]);
    std::vector<float> out(expected.size());
    nf4_dequantize_reference(codes, absmax, out);
    EXPECT_TRUE(same_bits(out, expected)) << example["shape"];
  }
}

}  // namespace
}  // namespace plumb::models
