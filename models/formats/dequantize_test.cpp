#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "models/formats/gguf.h"

namespace plumb::models {
namespace {

using testing::error_of;

constexpr StoredType kQuantised[] = {StoredType::kQ8_0, StoredType::kQ4_0, StoredType::kQ4_1,
                                     StoredType::kQ5_0, StoredType::kQ5_1, StoredType::kQ4_K,
                                     StoredType::kQ5_K, StoredType::kQ6_K};

std::string from_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(digits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  return out;
}

std::vector<float> decoded(StoredType type, const std::string& bytes, size_t count) {
  std::vector<float> out(count);
  dequantize(type, std::as_bytes(std::span(bytes)), out);
  return out;
}

template <typename Number>
std::string all_of(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

TEST(DequantizeGolden, GivesTheBitsOfTheGgufPackageForEveryQuantisedType) {
  const auto golden = nlohmann::json::parse(
      read_file(std::string(PLUMB_SOURCE_DIR) + "/fixtures/golden/dequantize.json"));
  for (const StoredType type : kQuantised) {
    const auto& reference = golden.at("types").at(std::string(stored_type_name(type)));
    const std::string expected = from_base64(reference.at("values"));
    const size_t count = expected.size() / sizeof(float);
    ASSERT_EQ(count, 1024u);
    const auto values = decoded(type, from_base64(reference.at("blocks")), count);
    for (size_t i = 0; i < count; ++i) {
      uint32_t bits;
      std::memcpy(&bits, expected.data() + i * sizeof bits, sizeof bits);
      ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), bits)
          << stored_type_name(type) << ", value " << i;
    }
  }
}

/// The definition of an fp16 number, in double.
double half_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double mantissa = bits & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return bits >> 15 ? -magnitude : magnitude;
}

TEST(Dequantize, IsExactForEveryF16) {
  std::vector<uint16_t> all;
  for (uint32_t bits = 0; bits < 65536; ++bits) all.push_back(static_cast<uint16_t>(bits));
  const auto values = decoded(StoredType::kF16, all_of(all), all.size());
  for (const uint16_t bits : all) {
    if ((bits & 0x7c00) == 0x7c00) {
      EXPECT_EQ(std::isnan(values[bits]), (bits & 1023) != 0);
      EXPECT_EQ(std::isinf(values[bits]), (bits & 1023) == 0);
    } else {
      ASSERT_EQ(static_cast<double>(values[bits]), half_value(bits)) << bits;
    }
    ASSERT_EQ(std::signbit(values[bits]), bits >> 15 == 1) << bits;
  }
}

TEST(Dequantize, IsExactForEveryBf16) {
  std::vector<uint16_t> all;
  for (uint32_t bits = 0; bits < 65536; ++bits) all.push_back(static_cast<uint16_t>(bits));
  const auto values = decoded(StoredType::kBf16, all_of(all), all.size());
  for (const uint16_t bits : all)
    ASSERT_EQ(std::bit_cast<uint32_t>(values[bits]), uint32_t{bits} << 16);
}

TEST(Dequantize, CopiesF32) {
  const std::vector<float> all{0.0f, -0.0f, 1.5f, std::numeric_limits<float>::denorm_min(),
                               std::numeric_limits<float>::infinity()};
  const auto values = decoded(StoredType::kF32, all_of(all), all.size());
  EXPECT_EQ(std::memcmp(values.data(), all.data(), all_of(all).size()), 0);
}

/// Each block alone is what it is among others.
TEST(Dequantize, TreatsBlocksAlone) {
  for (const StoredType type : kQuantised) {
    const auto layout = block_layout(type);
    const auto values = static_cast<size_t>(layout.values);
    const auto bytes = static_cast<size_t>(layout.bytes);
    const std::string blocks = fixtures::random_storage(type, 5 * layout.values, 3);
    const auto together = decoded(type, blocks, 5 * values);
    for (size_t block = 0; block < 5; ++block) {
      const auto alone = decoded(type, blocks.substr(block * bytes, bytes), values);
      EXPECT_EQ(std::memcmp(alone.data(), together.data() + block * values, 4 * values), 0);
    }
  }
}

TEST(Dequantize, RefusesBytesThatAreNotWholeBlocksOfTheValues) {
  for (const StoredType type : kQuantised) {
    const auto layout = block_layout(type);
    const auto values = static_cast<size_t>(layout.values);
    const std::string block(static_cast<size_t>(layout.bytes), '\0');
    EXPECT_EQ(error_of([&] { decoded(type, block, values - 1); }).kind(), ErrorKind::kInvariant);
    EXPECT_EQ(error_of([&] { decoded(type, block, 2 * values); }).kind(), ErrorKind::kInvariant);
    EXPECT_EQ(error_of([&] { decoded(type, block.substr(1), values); }).kind(),
              ErrorKind::kInvariant);
    EXPECT_TRUE(decoded(type, "", 0).empty());
  }
}

}  // namespace
}  // namespace plumb::models
