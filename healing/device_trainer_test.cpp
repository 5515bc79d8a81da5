// Healing on a device: on one that is not there (models/fake_device), whose kernels the host runs thread by thread, and on CUDA where there
// is one. The fake one proves that host and device are not mixed.

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "healing/device_kernels.h"
#include "healing/loss_gradient.h"
#include "healing/nf4_blocks.h"
#include "healing/trainer.h"
#include "healing/training_state.h"
#include "models/device_tensors.h"
#include "models/fake_device/testing.h"

namespace plumb::healing {
namespace {

using models::Dtype;

/// Text with something to learn: each token follows from the one before.
at::Tensor tokens(int64_t batch, int64_t count, uint64_t seed) {
  at::Tensor out = at::empty({batch, count}, at::kLong);
  Rng rng(seed);
  auto* ids = out.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < out.numel(); ++i)
    ids[i] = i % count == 0 ? static_cast<int64_t>(rng.below(256)) : (ids[i - 1] * 5 + 7) % 256;
  return out;
}

const models::Decoder& exact() {
  static const models::Decoder one = fixtures::tiny_decoder({.block_count = 3});
  return one;
}

TrainerOptions options(double dropout = 0.1) {
  TrainerOptions out;
  out.lora = {4, 4, dropout, {Target::kQuery, Target::kGate, Target::kUp, Target::kDown}};
  out.schedule = {1e-2, 12, 2};
  out.seed = 3;
  return out;
}

class DeviceHealing : public models::OnADevice {
 protected:
  using OnADevice::OnADevice;

  at::Tensor up(const at::Tensor& tensor) const { return tensor.to(device_.device); }

  void expect_same_blocks(Dtype values) const {
    const models::Decoder host = with_nf4_blocks(exact(), values, values);
    const models::Decoder device = with_nf4_blocks(exact(), values, values, {}, device_);
    for (const int64_t index : {2, 0, 1, 1}) {
      const auto a = host.block(index), b = device.block(index);
      for (const auto tensor : models::kBlockTensors) {
        ASSERT_EQ(((*a).*tensor).defined(), ((*b).*tensor).defined());
        if (!((*a).*tensor).defined()) continue;
        EXPECT_EQ(((*b).*tensor).device(), device_.device);
        EXPECT_TRUE(((*b).*tensor).to(at::kCPU).equal((*a).*tensor)) << "block " << index;
      }
    }
    EXPECT_EQ(device.block_bytes(), host.block_bytes());
  }

  /// Losses of the same steps on the CPU and there.
  void expect_same_training() const {
    const models::Decoder host = with_nf4_blocks(exact(), Dtype::kFp32, Dtype::kFp32);
    const models::Decoder device =
        with_nf4_blocks(exact(), Dtype::kFp32, Dtype::kFp32, {}, device_);
    Trainer a(host, options()), b(device, options());
    const at::Tensor unseen = tokens(3, 20, 99);
    const auto near = [](double found, double needed) {
      // fp32 sums of another order, which steps carry on; a wrong gradient shows in the first digits.
      EXPECT_NEAR(found, needed, 1e-3 * needed);
    };
    near(b.losses(unseen)[1], a.losses(unseen)[1]);
    for (uint64_t step = 0; step < 10; ++step) {
      const std::vector<at::Tensor> batch{tokens(4, 24, step)};
      const TrainedStep x = a.step(batch), y = b.step(batch);
      near(y.loss, x.loss);
      near(y.gradient_norm, x.gradient_norm);
    }
    for (size_t i = 0; i < 3; ++i) near(b.losses(unseen)[i], a.losses(unseen)[i]);
  }

  void expect_to_go_on() const {
    const models::Decoder device =
        with_nf4_blocks(exact(), Dtype::kFp32, Dtype::kFp32, {}, device_);
    const auto step = [](Trainer& trainer, uint64_t seed) {
      return trainer.step({tokens(2, 16, seed)});
    };
    Trainer whole(device, options()), half(device, options()), rest(device, options());
    for (uint64_t i = 0; i < 3; ++i) step(half, i);
    TrainingState state = state_of(half);
    state.rows.resize(3);  // a step each
    for (const at::Tensor& tensor : state.parameters) ASSERT_TRUE(tensor.is_cpu());
    restore(rest, state);
    for (uint64_t i = 0; i < 6; ++i) {
      const double loss = step(whole, i).loss;
      if (i < 3) continue;
      EXPECT_EQ(step(rest, i).loss, loss) << "step " << i;
    }
  }

  /// A device's kernels against ATen's operations on the same device.
  void expect_parts() const {
    const c10::InferenceMode no_autograd;
    const NormWeights weights{models::Norm::kRms, at::randn({48}), {}, 1e-5};
    const NormWeights there{models::Norm::kRms, up(weights.gain), {}, 1e-5};
    const at::Tensor x = at::randn({7, 48}), g = at::randn({7, 48});
    const auto close = [](const at::Tensor& found, const at::Tensor& needed) {
      ASSERT_EQ(found.sizes(), needed.sizes());
      EXPECT_LE((found.to(at::kCPU) - needed).abs().max().item<float>(),
                1e-5 * needed.abs().max().item<float>());
    };
    const auto normed = norm_on_device(up(x), there);
    ASSERT_TRUE(normed.has_value());
    close(*normed, norm(x, weights));
    const auto gradient = norm_gradient_on_device(up(x), there, up(g));
    ASSERT_TRUE(gradient.has_value());
    close(*gradient, norm_gradient(x, weights, g));
    EXPECT_FALSE(norm_on_device(x, weights).has_value()) << "the CPU has its own way";
    const NormWeights layer{models::Norm::kLayer, there.gain, there.gain, 1e-5};
    EXPECT_FALSE(norm_on_device(up(x), layer).has_value());

    const at::Tensor a = at::randn({3, 48}), b = at::randn({20, 3}), y = at::randn({7, 32});
    const at::Tensor out = up(y);
    ASSERT_TRUE(lora_product_on_device(up(x), up(a), up(b), 0.5, out.narrow(1, 5, 20)));
    at::Tensor needed = y.clone();
    needed.narrow(1, 5, 20).add_(x.matmul(a.t()).matmul(b.t()), 0.5);
    close(out, needed);
  }
};

class FakeHealing : public DeviceHealing {
 protected:
  FakeHealing() : DeviceHealing(models::fake_plugin()) {}
};
TEST_F(FakeHealing, ExpandsBlocksToTheHostsBits) {
  expect_same_blocks(Dtype::kFp32);
  expect_same_blocks(Dtype::kBf16);
}
TEST_F(FakeHealing, TrainsAsTheHostDoes) { expect_same_training(); }
TEST_F(FakeHealing, GoesOnToTheSameBits) { expect_to_go_on(); }
TEST_F(FakeHealing, KernelsAreTheOperationsThatTheyStandFor) { expect_parts(); }

TEST_F(FakeHealing, HoldsBlocksInFourBits) {
  fixtures::TinyDecoderOptions wide;
  wide.block_count = 6;
  wide.width = 128;
  wide.feed_forward_width = 512;
  const models::Decoder dense = fixtures::tiny_decoder(wide);
  const uint64_t before = models::fake_control().used_bytes();
  const models::Decoder device = with_nf4_blocks(dense, Dtype::kBf16, Dtype::kBf16, {}, device_);
  const uint64_t used = models::fake_control().used_bytes() - before;
  // Six blocks in 4.127 bits, one in bf16, the head, and pages that are not full.
  const uint64_t block = dense.block_bytes() / 6 / 2, head = dense.unembedding().numel() * 2;
  const uint64_t slack = 4096 * 6 * 3 * 8;
  EXPECT_LE(used, device.block_bytes() + block + head + slack);
}

class CudaHealing : public DeviceHealing {
 protected:
  CudaHealing() : DeviceHealing("cuda") {}
};
TEST_F(CudaHealing, ExpandsBlocksToTheHostsBits) {
  expect_same_blocks(Dtype::kFp32);
  expect_same_blocks(Dtype::kBf16);
}
TEST_F(CudaHealing, TrainsAsTheHostDoes) { expect_same_training(); }
TEST_F(CudaHealing, GoesOnToTheSameBits) { expect_to_go_on(); }
TEST_F(CudaHealing, KernelsAreTheOperationsThatTheyStandFor) { expect_parts(); }

}  // namespace
}  // namespace plumb::healing
