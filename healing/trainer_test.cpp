#include "healing/trainer.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/file.h"
#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "healing/modules.h"
#include "healing/nf4_blocks.h"
#include "healing/training_state.h"

namespace plumb::healing {
namespace {

using plumb::testing::error_of;

const models::Decoder& decoder() {
  static const models::Decoder one = fixtures::tiny_decoder({.block_count = 4});
  return one;
}

/// Text with something to learn: each token follows from the one before.
at::Tensor tokens(int64_t batch, int64_t count, uint64_t seed) {
  at::Tensor out = at::empty({batch, count}, at::kLong);
  Rng rng(seed);
  auto* ids = out.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < out.numel(); ++i)
    ids[i] = i % count == 0 ? static_cast<int64_t>(rng.below(256)) : (ids[i - 1] * 5 + 7) % 256;
  return out;
}

TrainerOptions options(int64_t steps = 40) {
  TrainerOptions out;
  out.lora = {8, 8, 0.1, {Target::kGate, Target::kUp, Target::kDown}};
  out.schedule = {2e-2, steps, default_warm_up(steps)};
  out.seed = 3;
  return out;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

bool same(const std::vector<BlockAdapter>& a, const std::vector<BlockAdapter>& b) {
  const auto x = matrices(a), y = matrices(b);
  bool equal = x.size() == y.size();
  for (size_t i = 0; equal && i < x.size(); ++i) equal = x[i].equal(y[i]);
  return equal;
}

std::vector<BlockAdapter> copied(const std::vector<BlockAdapter>& adapters) {
  std::vector<BlockAdapter> out = adapters;
  for (BlockAdapter& adapter : out)
    for (LoraPair& pair : adapter.pairs)
      if (pair.a.defined()) pair = {pair.a.clone(), pair.b.clone()};
  return out;
}

// Before its first step the model is the frozen one: B is zero.
TEST(Trainer, BeginsAtTheFrozenModelsLoss) {
  const at::Tensor text = tokens(2, 16, 1);
  at::Tensor x = decoder().embed(text);
  for (int64_t i = 0; i < decoder().block_count(); ++i) x = decoder().run_block(i, x);
  const at::Tensor expected = decoder().cross_entropy(x.narrow(1, 0, 15).reshape({-1, x.size(-1)}),
                                                      text.narrow(1, 1, 15).reshape({-1}));
  const Trainer trainer(decoder(), options());
  EXPECT_NEAR(mean(trainer.losses(text)), expected.mean().item<double>(), 1e-5);
}

TEST(Trainer, Learns) {
  Trainer trainer(decoder(), options());
  const at::Tensor unseen = tokens(4, 32, 99);
  const double before = mean(trainer.losses(unseen));
  double last = 0;
  for (uint64_t step = 0; step < 40; ++step) last = trainer.step({tokens(4, 32, step)}).loss;
  const double after = mean(trainer.losses(unseen));
  EXPECT_LT(after, 0.7 * before) << "from " << before;
  EXPECT_LT(last, 0.8 * before);
}

TEST(Trainer, GivesTheSameBitsAgainAndFromAnyStepOn) {
  const auto train = [](Trainer& trainer, int64_t until) {
    while (trainer.steps_done() < until)
      trainer.step({tokens(2, 16, static_cast<uint64_t>(trainer.steps_done()))});
  };
  Trainer whole(decoder(), options(8)), again(decoder(), options(8)), rest(decoder(), options(8));
  train(whole, 8);
  train(again, 5);
  const plumb::testing::TemporaryFolder folder;
  TrainingState kept = state_of(again);
  kept.rows.resize(static_cast<size_t>(again.steps_done()));
  write_training_state(folder / "state", kept);
  restore(rest, *read_training_state(folder / "state"));
  train(again, 8);
  train(rest, 8);
  EXPECT_TRUE(same(whole.adapters(), again.adapters()));
  EXPECT_TRUE(same(whole.adapters(), rest.adapters()));
}

// The mean of two halves' gradients is the whole's, and what is dropped of a sequence does not depend on its batch.
TEST(Trainer, AccumulatesWhatOneBatchGives) {
  TrainerOptions one = options(), two = options();
  two.accumulation = 2;
  Trainer whole(decoder(), one), halves(decoder(), two);
  for (uint64_t step = 0; step < 6; ++step) {
    const at::Tensor text = tokens(4, 16, step);
    const TrainedStep a = whole.step({text});
    const TrainedStep b = halves.step({text.narrow(0, 0, 2), text.narrow(0, 2, 2)});
    EXPECT_NEAR(a.loss, b.loss, 1e-4 * a.loss);
    EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-3 * a.gradient_norm);
    EXPECT_EQ(a.learning_rate, b.learning_rate);
  }
}

TEST(Trainer, HealsOverNf4) {
  const models::Decoder frozen =
      with_nf4_blocks(decoder(), models::Dtype::kBf16, models::Dtype::kFp32);
  Trainer trainer(frozen, options());
  const at::Tensor unseen = tokens(4, 32, 99);
  const double before = mean(trainer.losses(unseen));
  for (uint64_t step = 0; step < 40; ++step) trainer.step({tokens(4, 32, step)});
  EXPECT_LT(mean(trainer.losses(unseen)), 0.7 * before);
}

// States in bf16 change the loss by their rounding alone: 2^-9 of each, of which the sums of 64 and more keep less.
TEST(Trainer, KeepsStatesInBf16) {
  TrainerOptions narrow = options();
  narrow.states = models::Dtype::kBf16;
  Trainer a(decoder(), options()), b(decoder(), narrow);
  const at::Tensor text = tokens(4, 32, 7);
  const TrainedStep x = a.step({text}), y = b.step({text});
  EXPECT_NE(x.loss, y.loss);
  EXPECT_NEAR(x.loss, y.loss, 0x1p-9 * x.loss * 4);
  EXPECT_NEAR(x.gradient_norm, y.gradient_norm, 0x1p-9 * x.gradient_norm * 16);
}

TEST(Trainer, LeavesTheAdaptersWhereTheLossIsNotFinite) {
  models::Head head = decoder().head();
  head.norm = head.norm.clone();
  std::vector<models::Block> blocks;
  for (int64_t i = 0; i < decoder().block_count(); ++i) blocks.push_back(*decoder().block(i));
  const models::Decoder broken(decoder().config(), decoder().dtype(), decoder().embedding(), blocks,
                               head);
  Trainer trainer(broken, options());
  trainer.step({tokens(2, 16, 1)});
  const auto before = copied(trainer.adapters());
  head.norm.mutable_data_ptr<float>()[0] = std::nanf("");
  EXPECT_EQ(error_of([&] { trainer.step({tokens(2, 16, 2)}); }).kind(), ErrorKind::kInput);
  EXPECT_TRUE(same(trainer.adapters(), before));
  EXPECT_EQ(trainer.steps_done(), 1);
}

TEST(TrainingState, ComesBackBitForBitAndKnowsWhenItWasChanged) {
  const plumb::testing::TemporaryFolder folder;
  EXPECT_FALSE(read_training_state(folder / "state").has_value());
  Trainer trainer(decoder(), options());
  trainer.step({tokens(2, 16, 1)});
  TrainingState state = state_of(trainer);
  state.key = "{\"of\": 1}";
  state.rows = {{1.5, std::nan(""), 1e-300, 3}};
  state.losses_before = {0.1, 0.2, 0.3};
  write_training_state(folder / "state", state);
  const TrainingState back = *read_training_state(folder / "state");
  EXPECT_EQ(back.key, state.key);
  EXPECT_EQ(back.losses_before, state.losses_before);
  ASSERT_EQ(back.rows.size(), 1u);
  EXPECT_EQ(std::memcmp(back.rows.data(), state.rows.data(), sizeof(TrainingRow)), 0);
  ASSERT_EQ(back.second_moments.size(), state.second_moments.size());
  for (size_t i = 0; i < state.parameters.size(); ++i) {
    EXPECT_TRUE(back.parameters[i].equal(state.parameters[i]));
    EXPECT_TRUE(back.first_moments[i].equal(state.first_moments[i]));
    EXPECT_TRUE(back.second_moments[i].equal(state.second_moments[i]));
  }
  std::string bytes = read_file(folder / "state");
  bytes[bytes.size() - 100] = static_cast<char>(bytes[bytes.size() - 100] ^ 1);
  write_file_atomically(folder / "state", bytes);
  const Error error = error_of([&] { read_training_state(folder / "state"); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_NE(std::string(error.what()).find("--fresh"), std::string::npos);
}

TEST(Nf4Blocks, HoldAQuarterAndGiveWhatTheyWereMadeOf) {
  const Nf4Blocks stored(decoder(), at::kFloat, at::kFloat);
  const auto original = decoder().block(1);
  Nf4Blocks source(decoder(), at::kFloat, at::kFloat);
  source.block(0);
  const auto block = source.block(1);
  EXPECT_TRUE(block->attention_norm.equal(original->attention_norm));
  const at::Tensor difference = (block->gate_up - original->gate_up).abs();
  EXPECT_GT(difference.max().item<float>(), 0);
  EXPECT_LE(difference.max().item<float>(), 0.2f * original->gate_up.abs().max().item<float>());
  EXPECT_LT(stored.block_bytes(1), original->size_bytes() / 6);
  EXPECT_EQ(source.block(1).get(), block.get());
}

at::Tensor round_trip(const at::Tensor& module) {
  const at::Tensor rows = module.contiguous();
  const models::Nf4Weights weights =
      models::nf4_weights({rows.const_data_ptr<float>(), static_cast<size_t>(rows.numel())});
  at::Tensor out = at::empty(rows.sizes(), at::kFloat);
  models::nf4_dequantize(weights,
                         {out.mutable_data_ptr<float>(), static_cast<size_t>(out.numel())});
  return out;
}

// Scales have a mean of their own in each, which bitsandbytes' double quantisation takes off.
TEST(Nf4Blocks, QuantiseEachModuleByItself) {
  Nf4Blocks source(decoder(), at::kFloat, at::kFloat);
  const auto original = decoder().block(2), block = source.block(2);
  const auto& c = decoder().config();
  for (const Target target : module_targets(c)) {
    const TargetRows rows = target_rows(c, target);
    const auto part = [&](const models::Block& b) {
      const at::Tensor& matrix = target == Target::kDown           ? b.down
                                 : target == Target::kAttentionOut ? b.attention_out
                                 : target == Target::kGate || target == Target::kUp
                                     ? b.gate_up
                                     : b.query_key_value;
      return matrix.narrow(0, rows.first, rows.rows);
    };
    EXPECT_TRUE(part(*block).equal(round_trip(part(*original)))) << target_name(target);
  }
}

TEST(Nf4Blocks, RoundToBf16HeldEitherWay) {
  Nf4Blocks exact(decoder(), at::kFloat, at::kFloat), wide(decoder(), at::kBFloat16, at::kFloat),
      narrow(decoder(), at::kBFloat16, at::kBFloat16);
  const at::Tensor expected = exact.block(3)->down.to(at::kBFloat16);
  EXPECT_TRUE(narrow.block(3)->down.equal(expected));
  EXPECT_TRUE(wide.block(3)->down.equal(expected.to(at::kFloat)));
}

// GPT-NeoX has the three of a head side by side in one module, whose rows bitsandbytes flattens in that order.
TEST(Nf4Blocks, FlattenAFusedModuleInItsOwnOrder) {
  models::ModelConfig c = decoder().config();
  c.architecture = "gpt_neox";
  c.kv_head_count = c.head_count;
  const int64_t H = c.head_count * c.head_width;
  std::vector<models::Block> blocks = {*decoder().block(0)};
  Rng rng(4);
  at::Tensor& fused = blocks[0].query_key_value;
  fused = at::empty({3 * H, c.width}, at::kFloat);
  for (int64_t i = 0; i < fused.numel(); ++i)
    fused.mutable_data_ptr<float>()[i] = static_cast<float>(rng.normal());
  const models::Decoder one(c, models::Dtype::kFp32, decoder().embedding(), blocks,
                            decoder().head());
  const auto by_head = [&](const at::Tensor& rows, int64_t outer, int64_t inner) {
    return rows.view({outer, inner, c.head_width, c.width})
        .transpose(0, 1)
        .reshape({3 * H, c.width});
  };
  const at::Tensor expected = by_head(round_trip(by_head(fused, 3, c.head_count)), c.head_count, 3);
  Nf4Blocks source(one, at::kFloat, at::kFloat);
  EXPECT_TRUE(source.block(0)->query_key_value.equal(expected));
  EXPECT_FALSE(round_trip(fused).equal(expected)) << "the order would not matter";
}

TEST(Nf4Blocks, NameTheModuleThatIsNotFinite) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    std::vector<models::Block> blocks = {*decoder().block(0), *decoder().block(1)};
    blocks[1].gate_up = blocks[1].gate_up.clone();
    blocks[1].gate_up.mutable_data_ptr<float>()[decoder().config().feed_forward_width *
                                                decoder().config().width] = bad;
    const models::Decoder broken(decoder().config(), models::Dtype::kFp32, decoder().embedding(),
                                 blocks, decoder().head());
    const Error error = error_of([&] { Nf4Blocks(broken, at::kFloat, at::kFloat); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    EXPECT_NE(std::string(error.what()).find("block 1, up: weight 0 is"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace plumb::healing
