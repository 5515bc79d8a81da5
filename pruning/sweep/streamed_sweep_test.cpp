// A sweep of a model whose blocks come and go against the one of the model in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/streamed_blocks.h"
#include "pruning/strategy.h"
#include "pruning/sweep/sweep.h"
#include "pruning/sweep/trie.h"

namespace plumb::pruning {
namespace {

using models::Decoder;
using models::Dtype;
using models::StreamedBlocks;

constexpr int64_t kBlocks = 6, kDocuments = 5, kTokens = 13, kWidth = 64;

models::TokenBatch random_batch(uint64_t seed) {
  Rng rng(seed);
  models::TokenBatch batch;
  batch.token_count = kTokens;
  batch.file = "random.jsonl";
  for (int64_t document = 0; document < kDocuments; ++document) batch.documents.push_back(document);
  for (int64_t i = 0; i < kDocuments * kTokens; ++i)
    batch.tokens.push_back(static_cast<int64_t>(rng.below(256)));
  return batch;
}

std::vector<PruningPlan> plans_of(const std::vector<const char*>& strategies, uint64_t seed) {
  std::vector<PruningPlan> plans;
  for (const char* strategy : strategies)
    for (int64_t n = 0; n < kBlocks; ++n)
      plans.push_back(make_plan(strategy, n, {kBlocks, nullptr, seed, {}}));
  return plans;
}

bool same_bits(const std::vector<std::vector<double>>& a,
               const std::vector<std::vector<double>>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].size() != b[i].size() ||
        std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(double)) != 0)
      return false;
  return true;
}

/// Bytes of the activation of a full step of two documents.
uint64_t activation_bytes(Dtype dtype) {
  return 2 * kTokens * kWidth * c10::elementSize(models::scalar_type(dtype));
}

class StreamedSweep : public ::testing::TestWithParam<std::tuple<Dtype, bool>> {
 protected:
  StreamedSweep() {
    fixtures::write_tiny_folder(folder_ / "model",
                                fixtures::tiny_decoder({.tied_embeddings = false, .seed = 3}),
                                models::StoredType::kF32);
  }
  static Dtype dtype() { return std::get<0>(GetParam()); }
  static bool pins() { return std::get<1>(GetParam()); }

  testing::TemporaryFolder folder_;
  const models::TokenBatch documents_ = random_batch(7);
};

TEST_P(StreamedSweep, HasTheBitsOfTheResidentOneAndReadsEveryBlockOnce) {
  const auto checkpoint = models::Checkpoint::open(folder_ / "model");
  const Decoder resident = Decoder::load(checkpoint, dtype());
  std::vector<PruningPlan> plans = plans_of({"simple", "random"}, 1);
  plans.push_back({kBlocks, {0, 2}, "explicit", ""});
  plans.push_back({kBlocks, {1, 3, 4}, "explicit", ""});
  for (const int64_t positions : {0, 6}) {
    SweepOptions options;
    options.documents_per_step = 2;
    options.positions = positions;
    const SweepLosses expected = sweep(resident, documents_, plans, options);
    for (const uint64_t activations :
         positions == 0 ? std::vector<uint64_t>{0, 3, 1000} : std::vector<uint64_t>{1}) {
      const auto source =
          std::make_shared<StreamedBlocks>(checkpoint, models::scalar_type(dtype()), pins());
      const Decoder stream(checkpoint.config(), dtype(), {}, checkpoint, source, resident.head());
      options.room = {activations * activation_bytes(dtype()), folder_.path()};
      const SweepLosses got = sweep(stream, documents_, plans, options);
      EXPECT_TRUE(same_bits(got.loss_nats, expected.loss_nats)) << activations;
      EXPECT_TRUE(same_bits(got.position_variance, expected.position_variance));
      EXPECT_EQ(got.block_evaluations, expected.block_evaluations);
      EXPECT_EQ(got.positions_per_document, expected.positions_per_document);
      EXPECT_EQ(source->blocks_read(), kBlocks);
      EXPECT_EQ(got.spilled_bytes > 0, activations < 1000) << "activations " << activations;
    }
  }
}

TEST_P(StreamedSweep, OfAPlanAloneIsTheOneOfAllPlans) {
  const auto checkpoint = models::Checkpoint::open(folder_ / "model");
  const Decoder stream = Decoder::stream(checkpoint, dtype(), pins());
  const auto plans = plans_of({"random"}, 5);
  SweepOptions options;
  options.documents_per_step = 2;
  const SweepLosses together = sweep(stream, documents_, plans, options);
  for (size_t i = 0; i < plans.size(); ++i) {
    const SweepLosses alone = sweep(stream, documents_, std::span(plans).subspan(i, 1), options);
    EXPECT_TRUE(same_bits({together.loss_nats[i]}, alone.loss_nats)) << plans[i].removed_text();
  }
}

TEST_P(StreamedSweep, OfSimpleWithTheLastBlockInMemoryKeepsOneActivationAStep) {
  const auto checkpoint = models::Checkpoint::open(folder_ / "model");
  const Decoder stream = Decoder::stream(checkpoint, dtype(), pins());
  SweepOptions options;
  options.documents_per_step = 2;
  const auto losses = sweep(stream, documents_, plans_of({"simple"}, 0), options);
  constexpr int64_t kSteps = 3, kWorkedOn = 2;
  if (pins()) {
    EXPECT_EQ(losses.peak_activations, kSteps + kWorkedOn);
  } else {
    EXPECT_EQ(losses.peak_activations, (kBlocks - 1) * kSteps + kWorkedOn);
  }
}

TEST_P(StreamedSweep, CountsItsProgressAsTheResidentOne) {
  const auto checkpoint = models::Checkpoint::open(folder_ / "model");
  int64_t calls = 0, all = 0;
  SweepOptions options;
  options.documents_per_step = 2;
  options.progress = [&](int64_t done, int64_t in_all) {
    EXPECT_EQ(done, ++calls);
    all = in_all;
  };
  const auto result = sweep(Decoder::stream(checkpoint, dtype(), pins()), documents_,
                            plans_of({"simple"}, 0), options);
  EXPECT_EQ(calls, all);
  EXPECT_EQ(all, 3 * result.block_evaluations);
}

INSTANTIATE_TEST_SUITE_P(DtypesAndPins, StreamedSweep,
                         ::testing::Combine(::testing::Values(Dtype::kFp32, Dtype::kBf16),
                                            ::testing::Bool()));

}  // namespace
}  // namespace plumb::pruning
