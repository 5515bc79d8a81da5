// Every hand-written gradient against autograd in fp64, and against differences of the loss itself.

#include "healing/trained_block.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/rng.h"
#include "healing/loss_gradient.h"
#include "healing/modules.h"
#include "models/device_tensors.h"
#include "models/fake_device/testing.h"
#include "models/layers/rope_table.h"

namespace plumb::healing {
namespace {

using models::Block;
using models::BlockForm;
using models::ModelConfig;

at::Tensor random(at::IntArrayRef shape, uint64_t stream, double size = 1, double middle = 0) {
  at::Tensor out = at::empty(shape, at::kDouble);
  Rng rng(11, stream);
  auto* values = out.mutable_data_ptr<double>();
  for (int64_t i = 0; i < out.numel(); ++i) values[i] = middle + size * (2 * rng.uniform() - 1);
  return out;
}

struct Family {
  const char* name;
  std::function<void(ModelConfig&)> change;
};

void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

ModelConfig config_of(const Family& family) {
  ModelConfig c;
  c.architecture = family.name;
  c.block_count = 1;
  c.width = 12;
  c.head_count = 4;
  c.kv_head_count = 2;
  c.head_width = 6;
  c.rotary_width = 6;
  c.feed_forward_width = 10;
  c.vocabulary_size = 17;
  c.max_positions = 32;
  family.change(c);
  return c;
}

Block block_of(const ModelConfig& c) {
  const int64_t H = c.head_count * c.head_width, G = c.kv_head_count * c.head_width;
  const int64_t D = c.width, F = c.feed_forward_width, I = c.options.gated ? 2 * F : F;
  const bool layer = c.options.norm == models::Norm::kLayer;
  Block b;
  b.attention_norm = random({D}, 1, 0.3, 1);
  b.query_key_value = random({H + 2 * G, D}, 2, 0.5);
  b.attention_out = random({D, H}, 3, 0.5);
  if (!c.options.shared_norm) b.feed_forward_norm = random({D}, 4, 0.3, 1);
  b.gate_up = random({I, D}, 5, 0.5);
  b.down = random({D, F}, 6, 0.5);
  if (layer) b.attention_norm_bias = random({D}, 7, 0.2);
  if (layer && !c.options.shared_norm) b.feed_forward_norm_bias = random({D}, 8, 0.2);
  if (c.options.query_key_value_bias) b.query_key_value_bias = random({H + 2 * G}, 9, 0.2);
  if (c.options.attention_out_bias) b.attention_out_bias = random({D}, 10, 0.2);
  if (c.options.feed_forward_bias) {
    b.gate_up_bias = random({I}, 11, 0.2);
    b.down_bias = random({D}, 12, 0.2);
  }
  if (c.options.query_key_norm != models::QueryKeyNorm::kNone) {
    const bool whole = c.options.query_key_norm == models::QueryKeyNorm::kWhole;
    b.query_norm = random({whole ? H : c.head_width}, 13, 0.3, 1);
    b.key_norm = random({whole ? G : c.head_width}, 14, 0.3, 1);
  }
  return b;
}

/// Every target that the family has, both matrices random: of zeros in B, A has no gradient.
BlockAdapter adapter_of(const ModelConfig& c) {
  BlockAdapter out;
  for (const Target target : kTargets) {
    if (target == Target::kGate && !c.options.gated) continue;
    const TargetRows rows = target_rows(c, target);
    out.of(target) = {random({3, rows.columns}, 20 + static_cast<uint64_t>(target), 0.5),
                      random({rows.rows, 3}, 30 + static_cast<uint64_t>(target), 0.5)};
  }
  return out;
}

void require_gradients(BlockAdapter& adapter) {
  for (LoraPair& pair : adapter.pairs)
    if (pair.a.defined()) {
      pair.a = pair.a.detach().clone().requires_grad_();
      pair.b = pair.b.detach().clone().requires_grad_();
    }
}

void expect_close(const at::Tensor& found, const at::Tensor& expected, double tolerance,
                  const std::string& what) {
  ASSERT_TRUE(expected.defined()) << what;
  const double scale = expected.abs().max().item<double>();
  EXPECT_GT(scale, 0) << what << " has no gradient at all";
  EXPECT_LE((found - expected).abs().max().item<double>(), tolerance * scale) << what;
}

class Gradients : public ::testing::TestWithParam<Family> {
 protected:
  void SetUp() override {
    config_ = config_of(GetParam());
    block_ = block_of(config_);
    adapter_ = adapter_of(config_);
    positions_ = models::aten_positions(rope_, config_, 0, kTokens, at::kCPU);
  }
  TrainedBlock trained(const BlockAdapter& adapter, double dropout = 0) const {
    return {block_, config_, positions_, adapter, 0.7, {dropout, 5, 9}};
  }
  void expect_autograds(double dropout) {
    const at::Tensor x = random({2, kTokens, config_.width}, 40).requires_grad_();
    const at::Tensor weight = random({2, kTokens, config_.width}, 41);
    BlockAdapter leaves = adapter_;
    require_gradients(leaves);
    (trained(leaves, dropout).forward(x, nullptr) * weight).sum().backward();

    BlockStates states;
    trained(adapter_, dropout).forward(x.detach(), &states);
    BlockAdapter sums = zeros_like(adapter_);
    const at::Tensor dx = trained(adapter_, dropout).backward(states, weight, sums);
    expect_close(dx, x.grad(), 1e-9, "x");
    for (const Target target : kTargets) {
      if (!adapter_.of(target).a.defined()) continue;
      const std::string number = std::to_string(static_cast<int>(target));
      expect_close(sums.of(target).a, leaves.of(target).a.grad(), 1e-9, "A of " + number);
      expect_close(sums.of(target).b, leaves.of(target).b.grad(), 1e-9, "B of " + number);
    }
  }

  static constexpr int64_t kTokens = 7;
  ModelConfig config_;
  Block block_;
  BlockAdapter adapter_;
  models::RopeTable rope_{models::rope_frequencies(6, 100.0, {})};
  models::AtenPositions positions_;
};

TEST_P(Gradients, AreAutograds) { expect_autograds(0); }

TEST_P(Gradients, AreAutogradsWhereInputsAreDropped) { expect_autograds(0.3); }

// Pieces of rows on threads, and no gradient of x: the same bits for the adapters.
TEST_P(Gradients, AreTheSameInPieces) {
  const int64_t tokens = 300;  // more than a piece of queries
  const models::AtenPositions positions =
      models::aten_positions(rope_, config_, 0, tokens, at::kCPU);
  const at::Tensor x = random({2, tokens, config_.width}, 60);
  const at::Tensor weight = random({2, tokens, config_.width}, 61);
  const TrainedBlock block(block_, config_, positions, adapter_, 0.7, {0.3, 5, 9});
  struct Found {
    at::Tensor out, dx;
    BlockAdapter sums;
  };
  const auto run = [&](bool of_input) {
    Found found;
    BlockStates states;
    found.sums = zeros_like(adapter_);
    found.out = block.forward(x, &states);
    found.dx = block.backward(states, weight, found.sums, of_input);
    return found;
  };
  const Found whole = run(true), without = run(false);
  EXPECT_FALSE(without.dx.defined());
  const c10::InferenceMode in_pieces;
  const Found cut = run(true);
  EXPECT_LE((cut.out - whole.out).abs().max().item<double>(), 1e-12);
  expect_close(cut.dx, whole.dx, 1e-12, "x");
  for (const Target target : kTargets) {
    if (!adapter_.of(target).a.defined()) continue;
    const LoraPair &one = whole.sums.of(target), &two = cut.sums.of(target);
    expect_close(two.a, one.a, 1e-12, "A of " + target_name(target));
    expect_close(two.b, one.b, 1e-12, "B of " + target_name(target));
    EXPECT_TRUE(without.sums.of(target).a.equal(one.a));
    EXPECT_TRUE(without.sums.of(target).b.equal(one.b));
  }
}

// Fused rows (healing/fused_rows.h) and ATen's operations against fp64: states and products in the types that training has. Widths
// that no vector divides, more tokens than a piece of queries.
struct Types {
  at::ScalarType states, products;
  double tolerance;
};
TEST_P(Gradients, FusedAreThoseOfDoubles) {
  constexpr int64_t tokens = 150;
  config_.width = 44;
  config_.head_width = 22;
  config_.rotary_width = std::min<int64_t>(config_.rotary_width * 3, 18);
  config_.feed_forward_width = 52;
  block_ = block_of(config_);
  adapter_ = adapter_of(config_);
  adapter_.of(Target::kQueryKeyValue) = {};  // its rows are the query's, key's and value's
  const auto rounded = [](const at::Tensor& tensor, at::ScalarType type) {
    return tensor.defined() ? tensor.to(type) : tensor;
  };
  // Of bf16 alone, so that only what is computed is rounded.
  for (const auto matrix :
       {&Block::query_key_value, &Block::attention_out, &Block::gate_up, &Block::down})
    block_.*matrix = (block_.*matrix * 0.5).to(at::kBFloat16).to(at::kDouble);
  models::RopeTable rope(models::rope_frequencies(config_.rotary_width, config_.rope_theta, {}));
  const models::AtenPositions positions =
      models::aten_positions(rope, config_, 0, tokens, at::kCPU);
  const at::Tensor x = random({2, tokens, config_.width}, 75).to(at::kBFloat16).to(at::kDouble);
  const at::Tensor weight = random({2, tokens, config_.width}, 76);
  BlockStates states;
  BlockAdapter sums = zeros_like(adapter_);
  const TrainedBlock exact(block_, config_, positions, adapter_, 0.7);
  const at::Tensor out = exact.forward(x, &states);
  const at::Tensor dx = exact.backward(states, weight, sums);

  const c10::InferenceMode no_autograd;
  // A state or product of bf16 is 2^-9 off; a dozen of them in a row, none of which is magnified by more than the largest value.
  for (const Types& types :
       {Types{at::kFloat, at::kFloat, 1e-4}, Types{at::kBFloat16, at::kFloat, 0.03},
        Types{at::kBFloat16, at::kBFloat16, 0.05}}) {
    Block block = block_;
    for (const auto tensor : models::kBlockTensors)
      block.*tensor = rounded(block_.*tensor, at::kFloat);
    for (const auto matrix :
         {&Block::query_key_value, &Block::attention_out, &Block::gate_up, &Block::down})
      block.*matrix = rounded(block_.*matrix, types.products);
    BlockAdapter adapter = adapter_;
    for (LoraPair& pair : adapter.pairs)
      pair = {rounded(pair.a, at::kFloat), rounded(pair.b, at::kFloat)};
    const TrainedBlock fused(block, config_, positions, adapter, 0.7);
    BlockStates found_states;
    BlockAdapter found = zeros_like(adapter);
    const auto near = [&](const at::Tensor& one, const at::Tensor& needed,
                          const std::string& what) {
      expect_close(one.to(at::kDouble), needed, types.tolerance,
                   what + ", " + toString(types.states) + ", " + toString(types.products));
    };
    near(fused.forward(x.to(types.states), &found_states), out, "output");
    near(fused.backward(found_states, weight.to(at::kFloat), found), dx, "x");
    for (const Target target : kTargets) {
      if (!adapter_.of(target).a.defined()) continue;
      near(found.of(target).a, sums.of(target).a, "A of " + target_name(target));
      near(found.of(target).b, sums.of(target).b, "B of " + target_name(target));
    }
  }
}

// A block in fp32 on a device, with the kernels of its plug-in, against fp64 on the CPU: on the device that is not there, and on CUDA
// where there is one.
TEST_P(Gradients, OnADeviceAreThoseOfTheCpu) {
  const c10::InferenceMode no_autograd;
  const at::Tensor x = random({2, kTokens, config_.width}, 70);
  const at::Tensor weight = random({2, kTokens, config_.width}, 71);
  BlockStates states;
  const at::Tensor out = trained(adapter_).forward(x, &states);
  BlockAdapter sums = zeros_like(adapter_);
  const at::Tensor dx = trained(adapter_).backward(states, weight, sums);
  for (const std::string& choice : {models::fake_plugin(), std::string("cuda")}) {
    models::ComputeDevice device;
    try {
      device = models::open_device(choice);
    } catch (const Error& error) {
      if (choice == "cuda" && error.kind() == ErrorKind::kResource) continue;
      throw;
    }
    const auto up = [&](const at::Tensor& tensor) {
      return tensor.defined() ? tensor.to(device.device, at::kFloat) : tensor;
    };
    Block block = block_;
    for (const auto tensor : models::kBlockTensors) block.*tensor = up(block_.*tensor);
    BlockAdapter adapter = adapter_;
    for (LoraPair& pair : adapter.pairs) pair = {up(pair.a), up(pair.b)};
    const models::AtenPositions positions =
        models::aten_positions(rope_, config_, 0, kTokens, device.device);
    const TrainedBlock there(block, config_, positions, adapter, 0.7);
    BlockStates states_there;
    const auto near = [&](const at::Tensor& found, const at::Tensor& needed, const char* what) {
      // Some hundred roundings of fp32, none of which may be magnified by more than the largest value.
      expect_close(found.to(at::kCPU, at::kDouble), needed, 1e-4,
                   std::string(what) + ", " + choice);
    };
    near(there.forward(up(x), &states_there), out, "output");
    BlockAdapter found = zeros_like(adapter);
    near(there.backward(states_there, up(weight), found), dx, "x");
    for (const Target target : kTargets) {
      if (!adapter_.of(target).a.defined()) continue;
      near(found.of(target).a, sums.of(target).a, "A");
      near(found.of(target).b, sums.of(target).b, "B");
    }
  }
}

// The first block with adapters of its feed-forward alone is walked back no further than those.
TEST_P(Gradients, StopAtTheLastAdapterWhereNothingLiesBefore) {
  BlockAdapter some;
  for (const Target target : {Target::kGate, Target::kUp, Target::kDown})
    some.of(target) = adapter_.of(target);
  const at::Tensor x = random({2, kTokens, config_.width}, 62);
  const at::Tensor weight = random({2, kTokens, config_.width}, 63);
  BlockStates states;
  trained(some).forward(x, &states);
  BlockAdapter all = zeros_like(some), without = zeros_like(some);
  trained(some).backward(states, weight, all);
  EXPECT_FALSE(trained(some).backward(states, weight, without, false).defined());
  for (const Target target : {Target::kGate, Target::kUp, Target::kDown}) {
    if (!some.of(target).a.defined()) continue;
    EXPECT_TRUE(without.of(target).a.equal(all.of(target).a));
    EXPECT_TRUE(without.of(target).b.equal(all.of(target).b));
  }
}

// Without autograd's word for it: (f(x + h) - f(x - h)) / 2 h, whose error is of the order of h squared.
TEST_P(Gradients, AreTheLosssSlope) {
  const at::Tensor x = random({1, kTokens, config_.width}, 42);
  const at::Tensor weight = random({1, kTokens, config_.width}, 43);
  const auto loss = [&](const at::Tensor& at, const BlockAdapter& adapter) {
    return (trained(adapter).forward(at, nullptr) * weight).sum().item<double>();
  };
  BlockStates states;
  trained(adapter_).forward(x, &states);
  BlockAdapter sums = zeros_like(adapter_);
  const at::Tensor dx = trained(adapter_).backward(states, weight, sums);
  const double h = 1e-5;
  const at::Tensor direction = random(x.sizes(), 44);
  const double slope =
      (loss(x + h * direction, adapter_) - loss(x - h * direction, adapter_)) / (2 * h);
  EXPECT_NEAR((dx * direction).sum().item<double>(), slope, 1e-6 * std::max(1.0, std::abs(slope)));
  for (const Target target : kTargets) {
    const LoraPair& pair = adapter_.of(target);
    if (!pair.a.defined()) continue;
    const at::Tensor da = random(pair.a.sizes(), 45), db = random(pair.b.sizes(), 46);
    const auto moved = [&](double by) {
      BlockAdapter one = adapter_;
      one.of(target) = {pair.a + by * da, pair.b + by * db};
      return loss(x, one);
    };
    const double expected = (moved(h) - moved(-h)) / (2 * h);
    const double found = (sums.of(target).a * da).sum().item<double>() +
                         (sums.of(target).b * db).sum().item<double>();
    EXPECT_NEAR(found, expected, 1e-6 * std::max(1.0, std::abs(expected)));
  }
}

// In fp32 and without an adapter it is the block that models runs.
TEST_P(Gradients, AreOfTheBlockThatModelsRuns) {
  Block b = block_;
  for (at::Tensor* tensor :
       {&b.attention_norm, &b.query_key_value, &b.attention_out, &b.feed_forward_norm, &b.gate_up,
        &b.down, &b.attention_norm_bias, &b.query_key_value_bias, &b.query_norm, &b.key_norm,
        &b.attention_out_bias, &b.feed_forward_norm_bias, &b.gate_up_bias, &b.down_bias})
    if (tensor->defined()) *tensor = tensor->to(at::kFloat);
  const at::Tensor x = random({2, kTokens, config_.width}, 47).to(at::kFloat);
  at::Tensor expected = x.clone();
  models::aten_block(b, config_, positions_, expected);
  const BlockAdapter none;
  const at::Tensor found = TrainedBlock(b, config_, positions_, none, 1).forward(x, nullptr);
  EXPECT_LE((found - expected).abs().max().item<double>(),
            1e-5 * expected.abs().max().item<double>());
}

TEST_P(Gradients, OfTheLossAreAutograds) {
  models::Head head;
  head.norm = random({config_.width}, 50, 0.3, 1);
  head.unembedding = random({config_.vocabulary_size, config_.width}, 51);
  if (config_.options.norm == models::Norm::kLayer)
    head.norm_bias = random({config_.width}, 52, 0.2);
  if (config_.options.unembedding_bias)
    head.unembedding_bias = random({config_.vocabulary_size}, 53, 0.2);
  const at::Tensor x = random({9, config_.width}, 54).requires_grad_();
  at::Tensor targets = at::empty({9}, at::kLong);
  for (int64_t i = 0; i < 9; ++i)
    targets.mutable_data_ptr<int64_t>()[i] = i * 5 % config_.vocabulary_size;
  at::Tensor wide = x;
  if (config_.options.norm == models::Norm::kLayer) wide = wide - wide.mean(-1, true);
  at::Tensor normed =
      wide / (wide.square().mean(-1, true) + config_.norm_epsilon).sqrt() * head.norm;
  if (head.norm_bias.defined()) normed = normed + head.norm_bias;
  at::Tensor logits = normed.matmul(head.unembedding.t());
  if (head.unembedding_bias.defined()) logits = logits + head.unembedding_bias;
  const at::Tensor losses = -logits.log_softmax(-1).gather(1, targets.unsqueeze(1)).squeeze(1);
  losses.sum().backward();
  for (const int64_t chunk_bytes : {int64_t{1}, 4 * 17 * int64_t{4}, int64_t{1} << 20}) {
    const LossGradient found = loss_gradient(head, config_, x.detach(), targets, chunk_bytes);
    expect_close(found.losses, losses.detach(), 1e-12, "losses");
    expect_close(found.gradient, x.grad(), 1e-9, "x");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Families, Gradients,
    ::testing::Values(
        Family{"llama", [](ModelConfig&) {}},
        Family{"mistral", [](ModelConfig& c) { c.window = 3; }},
        Family{"qwen2", [](ModelConfig& c) { c.options.query_key_value_bias = true; }},
        Family{"qwen3",
               [](ModelConfig& c) { c.options.query_key_norm = models::QueryKeyNorm::kHead; }},
        Family{"gemma",
               [](ModelConfig& c) { c.options.activation = models::Activation::kGeluTanh; }},
        Family{"olmo2",
               [](ModelConfig& c) {
                 c.options.form = BlockForm::kPostNorm;
                 c.options.query_key_norm = models::QueryKeyNorm::kWhole;
               }},
        Family{"phi2",
               [](ModelConfig& c) {
                 c.options.norm = models::Norm::kLayer;
                 c.options.form = BlockForm::kParallel;
                 c.options.shared_norm = true;
                 c.options.activation = models::Activation::kGeluTanh;
                 c.options.gated = false;
                 c.options.query_key_value_bias = c.options.attention_out_bias = true;
                 c.options.feed_forward_bias = c.options.unembedding_bias = true;
                 c.kv_head_count = 4;
               }},
        Family{"neox",
               [](ModelConfig& c) {
                 c.options.norm = models::Norm::kLayer;
                 c.options.form = BlockForm::kParallel;
                 c.options.activation = models::Activation::kGelu;
                 c.options.gated = false;
                 c.options.query_key_value_bias = c.options.feed_forward_bias = true;
                 c.kv_head_count = 4;
               }}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace plumb::healing
