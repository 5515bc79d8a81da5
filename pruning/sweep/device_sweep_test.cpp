// Sweeps on a device: the fake one here, CUDA where there is one.

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/device_tolerance.h"
#include "models/fake_device/testing.h"
#include "pruning/strategy.h"
#include "pruning/sweep/sweep.h"

namespace plumb::pruning {
namespace {

using models::Decoder;
using models::Dtype;
using Losses = std::vector<std::vector<double>>;

constexpr int64_t kBlocks = 8;

models::TokenBatch documents() {
  models::TokenBatch batch;
  batch.file = "random";
  batch.token_count = 20;
  Rng rng(5);
  for (int64_t d = 0; d < 7; ++d) batch.documents.push_back(d);
  for (int64_t i = 0; i < 7 * 20; ++i) batch.tokens.push_back(static_cast<int64_t>(rng.below(256)));
  return batch;
}

std::vector<PruningPlan> plans() {
  StrategyInputs inputs;
  inputs.block_count = kBlocks;
  std::vector<PruningPlan> out;
  for (const int64_t n : {0, 1, 3, 6})
    for (const char* strategy : {"simple", "random"}) out.push_back(make_plan(strategy, n, inputs));
  return out;
}

Losses losses(const Decoder& decoder, const std::vector<PruningPlan>& asked) {
  SweepOptions options;
  options.documents_per_step = 3;
  options.positions = 6;
  return sweep(decoder, documents(), asked, options).loss_nats;
}

class DeviceSweep : public models::OnADevice {
 protected:
  using OnADevice::OnADevice;
  static constexpr uint64_t kAll = uint64_t{1} << 40;

  static Decoder make(Dtype dtype) {
    return fixtures::tiny_decoder({.block_count = kBlocks, .dtype = dtype});
  }

  void expect_the_cpus_losses() {
    for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16}) {
      const Losses expected = losses(make(dtype), plans()),
                   found = losses(make(dtype).on(device_.device, kAll), plans());
      for (size_t plan = 0; plan < expected.size(); ++plan)
        for (size_t d = 0; d < expected[plan].size(); ++d)
          EXPECT_LE(std::abs(found[plan][d] - expected[plan][d]),
                    models::device_loss_tolerance(dtype, kBlocks, expected[plan][d]))
              << models::dtype_name(dtype) << ", plan " << plan << ", document " << d;
    }
  }

  void expect_the_same_bits_together_alone_and_streamed() {
    for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16}) {
      const Decoder resident = make(dtype).on(device_.device, kAll);
      const Losses together = losses(resident, plans());
      for (size_t i = 0; i < together.size(); ++i)
        EXPECT_EQ(losses(resident, {plans()[i]}).front(), together[i]) << "plan " << i;
      for (const uint64_t blocks : {2, 5}) {
        const Decoder cpu = make(dtype);
        const Decoder streamed =
            cpu.on(device_.device, blocks * cpu.block_bytes() / static_cast<uint64_t>(kBlocks));
        EXPECT_FALSE(streamed.keeps(0));
        EXPECT_EQ(losses(streamed, plans()), together) << blocks << " blocks on the device";
      }
    }
  }
};

class FakeDeviceSweep : public DeviceSweep {
 protected:
  FakeDeviceSweep() : DeviceSweep(models::fake_plugin()) {}
};
TEST_F(FakeDeviceSweep, GivesTheCpusLosses) { expect_the_cpus_losses(); }
TEST_F(FakeDeviceSweep, GivesTheSameBitsTogetherAloneAndStreamed) {
  expect_the_same_bits_together_alone_and_streamed();
}

class CudaSweep : public DeviceSweep {
 protected:
  CudaSweep() : DeviceSweep("cuda") {}
};
TEST_F(CudaSweep, GivesTheCpusLosses) { expect_the_cpus_losses(); }
TEST_F(CudaSweep, GivesTheSameBitsTogetherAloneAndStreamed) {
  expect_the_same_bits_together_alone_and_streamed();
}

}  // namespace
}  // namespace plumb::pruning
