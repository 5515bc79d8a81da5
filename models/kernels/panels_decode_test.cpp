#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "models/kernels/meeting.h"
#include "models/kernels/panels.h"
#include "models/kernels/panels_reference.h"

namespace plumb::models::kernels {
namespace {

// Each needs the one before.
// clang-format off
#include "models/kernels/vector_math.inc"
#include "models/kernels/panels_testing.inc"
#include "models/kernels/panels_block_testing.inc"
// clang-format on

/// A block and a head, run token by token.
template <typename Type>
struct DecodeCase {
  using P = Panels<Type>;
  using Element = typename Type::Element;
  BlockCase<Type> block;
  int64_t capacity, vocabulary;
  std::vector<float> gain, norm_bias, bias;
  std::vector<Element> unembedding;

  explicit DecodeCase(const BlockShape& s, int64_t more_capacity = 3, int64_t V = 37)
      : block(s),
        capacity(s.tokens + more_capacity),
        vocabulary(V),
        gain(P::gains(s.width, 20)),
        norm_bias(P::gains(s.width, 21)),
        bias(P::gains(V, 22)),
        unembedding(P::random(V * s.width, 1 / std::sqrt(static_cast<double>(s.width)), 23)) {}

  HeadShape head() const {
    const BlockShape& s = block.shape;
    return {s.sequences, s.width, vocabulary, s.epsilon, s.options.norm};
  }
  HeadWeights head_weights() const {
    HeadWeights w{gain.data(), unembedding.data()};
    if (block.shape.options.norm == Norm::kLayer)
      w.norm_bias = norm_bias.data(), w.unembedding_bias = bias.data();
    return w;
  }

  struct Output {
    std::vector<Element> x;     ///< [B, T, D]
    std::vector<float> logits;  ///< [T, B, V]
  };

  /// The first `prefill` tokens by the block over whole sequences, which leaves its keys and values.
  Output run(const PanelKernels& set, int64_t prefill = 0) const {
    const BlockShape& s = block.shape;
    const int64_t B = s.sequences, T = s.tokens, D = s.width;
    // What is not written must not be read: NaN would show.
    const Element none = Type::make(std::nan(""));
    std::vector<Element> keys(static_cast<size_t>(B * s.kv_heads * capacity * s.head_width), none);
    std::vector<Element> values = keys;
    Output out{block.x, {}};
    if (prefill > 0) this->prefill(set, prefill, keys, values, out);
    std::vector<Element> in(static_cast<size_t>(B * D)), after = in;
    std::vector<float> logits(static_cast<size_t>(B * vocabulary));
    for (int64_t t = prefill; t < T; ++t) {
      for (int64_t b = 0; b < B; ++b)
        std::copy_n(block.x.begin() + (b * T + t) * D, D, in.begin() + b * D);
      const CachedBlock cached{block.weights(), keys.data(), values.data()};
      DecodeStep step{s,        t, capacity, {&cached, 1}, block.rotation(), head(), head_weights(),
                      in.data()};
      step.out = after.data();
      step.logits = logits.data();
      (Type::kRounding < 0x1p-20 ? set.decode_fp32 : set.decode_bf16)(step);
      for (int64_t b = 0; b < B; ++b)
        std::copy_n(after.begin() + b * D, D, out.x.begin() + (b * T + t) * D);
      out.logits.insert(out.logits.end(), logits.begin(), logits.end());
    }
    return out;
  }

  void prefill(const PanelKernels& set, int64_t tokens, std::vector<Element>& keys,
               std::vector<Element>& values, Output& out) const {
    BlockShape s = block.shape;
    const int64_t T = s.tokens, D = s.width;
    s.tokens = tokens;
    s.sink = {keys.data(), values.data(), capacity};
    std::vector<Element> in;
    for (int64_t b = 0; b < s.sequences; ++b)
      in.insert(in.end(), block.x.begin() + b * T * D, block.x.begin() + (b * T + tokens) * D);
    (set.*Type::block)(s, block.weights(), block.rotation(), in.data(), in.data());
    for (int64_t b = 0; b < s.sequences; ++b)
      std::copy_n(in.begin() + b * tokens * D, tokens * D, out.x.begin() + b * T * D);
  }
};

/// Threads that meet at every phase wait long for each other where something else runs on this machine.
class OneThread {
 public:
  OneThread() { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_ = at::get_num_threads();
};

template <typename Type>
void expect_states_of_the_reference(const BlockShape& shape, int64_t prefill = 0) {
  SCOPED_TRACE(::testing::Message()
               << "T " << shape.tokens << " D " << shape.width << " F " << shape.feed_forward_width
               << " head " << shape.head_width << " prefill " << prefill);
  const DecodeCase<Type> c(shape);
  const auto expected = c.block.reference();
  double largest = 0;
  for (const auto v : expected) largest = std::max(largest, std::abs(Type::value(v)));
  Panels<Type>::for_each_set([&](const PanelKernels& set) {
    const auto actual = c.run(set, prefill).x;
    double worst = 0;
    for (size_t i = 0; i < actual.size(); ++i)
      // Written so that NaN fails.
      if (const double apart = std::abs(Type::value(actual[i]) - Type::value(expected[i]));
          !(apart <= worst))
        worst = apart;
    EXPECT_LE(worst, block_tolerance<Type>(largest));
  });
}

template <typename Type>
struct PanelsDecode : Panels<Type> {};
TYPED_TEST_SUITE(PanelsDecode, ElementTypes);

// Around bands of 16 rows, steps of 16 or 32 features, chunks of 64 keys.
const BlockShape kDecodeShapes[] = {
    {1, 3, 2, 1, 1, 2, 1, 1e-5f},     {2, 5, 20, 2, 1, 10, 7, 1e-5f},
    {3, 7, 33, 3, 3, 12, 63, 1e-5f},  {1, 65, 64, 4, 2, 16, 64, 1e-5f},
    {2, 17, 65, 1, 1, 64, 65, 1e-5f}, {1, 130, 96, 6, 2, 34, 129, 1e-5f},
    {8, 3, 192, 3, 1, 64, 130, 1e-5f}};

TYPED_TEST(PanelsDecode, TokenByTokenAsTheReferenceRunsTheWholeSequence) {
  for (const BlockShape& shape : kDecodeShapes) expect_states_of_the_reference<TypeParam>(shape);
}

TYPED_TEST(PanelsDecode, OnWhatABlockOverTheBeginningLeft) {
  for (const int64_t prefill : {1, 31, 32, 33, 64, 69}) {
    BlockShape shape{2, 70, 40, 4, 2, 12, 30, 1e-5f};
    expect_states_of_the_reference<TypeParam>(shape, prefill);
  }
}

TYPED_TEST(PanelsDecode, WithEveryOptionAsTheReferenceDoes) {
  for (size_t i = 0; i < std::size(kOptions); ++i) {
    SCOPED_TRACE(::testing::Message() << "options " << i);
    for (BlockShape shape : {kDecodeShapes[1], kDecodeShapes[2], kDecodeShapes[3]}) {
      shape.options = kOptions[i];
      expect_states_of_the_reference<TypeParam>(shape);
    }
  }
}

TYPED_TEST(PanelsDecode, RotatesTheFirstFeaturesOfAHeadOnly) {
  for (const int64_t rotary : {2, 4, 12}) {
    BlockShape shape{2, 9, 40, 3, 1, 12, 30, 1e-5f};
    shape.rotary_width = rotary;
    expect_states_of_the_reference<TypeParam>(shape);
  }
}

TYPED_TEST(PanelsDecode, SeesNoKeyBeforeTheWindow) {
  for (const int64_t window : {1, 2, 63, 64, 65, 97, 1000}) {
    SCOPED_TRACE(::testing::Message() << "window " << window);
    BlockShape shape{1, 140, 40, 2, 1, 16, 30, 1e-5f};
    shape.window = window;
    expect_states_of_the_reference<TypeParam>(shape);
  }
}

TYPED_TEST(PanelsDecode, MakesTheLogitsOfItsStates) {
  for (const bool layer : {false, true})
    for (const int64_t vocabulary : {1, 15, 16, 17, 100}) {
      SCOPED_TRACE(::testing::Message() << "vocabulary " << vocabulary);
      BlockShape shape{2, 2, 33, 2, 1, 12, 30, 1e-5f};
      if (layer) shape.options.norm = Norm::kLayer;
      const OneThread alone;
      const DecodeCase<TypeParam> c(shape, 3, vocabulary);
      this->for_each_set([&](const PanelKernels& set) {
        const auto out = c.run(set);
        for (int64_t t = 0; t < 2; ++t)
          for (int64_t b = 0; b < 2; ++b) {
            HeadShape one = c.head();
            one.rows = 1;
            std::vector<float> expected(static_cast<size_t>(vocabulary));
            logits_reference<typename TypeParam::Element>(
                one, c.head_weights(), out.x.data() + (b * 2 + t) * shape.width, expected.data());
            const float* z = out.logits.data() + (t * 2 + b) * vocabulary;
            // Terms of a logit are of size D^-1/2, so that its error is that of a value of order 1 where they cancel.
            double largest = 1;
            for (const float v : expected)
              largest = std::max(largest, static_cast<double>(std::abs(v)));
            // As for the logits of the other kernels: the normed state's rounding, and in fp32 the sum's.
            const double roundings = TypeParam::kRounding < 0x1p-20
                                         ? 4 * std::sqrt(static_cast<double>(shape.width))
                                         : 4;
            for (int64_t v = 0; v < vocabulary; ++v)
              ASSERT_NEAR(z[v], expected[static_cast<size_t>(v)],
                          roundings * TypeParam::kRounding * largest);
          }
      });
    }
}

TYPED_TEST(PanelsDecode, GivesASequenceTheSameBitsInAnyBatchCapacityAndThreadCount) {
  const BlockShape shape{3, 67, 64, 4, 2, 16, 100, 1e-5f};
  const DecodeCase<TypeParam> whole(shape);
  DecodeCase<TypeParam> alone(shape, 50);
  alone.block.shape.sequences = 1;
  alone.block.x.assign(whole.block.x.begin() + 67 * 64, whole.block.x.begin() + 2 * 67 * 64);
  const int threads = at::get_num_threads();
  this->for_each_set([&](const PanelKernels& set) {
    at::set_num_threads(1);
    const auto expected = whole.run(set);
    for (const int count : {2, 3}) {
      at::set_num_threads(count);
      const auto actual = whole.run(set);
      EXPECT_EQ(actual.x, expected.x) << count << " threads";
      EXPECT_EQ(actual.logits, expected.logits) << count << " threads";
      const auto one = alone.run(set);
      EXPECT_EQ(
          std::memcmp(one.x.data(), expected.x.data() + 67 * 64, one.x.size() * sizeof(one.x[0])),
          0);
    }
    at::set_num_threads(threads);
  });
}

TYPED_TEST(PanelsDecode, PassesEveryBitThroughZeroWeights) {
  const OneThread alone;
  DecodeCase<TypeParam> c({1, 4, 48, 2, 1, 24, 50, 1e-5f});
  std::fill(c.block.out.begin(), c.block.out.end(), typename TypeParam::Element{});
  std::fill(c.block.down.begin(), c.block.down.end(), typename TypeParam::Element{});
  c.block.x[5] = TypeParam::make(0.0);
  c.block.x[6] = TypeParam::make(-0.0);
  this->for_each_set([&](const PanelKernels& set) {
    EXPECT_EQ(
        std::memcmp(c.run(set).x.data(), c.block.x.data(), c.block.x.size() * sizeof(c.block.x[0])),
        0);
  });
}

TEST(Meeting, LetsNobodyGoBeforeAllSharesAreThere) {
  constexpr int64_t kRounds = 2000;
  Meeting meeting(4);
  std::atomic<int64_t> arrived{0};
  std::atomic<int> early{0};
  const auto go = [&](int64_t shares) {
    for (int64_t round = 1; round <= kRounds; ++round) {
      arrived += shares;
      meeting.wait(shares);
      if (arrived < 4 * round) ++early;
      meeting.wait(shares);
    }
  };
  std::thread one(go, 1), two(go, 2), three(go, 1);
  one.join(), two.join(), three.join();
  EXPECT_EQ(early, 0);
}

}  // namespace
}  // namespace plumb::models::kernels
