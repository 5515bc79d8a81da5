// A sweep that goes on where another was interrupted.

#include "pruning/sweep/step_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "pruning/strategy.h"
#include "pruning/sweep/question_sweep.h"
#include "pruning/sweep/sweep.h"

namespace plumb::pruning {
namespace {

using models::Decoder;

constexpr int64_t kBlocks = 6;

/// What an interrupted sweep has left: the numbers of some steps.
struct Kept {
  std::map<size_t, std::vector<double>> steps;
  size_t asked = 0, finished = 0;

  StepLog log() {
    asked = finished = 0;
    return {[this](size_t step) -> std::optional<std::vector<double>> {
              EXPECT_EQ(step, asked++);
              const auto found = steps.find(step);
              return found == steps.end() ? std::nullopt : std::optional(found->second);
            },
            [this](size_t step, std::span<const double> numbers) {
              EXPECT_FALSE(steps.contains(step)) << step;
              ++finished;
              steps[step] = {numbers.begin(), numbers.end()};
            }};
  }
};

std::vector<double> flat(const SweepLosses& losses) {
  std::vector<double> out;
  for (const auto& row : losses.loss_nats) out.insert(out.end(), row.begin(), row.end());
  for (const auto& row : losses.position_variance) out.insert(out.end(), row.begin(), row.end());
  for (const auto& measure : {losses.divergence_nats, losses.same_top}) {
    if (!measure) continue;
    for (const auto* rows : {&measure->mean, &measure->variance})
      for (const auto& row : *rows) out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

std::vector<double> flat(const QuestionScores& scores) {
  std::vector<double> out;
  for (const auto& plan : scores.values)
    for (const auto& row : plan) out.insert(out.end(), row.begin(), row.end());
  return out;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

models::TokenBatch documents(int64_t count) {
  Rng rng(3);
  models::TokenBatch batch;
  batch.token_count = 11;
  for (int64_t document = 0; document < count; ++document) batch.documents.push_back(document);
  for (int64_t i = 0; i < count * batch.token_count; ++i)
    batch.tokens.push_back(static_cast<int64_t>(rng.below(256)));
  return batch;
}

/// Letters, then continuations: packs of both.
std::vector<metrics::Request> requests() {
  Rng rng(5);
  const auto ids = [&](int64_t count) {
    std::vector<int32_t> out;
    for (int64_t i = 0; i < count; ++i) out.push_back(static_cast<int32_t>(rng.below(256)));
    return out;
  };
  std::vector<metrics::Request> out;
  for (int64_t i = 0; i < 10; ++i) {
    metrics::Request request;
    if (i < 5) {
      request.reading = metrics::Reading::kLetters;
      request.letters = {9, 4, 200};
      request.sequences = {{ids(20 + i), 0}};
    } else {
      request.sequences = {{ids(20 + i), 18}, {ids(22), 18}};
    }
    out.push_back(request);
  }
  return out;
}

class StepLogOf : public ::testing::TestWithParam<bool> {
 protected:
  StepLogOf() {
    fixtures::write_tiny_folder(folder_ / "model", fixtures::tiny_decoder({.seed = 2}),
                                models::StoredType::kF32);
    for (const char* strategy : {"simple", "random"})
      for (int64_t n = 0; n < kBlocks; n += 2)
        plans_.push_back(make_plan(strategy, n, {kBlocks, nullptr, 1, {}}));
  }
  Decoder decoder() const {
    const auto checkpoint = models::Checkpoint::open(folder_ / "model");
    return GetParam() ? Decoder::stream(checkpoint, models::Dtype::kFp32, false)
                      : Decoder::load(checkpoint, models::Dtype::kFp32);
  }

  /// `run` with a log, from every set of kept steps that an interruption can leave and from some
  /// that it cannot.
  template <typename Run>
  void expect_the_same_bits_from_any_kept_steps(const Run& run) {
    Kept all;
    int64_t evaluations = 0;
    const auto whole = run(all.log(), evaluations);
    const int64_t of_all = evaluations;
    const size_t steps = all.steps.size();
    EXPECT_GE(steps, 4u);
    EXPECT_EQ(all.asked, steps);
    for (uint32_t mask = 0; mask < 1u << steps; ++mask) {
      Kept some;
      for (const auto& [step, numbers] : all.steps)
        if ((mask >> step & 1) != 0) some.steps[step] = numbers;
      const size_t missing = steps - some.steps.size();
      EXPECT_TRUE(same_bits(run(some.log(), evaluations), whole)) << mask;
      EXPECT_EQ(some.finished, missing);
      EXPECT_EQ(evaluations * static_cast<int64_t>(steps), of_all * static_cast<int64_t>(missing));
      EXPECT_EQ(some.steps, all.steps);
    }
  }

  testing::TemporaryFolder folder_;
  std::vector<PruningPlan> plans_;
};

TEST_P(StepLogOf, DocumentsGivesTheSameBitsFromAnyKeptSteps) {
  const Decoder model = decoder();
  for (const int64_t positions : {0, 4})
    expect_the_same_bits_from_any_kept_steps([&](const StepLog& log, int64_t& evaluations) {
      SweepOptions options;
      options.documents_per_step = 2;
      options.positions = positions;
      options.log = log;
      evaluations = 0;
      options.progress = [&](int64_t done, int64_t) { evaluations = done; };
      return flat(sweep(model, documents(7), plans_, options));
    });
}

TEST_P(StepLogOf, QuestionsGivesTheSameBitsFromAnyKeptSteps) {
  const Decoder model = decoder();
  const auto asked = requests();
  expect_the_same_bits_from_any_kept_steps([&](const StepLog& log, int64_t& evaluations) {
    QuestionSweepOptions options;
    options.rows_per_pack = 100;
    options.log = log;
    evaluations = 0;
    options.progress = [&](int64_t done, int64_t) { evaluations = done; };
    return flat(sweep_questions(model, asked, plans_, options));
  });
}

// Two processes after each other: the first one's numbers are waiting for the second, and the other way round they are given
// in a second round.
TEST_P(StepLogOf, SharedStepsAreRunOnceAndGiveTheSameBits) {
  const Decoder model = decoder();
  std::map<size_t, std::vector<double>> found;
  size_t rank = 0;
  int64_t evaluations[2] = {};
  const auto run = [&](bool shared) {
    StepLog log;
    log.known = [](size_t) { return std::optional<std::vector<double>>(); };
    if (shared) {
      log.mine = [&](const std::vector<size_t>& missing) {
        std::vector<size_t> mine;
        for (size_t i = rank; i < missing.size(); i += 2) mine.push_back(missing[i]);
        return mine;
      };
      log.finished = [&](size_t step, std::span<const double> numbers) {
        found[step] = {numbers.begin(), numbers.end()};
      };
      log.complete = [&](size_t step, std::span<double> numbers) {
        if (found.contains(step)) std::ranges::copy(found[step], numbers.begin());
      };
    }
    SweepOptions options;
    options.documents_per_step = 2;
    options.log = log;
    options.progress = [&](int64_t done, int64_t) { evaluations[rank] = done; };
    return flat(sweep(model, documents(9), plans_, options));
  };
  const auto whole = run(false);
  const int64_t of_all = evaluations[0];
  const auto first = run(true);
  EXPECT_FALSE(same_bits(first, whole)) << "nobody has run the others";
  EXPECT_EQ(found.size(), 3u);
  rank = 1;
  EXPECT_TRUE(same_bits(run(true), whole));
  EXPECT_EQ(found.size(), 5u);
  EXPECT_EQ(evaluations[0] * 5, of_all * 3);
  EXPECT_EQ(evaluations[1] * 5, of_all * 2);
}

TEST_P(StepLogOf, AnotherSweepIsRefused) {
  const Decoder model = decoder();
  SweepOptions options;
  options.documents_per_step = 2;
  options.log.known = [](size_t step) { return std::vector<double>(step == 1 ? 5 : 60); };
  const Error error = testing::error_of([&] { sweep(model, documents(4), plans_, options); });
  EXPECT_EQ(error.kind(), ErrorKind::kInvariant);
  EXPECT_THAT(error.what(), ::testing::HasSubstr("step 1 of the sweep is known by 5 numbers"));
}

// An error in the middle of a step, such as a signal's, keeps what stood before it and nothing of
// the step.
TEST_P(StepLogOf, AnInterruptedStepIsNotKept) {
  const Decoder model = decoder();
  Kept kept;
  SweepOptions options;
  options.documents_per_step = 2;
  options.log = kept.log();
  int64_t evaluations = 0;
  options.progress = [&](int64_t, int64_t all) {
    if (++evaluations * 2 > all) throw Error(ErrorKind::kResource, "stop");
  };
  testing::error_of([&] { sweep(model, documents(8), plans_, options); });
  EXPECT_EQ(kept.steps.size(), GetParam() ? 0u : 2u);
}

INSTANTIATE_TEST_SUITE_P(ResidentAndStreamed, StepLogOf, ::testing::Bool());

}  // namespace
}  // namespace plumb::pruning
