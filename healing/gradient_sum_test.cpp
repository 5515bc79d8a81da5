// Ranks as threads of this test.

#include "healing/gradient_sum.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>
#include <functional>
#include <thread>

#include "base/error.h"
#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "healing/modules.h"
#include "healing/trainer.h"

namespace plumb::healing {
namespace {

/// What they share.
struct Meeting {
  explicit Meeting(int64_t count) : values(static_cast<size_t>(count)), all_here(count) {}
  std::vector<at::Tensor> values;
  std::barrier<> all_here;
};

class ThreadGroup : public TrainingGroup {
 public:
  ThreadGroup(Meeting& meeting, int64_t rank) : meeting_(meeting), rank_(rank) {}
  int64_t rank() const override { return rank_; }
  int64_t count() const override { return std::ssize(meeting_.values); }
  std::string library() const override { return "threads"; }
  at::Tensor exchange(const at::Tensor& values) const override {
    return met(values, [&](const at::Tensor& sent) { return sent[rank_].clone(); });
  }
  at::Tensor gather(const at::Tensor& values) const override {
    return met(values, [](const at::Tensor& sent) { return sent.clone(); });
  }

 private:
  at::Tensor met(const at::Tensor& mine,
                 const std::function<at::Tensor(const at::Tensor&)>& taken) const {
    meeting_.values[static_cast<size_t>(rank_)] = mine;
    meeting_.all_here.arrive_and_wait();
    std::vector<at::Tensor> out;
    for (const at::Tensor& sent : meeting_.values) out.push_back(taken(sent));
    meeting_.all_here.arrive_and_wait();
    return at::stack(out);
  }
  Meeting& meeting_;
  int64_t rank_;
};

/// `work` of each rank at once, on one thread of libtorch's.
void run_ranks(int64_t count, const std::function<void(const TrainingGroup&)>& work) {
  Meeting meeting(count);
  std::vector<std::jthread> threads;
  for (int64_t rank = 0; rank < count; ++rank)
    threads.emplace_back([&, rank] {
      at::set_num_threads(1);
      work(ThreadGroup(meeting, rank));
    });
}

at::Tensor numbers(int64_t count, uint64_t seed) {
  at::Tensor out = at::empty({count}, at::kFloat);
  Rng rng(seed);
  for (int64_t i = 0; i < count; ++i)
    out.mutable_data_ptr<float>()[i] =
        static_cast<float>(rng.normal() * std::exp2(static_cast<double>(rng.below(40)) - 20));
  return out;
}

/// Of a batch: matrices of sizes that no number of ranks divides.
std::vector<at::Tensor> gradients(uint64_t batch) {
  return {numbers(21, batch).view({3, 7}), numbers(2, 100 + batch).view({1, 2}),
          numbers(30, 200 + batch).view({6, 5})};
}

// Values of 40 binades: any other order of sums would show.
TEST(GradientSum, IsTheSameBitsOnAnyNumberOfRanks) {
  constexpr int64_t kBatches = 12;
  GradientSum alone(nullptr);
  for (uint64_t batch = 0; batch < kBatches; ++batch) alone.add(gradients(batch));
  const std::vector<at::Tensor> expected = alone.total();
  at::Tensor backwards = gradients(kBatches - 1)[2];
  for (uint64_t batch = kBatches - 1; batch-- > 0;) backwards = backwards + gradients(batch)[2];
  EXPECT_FALSE(backwards.equal(expected[2])) << "the order shows";
  for (const int64_t count : {1, 2, 3, 4, 6, 12}) {
    std::vector<std::vector<at::Tensor>> found(static_cast<size_t>(count));
    run_ranks(count, [&](const TrainingGroup& group) {
      GradientSum sum(&group);
      for (int64_t batch = group.rank(); batch < kBatches; batch += count)
        sum.add(gradients(static_cast<uint64_t>(batch)));
      found[static_cast<size_t>(group.rank())] = sum.total();
    });
    for (const auto& one : found) {
      ASSERT_EQ(one.size(), expected.size());
      for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(one[i].equal(expected[i])) << count;
    }
  }
}

TEST(GradientSum, OfNothingIsAnError) {
  GradientSum sum(nullptr);
  EXPECT_EQ(plumb::testing::error_of([&] { sum.total(); }).kind(), ErrorKind::kInvariant);
}

struct Trained {
  std::vector<TrainedStep> steps;
  std::vector<at::Tensor> adapters;
};

Trained train(const TrainingGroup* group) {
  // A decoder of its own: one thread at a time.
  const models::Decoder decoder = fixtures::tiny_decoder({.block_count = 3});
  TrainerOptions options;
  options.lora = {4, 4, 0.1, {Target::kGate, Target::kUp, Target::kDown}};
  options.schedule = {2e-2, 5, 1};
  options.accumulation = 4;
  options.group = group;
  Trainer trainer(decoder, options);
  Trained out;
  Rng rng(1);
  for (int step = 0; step < 5; ++step) {
    std::vector<at::Tensor> batches;
    for (int64_t batch = 0; batch < options.accumulation; ++batch) {
      batches.push_back(at::empty({2, 12}, at::kLong));
      for (int64_t i = 0; i < 24; ++i)
        batches.back().mutable_data_ptr<int64_t>()[i] = static_cast<int64_t>(rng.below(256));
    }
    out.steps.push_back(trainer.step(batches));
  }
  out.adapters = matrices(trainer.adapters());
  return out;
}

TEST(TrainerOfSeveral, TakesTheStepsOfOneProcessBitForBit) {
  Trained alone;
  std::jthread([&] {
    at::set_num_threads(1);
    alone = train(nullptr);
  }).join();
  for (const int64_t count : {2, 4}) {
    std::vector<Trained> found(static_cast<size_t>(count));
    run_ranks(count, [&](const TrainingGroup& group) {
      found[static_cast<size_t>(group.rank())] = train(&group);
    });
    for (const Trained& one : found) {
      for (size_t step = 0; step < alone.steps.size(); ++step) {
        EXPECT_EQ(one.steps[step].loss, alone.steps[step].loss) << step << " of " << count;
        EXPECT_EQ(one.steps[step].gradient_norm, alone.steps[step].gradient_norm);
      }
      for (size_t i = 0; i < alone.adapters.size(); ++i)
        EXPECT_TRUE(one.adapters[i].equal(alone.adapters[i])) << i;
    }
  }
}

TEST(TrainerOfSeveral, NeedsAsManyBatchesForEach) {
  Meeting meeting(3);
  const ThreadGroup group(meeting, 0);
  const Error error = plumb::testing::error_of([&] { train(&group); });
  EXPECT_EQ(error.kind(), ErrorKind::kUsage);
  EXPECT_THAT(error.what(), ::testing::HasSubstr("4 batches for 3 processes"));
}

}  // namespace
}  // namespace plumb::healing
