#include "pruning/sweep/sweep.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "metrics/similarity/profile.h"
#include "pruning/apply.h"
#include "pruning/strategy.h"

namespace plumb::pruning {
namespace {

using fixtures::tiny_decoder;
using ::testing::HasSubstr;

models::TokenBatch random_batch(int64_t documents, int64_t tokens, uint64_t seed) {
  Rng rng(seed);
  models::TokenBatch batch;
  batch.token_count = tokens;
  batch.file = "random.jsonl";
  for (int64_t document = 0; document < documents; ++document) {
    batch.documents.push_back(3 * document);
    for (int64_t t = 0; t < tokens; ++t)
      batch.tokens.push_back(static_cast<int64_t>(rng.below(256)));
  }
  return batch;
}

/// `simple`, `random` and some scattered plans for every n, the whole model asked for twice.
std::vector<PruningPlan> many_plans(int64_t L, uint64_t seed) {
  std::vector<PruningPlan> plans;
  for (const char* strategy : {"simple", "random"})
    for (int64_t n = 0; n < L; ++n) plans.push_back(make_plan(strategy, n, {L, nullptr, seed, {}}));
  plans.push_back({L, {0, 2}, "explicit", ""});
  plans.push_back({L, {1, 3, 4}, "explicit", ""});
  return plans;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

class SweepOf : public ::testing::TestWithParam<std::tuple<uint64_t, models::Dtype>> {
 protected:
  uint64_t seed() const { return std::get<0>(GetParam()); }
  models::Decoder decoder() const {
    fixtures::TinyDecoderOptions options;
    options.seed = seed();
    options.dtype = std::get<1>(GetParam());
    return tiny_decoder(options);
  }
};

TEST_P(SweepOf, ManyPlansIsBitEqualToEachPlanAlone) {
  const auto model = decoder();
  const auto documents = random_batch(5, 13, seed());  // the last step has one document
  const auto plans = many_plans(6, seed());
  for (const int64_t positions : {0, 6}) {
    SweepOptions options;
    options.documents_per_step = 2;
    options.positions = positions;
    options.seed = seed();
    const SweepLosses together = sweep(model, documents, plans, options);
    for (size_t i = 0; i < plans.size(); ++i) {
      const SweepLosses alone = sweep(model, documents, std::span(plans).subspan(i, 1), options);
      EXPECT_TRUE(same_bits(together.loss_nats[i], alone.loss_nats[0])) << plans[i].removed_text();
      if (positions > 0) {
        EXPECT_TRUE(same_bits(together.position_variance[i], alone.position_variance[0]));
      }
    }
  }
}

TEST_P(SweepOf, APlanIsBitEqualToTheWholeOfThePrunedDecoder) {
  const auto model = decoder();
  const auto documents = random_batch(3, 11, seed());
  for (const PruningPlan& plan : many_plans(6, seed())) {
    const auto pruned = apply(model, plan);
    const PruningPlan nothing{pruned.block_count(), {}, "explicit", ""};
    const auto a = sweep(model, documents, std::span(&plan, 1), {});
    const auto b = sweep(pruned, documents, std::span(&nothing, 1), {});
    EXPECT_TRUE(same_bits(a.loss_nats[0], b.loss_nats[0])) << plan.removed_text();
  }
}

TEST_P(SweepOf, APlanIsTheMeanLossOfItsLogits) {
  const auto model = decoder();
  const auto documents = random_batch(3, 11, seed());
  const PruningPlan plan{6, {2, 4}, "explicit", ""};
  const auto pruned = apply(model, plan);
  at::Tensor x = pruned.embed(at::tensor(documents.tokens, at::kLong).view({3, 11}));
  for (int64_t l = 0; l < pruned.block_count(); ++l) x = pruned.run_block(l, x);
  const at::Tensor log_p = at::log_softmax(pruned.logits(x).to(at::kDouble), -1);
  const auto losses = sweep(model, documents, std::span(&plan, 1), {});
  for (int64_t document = 0; document < 3; ++document) {
    double expected = 0;
    for (int64_t p = 1; p < 11; ++p) {
      const int64_t target = documents.tokens[static_cast<size_t>(document * 11 + p)];
      expected -= log_p.select(0, document).select(0, p - 1).select(0, target).item<double>();
    }
    // Losses near ln 256 come as floats; in bf16 the logits of other shapes may differ by a
    // rounding of 2^-9, and logits here are of size 1.
    const double tolerance = std::get<1>(GetParam()) == models::Dtype::kBf16 ? 0x1.0p-7 : 1e-5;
    EXPECT_NEAR(losses.loss_nats[0][static_cast<size_t>(document)], expected / 10, tolerance);
  }
}

/// KL(whole || pruned) and same top token of each document, in double from all logits.
void expect_distributions(const models::Decoder& model, const models::TokenBatch& documents,
                          const PruningPlan& plan, const SweepLosses& found, size_t row,
                          const SweepOptions& options, double tolerance) {
  const int64_t T = documents.token_count;
  const auto log_softmax = [&](const models::Decoder& decoder) {
    at::Tensor x = decoder.embed(at::tensor(documents.tokens, at::kLong).view({-1, T}));
    for (int64_t l = 0; l < decoder.block_count(); ++l) x = decoder.run_block(l, x);
    return at::log_softmax(decoder.logits(x).to(at::kDouble), -1);
  };
  const at::Tensor p = log_softmax(model), q = log_softmax(apply(model, plan));
  const at::Tensor divergence = (p.exp() * (p - q)).sum(-1);
  const at::Tensor same = p.argmax(-1).eq(q.argmax(-1));
  for (int64_t document = 0; document < documents.size(); ++document) {
    const auto d = static_cast<size_t>(document);
    const auto positions =
        sampled_positions(T, options.positions, options.seed, documents.documents[d]);
    double sum = 0, equal = 0;
    for (const int64_t position : positions) {
      sum += divergence[document][position - 1].item<double>();
      equal += same[document][position - 1].item<bool>() ? 1 : 0;
    }
    const auto count = static_cast<double>(positions.size());
    EXPECT_NEAR(found.divergence_nats->mean[row][d], sum / count, tolerance);
    EXPECT_NEAR(found.same_top->mean[row][d], equal / count, 1e-15);
  }
}

TEST_P(SweepOf, ComparesEveryPlanWithTheWholeModelAtTheSamePositions) {
  const auto model = decoder();
  const auto documents = random_batch(5, 13, seed());
  const auto plans = many_plans(6, seed());
  for (const int64_t positions : {0, 6}) {
    SweepOptions options;
    options.documents_per_step = 2;
    options.positions = positions;
    options.seed = seed();
    const SweepLosses found = sweep(model, documents, plans, options);
    ASSERT_TRUE(found.divergence_nats && found.same_top);
    EXPECT_EQ(found.divergence_nats->variance.empty(), positions == 0);
    for (size_t i = 0; i < plans.size(); ++i) {
      SCOPED_TRACE(plans[i].removed_text());
      // Products of other shapes, logits of size 1: a few roundings each, as in APlanIsTheMeanLossOfItsLogits.
      const bool wide = std::get<1>(GetParam()) == models::Dtype::kBf16;
      if (!wide) expect_distributions(model, documents, plans[i], found, i, options, 1e-5);
      if (!plans[i].removed.empty()) continue;
      for (size_t d = 0; d < 5; ++d) {
        EXPECT_EQ(found.divergence_nats->mean[i][d], 0);
        EXPECT_EQ(found.same_top->mean[i][d], 1);
      }
    }
  }
}

TEST(Sweep, ABlockThatChangesNothingTakesNothingFromTheDistribution) {
  fixtures::TinyDecoderOptions options;
  options.identity_blocks = {2};
  const auto model = tiny_decoder(options);
  const std::vector<PruningPlan> plans{
      {6, {}, "explicit", ""}, {6, {2}, "explicit", ""}, {6, {3}, "explicit", ""}};
  const SweepLosses found = sweep(model, random_batch(3, 11, 1), plans, {});
  EXPECT_EQ(found.divergence_nats->mean[1], (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(found.same_top->mean[1], (std::vector<double>{1, 1, 1}));
  for (const double divergence : found.divergence_nats->mean[2]) EXPECT_GT(divergence, 1e-4);
}

TEST(Sweep, WithoutTheWholeModelThereIsNothingToCompareWith) {
  const std::vector<PruningPlan> plans{{6, {2}, "explicit", ""}, {6, {3}, "explicit", ""}};
  const SweepLosses found = sweep(tiny_decoder({}), random_batch(3, 11, 1), plans, {});
  EXPECT_FALSE(found.divergence_nats.has_value());
  EXPECT_FALSE(found.same_top.has_value());
}

INSTANTIATE_TEST_SUITE_P(Seeds, SweepOf,
                         ::testing::Combine(::testing::Range<uint64_t>(1, 6),
                                            ::testing::Values(models::Dtype::kFp32,
                                                              models::Dtype::kBf16)));

class PlantedIdentity : public ::testing::TestWithParam<int64_t> {};  // parameter: its block

TEST_P(PlantedIdentity, IsFoundBySimilarityAndItsRemovalLeavesTheLogitsBitEqual) {
  fixtures::TinyDecoderOptions options;
  options.identity_blocks = {GetParam()};
  const auto model = tiny_decoder(options);
  const auto documents = random_batch(4, 16, 7);
  const auto profile = metrics::profile(model, documents, 2);
  for (const char* strategy : {"similarity", "block-influence"}) {
    const auto plan = make_plan(strategy, 1, {6, &profile, 0, {}});
    ASSERT_EQ(plan.removed, std::vector<int64_t>{GetParam()}) << strategy;
    const auto pruned = apply(model, plan);
    EXPECT_EQ(pruned.block_count(), 5);
    EXPECT_EQ(pruned.block(0)->down.data_ptr(),
              model.block(GetParam() == 0 ? 1 : 0)->down.data_ptr())
        << "weights are shared";
    const auto logits_of = [&](const models::Decoder& decoder) {
      at::Tensor x = decoder.embed(at::tensor(documents.tokens, at::kLong).view({4, 16}));
      for (int64_t l = 0; l < decoder.block_count(); ++l) x = decoder.run_block(l, x);
      return decoder.logits(x).contiguous();
    };
    const at::Tensor whole = logits_of(model), less = logits_of(pruned);
    ASSERT_EQ(whole.nbytes(), less.nbytes());
    EXPECT_EQ(std::memcmp(whole.const_data_ptr(), less.const_data_ptr(), whole.nbytes()), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Blocks, PlantedIdentity, ::testing::Range<int64_t>(0, 6));

TEST(Sweep, ReportsWhatItDidAndWhatItSaved) {
  const auto plans = many_plans(6, 1);
  int64_t calls = 0, last = 0, all = 0;
  SweepOptions options;
  options.documents_per_step = 2;
  options.progress = [&](int64_t done, int64_t in_all) {
    EXPECT_EQ(done, ++calls);
    last = done;
    all = in_all;
  };
  const auto result = sweep(tiny_decoder({}), random_batch(3, 8, 1), plans, options);
  EXPECT_EQ(last, all);
  EXPECT_EQ(all, 2 * result.block_evaluations);  // two steps
  EXPECT_EQ(result.loss_nats.size(), plans.size());
  EXPECT_LT(result.plans_distinct, static_cast<int64_t>(plans.size()));
  EXPECT_LT(result.block_evaluations, result.block_evaluations_alone);
  EXPECT_EQ(result.positions_per_document, 7);
  EXPECT_TRUE(result.position_variance.empty());
}

TEST(Sweep, OfTheWholeModelTwiceGivesEqualRows) {
  const auto plans = many_plans(6, 1);
  const auto result = sweep(tiny_decoder({}), random_batch(2, 8, 1), plans, {});
  EXPECT_TRUE(same_bits(result.loss_nats[0], result.loss_nats[6]));  // simple and random at n = 0
}

std::string error_of(ErrorKind kind, const models::Decoder& decoder,
                     const models::TokenBatch& batch, const std::vector<PruningPlan>& plans,
                     const SweepOptions& options = {}) {
  try {
    sweep(decoder, batch, plans, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Sweep, NamesThePlanAndTheDocumentOfALossThatIsNotFinite) {
  const auto model = tiny_decoder({});
  model.block(3)->down.fill_(std::numeric_limits<float>::quiet_NaN());
  const std::vector<PruningPlan> plans{make_plan("explicit", 1, {6, nullptr, 0, {3}}),
                                       make_plan("simple", 1, {6, nullptr, 0, {}})};
  const auto message = error_of(ErrorKind::kInput, model, random_batch(2, 6, 1), plans);
  EXPECT_THAT(message, HasSubstr("plan 'simple', n = 1, removed 4, on document 0"));
  EXPECT_THAT(message, HasSubstr("nan"));
}

TEST(Sweep, RefusesWhatItCannotMeasure) {
  const auto model = tiny_decoder({});
  const std::vector<PruningPlan> plan{make_plan("simple", 1, {6, nullptr, 0, {}})};
  const std::vector<PruningPlan> other{make_plan("simple", 1, {7, nullptr, 0, {}})};
  const auto batch = random_batch(2, 6, 1);
  EXPECT_THAT(error_of(ErrorKind::kUsage, model, batch, {}), HasSubstr("no plans"));
  EXPECT_THAT(error_of(ErrorKind::kUsage, model, batch, other), HasSubstr("7 blocks"));
  EXPECT_THAT(error_of(ErrorKind::kInput, model, random_batch(0, 6, 1), plan),
              HasSubstr("no documents"));
  EXPECT_THAT(error_of(ErrorKind::kUsage, model, random_batch(2, 1, 1), plan),
              HasSubstr("2 tokens"));
  SweepOptions one;
  one.positions = 1;
  EXPECT_THAT(error_of(ErrorKind::kUsage, model, batch, plan, one), HasSubstr("variance"));
  SweepOptions none;
  none.documents_per_step = 0;
  EXPECT_THAT(error_of(ErrorKind::kUsage, model, batch, plan, none), HasSubstr("at least 1"));
}

}  // namespace
}  // namespace plumb::pruning
