// The arithmetic of devices, proved where there is none: on the CPU against transformers and against the panels.

#include "models/aten_block.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/testing.h"
#include "fixtures/formats/golden_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/device_tolerance.h"

namespace plumb::models {
namespace {

using fixtures::golden_kept;
using nlohmann::json;

const fixtures::GoldenArchitectures& golden_file() {
  static const fixtures::GoldenArchitectures golden(std::string(PLUMB_SOURCE_DIR) +
                                                    "/fixtures/golden/architectures.json");
  return golden;
}

/// States after the blocks of `decoder`, [B, T, D], without its panels.
at::Tensor aten_states(const Decoder& decoder, const at::Tensor& tokens) {
  RopeTable rope(rope_frequencies(decoder.config().rotary_width, decoder.config().rope_theta,
                                  decoder.config().rope_scaling));
  at::Tensor x = decoder.embed(tokens);
  const auto positions = aten_positions(rope, decoder.config(), 0, tokens.size(1), x.device());
  for (int64_t i = 0; i < decoder.block_count(); ++i)
    aten_block(*decoder.block(i), decoder.config(), positions, x);
  return x;
}

at::Tensor panel_states(const Decoder& decoder, const at::Tensor& tokens) {
  at::Tensor x = decoder.embed(tokens);
  for (int64_t i = 0; i < decoder.block_count(); ++i) decoder.run_block_in_place(i, x);
  return x;
}

/// Mean loss of each sequence of states.
std::vector<double> document_losses(const at::Tensor& losses, int64_t documents) {
  const at::Tensor means = losses.to(at::kDouble).view({documents, -1}).mean(1).contiguous();
  return {means.const_data_ptr<double>(), means.const_data_ptr<double>() + documents};
}

class AtenGoldenArchitecture : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override { fixtures::write_golden_model(folder_ / "model", golden()); }
  const json& golden() const { return golden_file().cases.at(GetParam()); }
  Decoder load(Dtype dtype) const {
    return Decoder::load(Checkpoint::open(folder_ / "model"), dtype);
  }
  testing::TemporaryFolder folder_;
};

TEST_P(AtenGoldenArchitecture, GivesTheLogitsOfTransformersWholeAndPruned) {
  const Decoder decoder = load(Dtype::kFp32);
  for (const json& plan : golden().at("plans")) {
    const Decoder pruned = decoder.with_blocks(golden_kept(plan, decoder.block_count()));
    const at::Tensor logits =
        aten_logits(pruned.head(), pruned.config(), aten_states(pruned, golden_file().tokens));
    EXPECT_LE(golden_file().difference(logits, plan), 1e-4) << plan.at("removed");
  }
}

TEST_P(AtenGoldenArchitecture, GivesTheLossesOfThePanelsWithinTheToleranceOfDevices) {
  const at::Tensor tokens = golden_file().tokens;
  const int64_t B = tokens.size(0), T = tokens.size(1);
  for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16}) {
    const Decoder decoder = load(dtype);
    const auto rows = [&](const at::Tensor& x) {
      return x.narrow(1, 0, T - 1).reshape({B * (T - 1), x.size(2)});
    };
    const at::Tensor targets = tokens.narrow(1, 1, T - 1).reshape(-1);
    const auto aten =
        document_losses(aten_cross_entropy(decoder.head(), decoder.config(),
                                           rows(aten_states(decoder, tokens)), targets),
                        B);
    const auto panels =
        document_losses(decoder.cross_entropy(rows(panel_states(decoder, tokens)), targets), B);
    for (size_t b = 0; b < panels.size(); ++b) {
      const double tolerance = device_loss_tolerance(dtype, decoder.block_count(), panels[b]);
      EXPECT_LE(std::abs(aten[b] - panels[b]), tolerance) << dtype_name(dtype);
      RecordProperty(text("difference_", dtype_name(dtype), "_", b), text(aten[b] - panels[b]));
    }
  }
}

std::vector<size_t> case_numbers() {
  std::vector<size_t> numbers(golden_file().cases.size());
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  return numbers;
}
std::string name_of_case(const ::testing::TestParamInfo<size_t>& test) {
  return golden_file().cases.at(test.param).at("name").get<std::string>();
}
INSTANTIATE_TEST_SUITE_P(Families, AtenGoldenArchitecture, ::testing::ValuesIn(case_numbers()),
                         name_of_case);

// Rows are products of their own, but other shapes may take other kernels: a few roundings of a logit.
TEST(AtenCrossEntropy, DoesNotDependOnItsChunks) {
  const Decoder decoder = fixtures::tiny_decoder({.vocabulary_size = 300});
  const at::Tensor targets = at::arange(0, 37);
  const at::Tensor x = decoder.embed(targets.view({1, -1})).view({37, -1});
  const auto losses = [&](int64_t rows) {
    return aten_cross_entropy(decoder.head(), decoder.config(), x, targets, rows * 4 * 300);
  };
  const at::Tensor whole = losses(37);
  for (const int64_t rows : {0, 1, 5, 36})
    EXPECT_TRUE(at::allclose(losses(rows), whole, 0, 64 * 0x1p-24 * 8)) << rows << " rows";
  EXPECT_EQ(aten_cross_entropy(decoder.head(), decoder.config(), x.narrow(0, 0, 0),
                               targets.narrow(0, 0, 0))
                .numel(),
            0);
}

// The loss is the bits of the loss alone; the rest is the panels' within roundings of logits of size 1.
TEST(AtenDistributions, AreThoseOfThePanels) {
  const Decoder decoder = fixtures::tiny_decoder({.vocabulary_size = 300});
  const at::Tensor targets = at::arange(0, 37);
  const at::Tensor x = decoder.embed(targets.view({1, -1})).view({37, -1});
  const std::vector<at::Tensor> states{x, x.flip(0).contiguous(), x};
  const Distributions panels = decoder.distributions(states, targets);
  for (const int64_t rows : {5, 37}) {
    const int64_t bytes = rows * 4 * 300;
    const Distributions aten =
        aten_distributions(decoder.head(), decoder.config(), states, targets, bytes);
    for (int64_t m = 0; m < 3; ++m) {
      EXPECT_TRUE(at::equal(aten.loss[m],
                            aten_cross_entropy(decoder.head(), decoder.config(),
                                               states[static_cast<size_t>(m)], targets, bytes)));
      EXPECT_TRUE(at::equal(panels.loss[m],
                            decoder.cross_entropy(states[static_cast<size_t>(m)], targets)));
    }
    EXPECT_TRUE(at::allclose(aten.divergence, panels.divergence, 0, 64 * 0x1p-24 * 8));
    EXPECT_TRUE(at::equal(aten.top, panels.top));
    EXPECT_TRUE(aten.divergence[2].eq(0).all().item<bool>());
    EXPECT_GT(aten.divergence[1].max().item<float>(), 0.01f);
  }
}

}  // namespace
}  // namespace plumb::models
