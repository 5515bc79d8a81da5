// NF4 on a device: both ways bit for bit, and the product against its definition in double.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "models/kernels/device_testing.h"
#include "models/kernels/nf4_product.h"
#include "models/kernels/nf4_quantize.h"

namespace plumb::models {
namespace {

using testing::DeviceKernels;
using testing::kHalfUnit;
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

TEST_P(Nf4Kernels, ProductIsTheDefinitions) {
  struct Shape {
    int64_t rows, columns, batch;
  };
  // Rows that end a block of 32, a warp's 4; columns below, at and above a step of 1024; all sizes of a batch.
  for (const Shape shape : {Shape{1, 64, 1},
                            {31, 64, 2},
                            {33, 576, 3},
                            {5, 1024, 4},
                            {66, 1088, 1},
                            {7, 1536, 8},
                            {40, 2112, 13},
                            {3, 128, 15}})
    for (const bool twice : {false, true})
      for (const Element type : {Element::kFp32, Element::kBf16}) {
        const int64_t count = shape.rows * shape.columns;
        const auto weights = nf4_weights(normal_values(count, 4, 0.05));
        auto x = normal_values(shape.batch * shape.columns, 5);
        Nf4Product p{};
        p.weight = up_matrix(weights, shape.rows, shape.columns, twice);
        p.x_type = type;
        p.x = up_as(type, x);
        p.batch = shape.batch;
        const auto size = static_cast<size_t>(shape.batch * shape.rows);
        p.y = up(std::vector<float>(size, 42));
        expect_done(table().nf4_product(&p, nullptr));
        const auto found = down(p.y, size);
        std::vector<float> absmax(weights.scales.codes.size());
        dequantize_scales(weights.scales, absmax);
        Nf4Matrix plain{.codes = weights.codes.data(),
                        .absmax = absmax.data(),
                        .rows = shape.rows,
                        .columns = shape.columns};
        std::vector<double> needed(size), sizes(size);
        nf4_product_reference(plain, x.data(), shape.batch, needed.data());
        std::vector<float> dense(static_cast<size_t>(count));
        nf4_dequantize(weights, dense);
        for (int64_t b = 0; b < shape.batch; ++b)
          for (int64_t row = 0; row < shape.rows; ++row) {
            double sum = 0;  // of magnitudes: what rounding is relative to
            for (int64_t c = 0; c < shape.columns; ++c)
              sum += std::abs(double{dense[static_cast<size_t>(row * shape.columns + c)]} *
                              x[static_cast<size_t>(b * shape.columns + c)]);
            // A lane's 32 terms, a step each, the five of the tree, the scale.
            const double steps = 32 + static_cast<double>(shape.columns) / 1024 + 1 + 5 + 2;
            const auto at = static_cast<size_t>(b * shape.rows + row);
            ASSERT_NEAR(found[at], needed[at], steps * kHalfUnit * sum)
                << shape.rows << " x " << shape.columns << " row " << row << " of " << b;
          }
      }
}

TEST_P(Nf4Kernels, RefuseArgumentsThatCannotBe) {
  Nf4Product p{};
  p.weight.rows = 4;
  p.weight.columns = 96;
  p.batch = 1;
  EXPECT_THAT(table().nf4_product(&p, nullptr), ::testing::HasSubstr("no multiple of 64"));
  p.weight.columns = 128;
  EXPECT_STREQ(table().nf4_product(&p, nullptr), "a pointer is null");
  uint8_t* codes = up(std::vector<uint8_t>(300));
  float* floats = up(std::vector<float>(512));
  p.weight.codes = codes + 1;
  p.weight.absmax = floats;
  p.x = floats;
  p.y = floats;
  EXPECT_STREQ(table().nf4_product(&p, nullptr), "the codes are not aligned to 16 bytes");
  p.weight.absmax = nullptr;
  EXPECT_STREQ(table().nf4_product(&p, nullptr), "a pointer is null");
  EXPECT_STREQ(table().nf4_quantize(nullptr, nullptr, nullptr, nullptr, -1, nullptr),
               "a size is negative");
  EXPECT_EQ(table().nf4_quantize(nullptr, nullptr, nullptr, nullptr, 0, nullptr), nullptr);
  Nf4Matrix m{.codes = codes, .absmax = floats, .rows = 1, .columns = 8};
  EXPECT_THAT(table().nf4_expand(&m, floats + 1, Element::kFp32, nullptr),
              ::testing::HasSubstr("not aligned"));
}

}  // namespace
}  // namespace plumb::models
