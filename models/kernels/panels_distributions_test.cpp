// Several models that share the head, held against the first of them.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "models/kernels/panels.h"
#include "models/kernels/panels_reference.h"

namespace plumb::models::kernels {
namespace {

// The second needs the first.
// clang-format off
#include "models/kernels/vector_math.inc"
#include "models/kernels/panels_testing.inc"
// clang-format on

template <typename Type>
struct Distributions : Panels<Type> {};
TYPED_TEST_SUITE(Distributions, ElementTypes);

/// Some models' readings of the same positions; what they say.
struct Readings {
  Readings(size_t models, int64_t rows)
      : loss(models, std::vector<float>(static_cast<size_t>(rows))),
        divergence(loss),
        top(models, std::vector<int64_t>(static_cast<size_t>(rows))) {}
  template <typename Element>
  std::vector<HeadReading> of(const std::vector<std::vector<Element>>& x) {
    std::vector<HeadReading> out;
    for (size_t m = 0; m < x.size(); ++m)
      out.push_back({x[m].data(), loss[m].data(), divergence[m].data(), top[m].data()});
    return out;
  }
  std::vector<std::vector<float>> loss, divergence;
  std::vector<std::vector<int64_t>> top;
};

/// KL of two rows of logits, in double.
double divergence_of(const float* a, const float* b, int64_t vocabulary) {
  const auto normaliser = [&](const float* z) {
    const double largest = *std::max_element(z, z + vocabulary);
    double sum = 0;
    for (int64_t v = 0; v < vocabulary; ++v) sum += std::exp(static_cast<double>(z[v]) - largest);
    return std::log(sum) + largest;
  };
  const double of_a = normaliser(a), of_b = normaliser(b);
  double sum = 0;
  for (int64_t v = 0; v < vocabulary; ++v) {
    const double log_p = static_cast<double>(a[v]) - of_a;
    sum += std::exp(log_p) * (log_p - (static_cast<double>(b[v]) - of_b));
  }
  return sum;
}

/// The last model's states are the first one's.
template <typename Type>
void check_distributions(size_t models, int64_t rows, int64_t vocabulary, double spread) {
  using P = Panels<Type>;
  constexpr int64_t kWidth = 33;
  const HeadShape shape{rows, kWidth, vocabulary, 1e-5f};
  const auto gain = P::gains(kWidth, 10);
  const auto w =
      P::random(vocabulary * kWidth, spread / std::sqrt(static_cast<double>(kWidth)), 11);
  const HeadWeights weights{gain.data(), w.data()};
  std::vector<std::vector<typename Type::Element>> x;
  for (size_t m = 0; m + 1 < models; ++m) x.push_back(P::random(rows * kWidth, 1.0, 20 + m));
  x.push_back(models == 1 ? P::random(rows * kWidth, 1.0, 20) : x.front());
  std::vector<int64_t> targets;
  for (int64_t r = 0; r < rows; ++r) targets.push_back((r * 7919 + 5) % vocabulary);
  P::for_each_set([&](const PanelKernels& set) {
    Readings found(models, rows);
    (set.*Type::distributions)(shape, weights, found.of(x), targets.data());
    std::vector<float> loss(static_cast<size_t>(rows)),
        whole(static_cast<size_t>(rows * vocabulary)), logits = whole;
    (set.*Type::logits)(shape, weights, x.front().data(), whole.data());
    for (size_t m = 0; m < models; ++m) {
      (set.*Type::loss)(shape, weights, x[m].data(), targets.data(), loss.data());
      EXPECT_EQ(std::memcmp(loss.data(), found.loss[m].data(), loss.size() * sizeof(float)), 0);
      (set.*Type::logits)(shape, weights, x[m].data(), logits.data());
      double largest = 0;
      for (const auto* z : {&whole, &logits})
        for (const float v : *z) largest = std::max(largest, static_cast<double>(std::abs(v)));
      for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
        const float* a = whole.data() + static_cast<int64_t>(r) * vocabulary;
        const float* b = logits.data() + static_cast<int64_t>(r) * vocabulary;
        // The bound of kernels/panels.h, and the result's own rounding.
        const double expected = divergence_of(a, b, vocabulary);
        const double tolerance = 0x1p-20 + 0x1p-18 * largest + 0x1p-24 * std::abs(expected);
        ASSERT_NEAR(found.divergence[m][r], expected, tolerance) << "model " << m << " row " << r;
        ASSERT_GE(found.divergence[m][r], -tolerance);
        ASSERT_EQ(found.top[m][r], std::max_element(b, b + vocabulary) - b);
        if (m == 0 || m + 1 == models) {
          ASSERT_EQ(found.divergence[m][r], 0.0f);
        }
      }
    }
  });
}

TYPED_TEST(Distributions, AreThoseOfTheirLogits) {
  for (const size_t models : {1u, 2u, 3u, 10u})
    for (const int64_t rows : {1, 33, 70})
      for (const int64_t vocabulary : {1, 13, 33, 65}) {
        SCOPED_TRACE(::testing::Message()
                     << models << " models, " << rows << " rows, vocabulary " << vocabulary);
        check_distributions<TypeParam>(models, rows, vocabulary, 3.0);
      }
  check_distributions<TypeParam>(18, 33, 1025, 1.0);
  check_distributions<TypeParam>(3, 33, 300, 40.0);
}

TYPED_TEST(Distributions, AreThoseOfTheReference) {
  using Value = typename TypeParam::Element;
  constexpr int64_t kRows = 40, kWidth = 32, kVocabulary = 200;
  const HeadShape shape{kRows, kWidth, kVocabulary, 1e-5f};
  const auto gain = this->gains(kWidth, 10);
  const auto w = this->random(kVocabulary * kWidth, 0.5, 11);
  const HeadWeights weights{gain.data(), w.data()};
  const std::vector<std::vector<Value>> x{this->random(kRows * kWidth, 1, 20),
                                          this->random(kRows * kWidth, 1, 21)};
  const std::vector<int64_t> targets(kRows, 7);
  Readings expected(2, kRows);
  distributions_reference<Value>(shape, weights, expected.of(x), targets.data());
  this->for_each_set([&](const PanelKernels& set) {
    Readings found(2, kRows);
    (set.*TypeParam::distributions)(shape, weights, found.of(x), targets.data());
    for (size_t r = 0; r < kRows; ++r) {
      // Logits below 16 as in check_head: an error of t in each moves KL by less than 2 t (1 + KL).
      const double t =
          (TypeParam::kRounding < 0x1p-20 ? 4 * std::sqrt(32.0) : 4) * TypeParam::kRounding * 16;
      EXPECT_NEAR(found.divergence[1][r], expected.divergence[1][r],
                  2 * t * (1 + static_cast<double>(expected.divergence[1][r])) + 0x1p-18 * 16);
      EXPECT_NEAR(found.loss[1][r], expected.loss[1][r], 2 * t + 0x1p-21);
    }
  });
}

// Equal logits everywhere: the first token is the likeliest.
TYPED_TEST(Distributions, TakeTheFirstOfEqualLogitsAsTheLargest) {
  const HeadShape shape{3, 8, 70, 1e-5f};
  const auto gain = this->gains(8, 10);
  const std::vector<typename TypeParam::Element> w(70 * 8);
  const std::vector<std::vector<typename TypeParam::Element>> x{this->random(24, 1, 20)};
  const std::vector<int64_t> targets(3, 69);
  this->for_each_set([&](const PanelKernels& set) {
    Readings found(1, 3);
    (set.*TypeParam::distributions)(shape, {gain.data(), w.data()}, found.of(x), targets.data());
    EXPECT_EQ(found.top[0], (std::vector<int64_t>{0, 0, 0}));
    EXPECT_NEAR(found.loss[0][1], std::log(70.0), 0x1p-21);
  });
}

TYPED_TEST(Distributions, OfNoRowsAreNothing) {
  this->for_each_set([&](const PanelKernels& set) {
    (set.*TypeParam::distributions)({0, 8, 8, 1e-5f}, {}, {}, nullptr);
  });
}

}  // namespace
}  // namespace plumb::models::kernels
