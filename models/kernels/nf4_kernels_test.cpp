// NF4 on a device: both ways bit for bit.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "models/kernels/device_testing.h"
#include "models/kernels/nf4_quantize.h"

namespace plumb::models {
namespace {

using testing::DeviceKernels;
using testing::normal_values;

class Nf4Kernels : public DeviceKernels {
 protected:
  /// A matrix on the device with double quantisation, or with fp32 scales.
  Nf4Matrix up_matrix(const Nf4Weights& w, int64_t rows, int64_t columns, bool twice) {
    Nf4Matrix m{};
    m.rows = rows;
    m.columns = columns;
    m.codes = up(w.codes);
    std::vector<float> absmax(w.scales.codes.size());
    dequantize_scales(w.scales, absmax);
    if (!twice) {
      m.absmax = up(absmax);
      return m;
    }
    m.scale_codes = up(w.scales.codes);
    m.scales = up(w.scales.scales);
    m.map = up(std::vector<float>(dynamic_map().begin(), dynamic_map().end()));
    m.offset = w.scales.offset;
    return m;
  }
};
PLUMB_ON_DEVICES(Nf4Kernels);

// Ends of bytes, of a lane's and a thread's share, of blocks of 64, of a block of threads, and of blocks of 256 scales.
constexpr int64_t kSizes[] = {1,   2,   7,   8,    9,    63,   64,   65,    127,  128,
                              129, 511, 512, 1023, 2047, 2048, 2049, 16384, 16449};

TEST_P(Nf4Kernels, QuantiseToTheReferencesBits) {
  for (const int64_t size : kSizes)
    for (const double scale :
         {0.05, 0.0, 1e-42}) {  // zeros and subnormals: what a short block stores of them
      auto weights = normal_values(size, 1, scale);
      if (size > 300 && scale > 0) {
        std::fill(weights.begin() + 64, weights.begin() + 128, 0.0f);
        for (int i = 128; i < 192; ++i) weights[static_cast<size_t>(i)] *= 1e-40f;  // subnormal
        weights[200] = -1e30f;                                                      // an outlier
      }
      std::vector<uint8_t> codes(static_cast<size_t>(nf4_code_bytes(size)));
      std::vector<float> absmax(static_cast<size_t>(nf4_blocks(size)));
      nf4_quantize_reference(weights, codes, absmax);
      uint8_t* found_codes = up(std::vector<uint8_t>(codes.size(), 0x55));
      float* found_absmax = up(std::vector<float>(absmax.size(), 42));
      int64_t* bad = up(std::vector<int64_t>{INT64_MAX});
      expect_done(table().nf4_quantize(up(weights), found_codes, found_absmax, bad, size, nullptr));
      EXPECT_EQ(down(found_codes, codes.size()), codes) << size;
      const auto scales = down(found_absmax, absmax.size());
      EXPECT_EQ(std::memcmp(scales.data(), absmax.data(), absmax.size() * sizeof(float)), 0)
          << size;
      EXPECT_EQ(down(bad, 1)[0], INT64_MAX);
    }
}

TEST_P(Nf4Kernels, QuantiseNamesTheFirstWeightThatIsNotFinite) {
  auto weights = normal_values(3000, 2);
  weights[2900] = std::numeric_limits<float>::quiet_NaN();
  weights[777] = -std::numeric_limits<float>::infinity();
  weights[1900] = std::numeric_limits<float>::infinity();
  int64_t* bad = up(std::vector<int64_t>{INT64_MAX});
  expect_done(table().nf4_quantize(up(weights), up(std::vector<uint8_t>(1500)),
                                   up(std::vector<float>(47)), bad, 3000, nullptr));
  EXPECT_EQ(down(bad, 1)[0], 777);
}

TEST_P(Nf4Kernels, ExpandToTheReferencesBits) {
  for (const int64_t size : kSizes)
    for (const bool twice : {false, true}) {
      const Nf4Weights w = nf4_weights(normal_values(size, 3, 0.05));
      std::vector<float> needed(static_cast<size_t>(size));
      nf4_dequantize(w, needed);
      const Nf4Matrix m = up_matrix(w, 1, size, twice);
      float* out = up(std::vector<float>(needed.size(), 42));
      expect_done(table().nf4_expand(&m, out, Element::kFp32, nullptr));
      const auto found = down(out, needed.size());
      EXPECT_EQ(std::memcmp(found.data(), needed.data(), needed.size() * sizeof(float)), 0) << size;
      Bf16* narrow = up(std::vector<Bf16>(needed.size()));
      expect_done(table().nf4_expand(&m, narrow, Element::kBf16, nullptr));
      const auto rounded = down(narrow, needed.size());
      for (size_t i = 0; i < needed.size(); ++i) {
        Bf16 one{};
        store(needed[i], &one);
        ASSERT_EQ(rounded[i].bits, one.bits) << size << " weight " << i;
      }
    }
}

TEST_P(Nf4Kernels, RefuseArgumentsThatCannotBe) {
  EXPECT_STREQ(table().nf4_quantize(nullptr, nullptr, nullptr, nullptr, -1, nullptr),
               "a size is negative");
  EXPECT_EQ(table().nf4_quantize(nullptr, nullptr, nullptr, nullptr, 0, nullptr), nullptr);
  uint8_t* codes = up(std::vector<uint8_t>(300));
  float* floats = up(std::vector<float>(512));
  Nf4Matrix m{.codes = codes, .absmax = floats, .rows = 1, .columns = 8};
  EXPECT_THAT(table().nf4_expand(&m, floats + 1, Element::kFp32, nullptr),
              ::testing::HasSubstr("not aligned"));
  m.codes = codes + 1;
  EXPECT_THAT(table().nf4_expand(&m, floats, Element::kFp32, nullptr),
              ::testing::HasSubstr("not aligned"));
  m.absmax = nullptr;
  EXPECT_STREQ(table().nf4_expand(&m, floats, Element::kFp32, nullptr), "a pointer is null");
  m.rows = -1;
  EXPECT_STREQ(table().nf4_expand(&m, floats, Element::kFp32, nullptr), "a size is negative");
}

}  // namespace
}  // namespace plumb::models
