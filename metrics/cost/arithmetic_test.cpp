#include "metrics/cost/arithmetic.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace plumb::metrics {
namespace {

models::ModelConfig config(int64_t L, int64_t D, int64_t H, int64_t kv, int64_t F, int64_t V,
                           bool tied) {
  models::ModelConfig c;
  c.block_count = L;
  c.width = D;
  c.head_count = H;
  c.kv_head_count = kv;
  c.head_width = D / H;
  c.feed_forward_width = F;
  c.vocabulary_size = V;
  c.tied_embeddings = tied;
  return c;
}

TEST(Arithmetic, CountsThePublishedParametersOfKnownModels) {
  // Parameter counts as the models' public cards and checkpoints give them.
  EXPECT_EQ(model_parameters(config(30, 576, 9, 3, 1536, 49152, true)),
            134'515'008);  // SmolLM2-135M
  EXPECT_EQ(model_parameters(config(32, 4096, 32, 32, 11008, 32000, false)),
            6'738'415'616);  // Llama-2-7B
  EXPECT_EQ(model_parameters(config(80, 8192, 64, 8, 28672, 32000, false)),
            68'976'648'192);  // Llama-2-70B
}

TEST(Arithmetic, CountsTwoOperationsAWeightAndFourAContextComponent) {
  const auto c = config(1, 8, 2, 1, 16, 10, false);
  // q 64, k and v 32 each, out 64, feed-forward 384 weights; context 5 over 8 head components.
  EXPECT_EQ(block_parameters(c), 64 + 2 * 32 + 64 + 384 + 16);
  EXPECT_EQ(block_flops_per_token(c, 5), 2 * (64 + 2 * 32 + 64 + 384) + 4 * 8 * 5);
  EXPECT_EQ(head_flops_per_token(c), 160);
}

TEST(Arithmetic, PredictsWhatStaysInProportionToTheBlocks) {
  EXPECT_EQ(predicted_fraction(0, 30), 1.0);
  EXPECT_EQ(predicted_fraction(15, 30), 0.5);
  EXPECT_EQ(predicted_fraction(30, 30), 0.0);
  EXPECT_THROW(predicted_fraction(31, 30), Error);
  EXPECT_THROW(predicted_fraction(-1, 30), Error);
  EXPECT_THROW(predicted_fraction(0, 0), Error);
}

}  // namespace
}  // namespace plumb::metrics
