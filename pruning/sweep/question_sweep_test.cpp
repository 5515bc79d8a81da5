#include "pruning/sweep/question_sweep.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "pruning/strategy.h"

namespace plumb::pruning {
namespace {

using fixtures::tiny_decoder;
using metrics::Reading;
using metrics::Request;
using metrics::Sequence;
using models::Decoder;
using models::Dtype;
using testing::error_of;

constexpr int64_t kVocabulary = 256;

std::vector<int32_t> ids(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<int32_t> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(static_cast<int32_t>(rng.below(kVocabulary)));
  return out;
}

std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Questions behind a header of their subject, answered by letter.
std::vector<Request> lettered(int64_t subjects, int64_t questions) {
  std::vector<Request> out;
  for (int64_t s = 0; s < subjects; ++s) {
    const auto header = ids(60 + 7 * s, 100 + static_cast<uint64_t>(s));
    for (int64_t q = 0; q < questions; ++q) {
      Request request;
      request.reading = Reading::kLetters;
      const auto seed = static_cast<uint64_t>(1000 + s * 100 + q);
      request.sequences = {{joined(header, ids(5 + 11 * q, seed)), 0}};
      request.letters = {7, 3, 250, static_cast<int32_t>(10 + s)};
      out.push_back(request);
    }
  }
  return out;
}

/// Questions whose choices continue a context of their own; some choices begin alike, one is a part of another.
std::vector<Request> continued(int64_t questions) {
  std::vector<Request> out;
  for (int64_t q = 0; q < questions; ++q) {
    const auto seed = static_cast<uint64_t>(5000 + q * 10);
    const auto context = ids(3 + 13 * q, seed), common = ids(20, seed + 1);
    Request request;
    const auto size = static_cast<int64_t>(context.size());
    request.sequences = {{joined(context, ids(1, seed + 2)), size},
                         {joined(context, common), size},
                         {joined(joined(context, common), ids(9, seed + 3)), size},
                         {joined(joined(context, common), ids(4, seed + 4)), size}};
    out.push_back(request);
  }
  return out;
}

std::vector<PruningPlan> plans(int64_t blocks) {
  std::vector<PruningPlan> out;
  for (const int64_t n : {0, 1, 2, 4})
    out.push_back(make_plan("simple", n, {blocks, nullptr, 0, {}}));
  out.push_back({blocks, {1, 3}, "explicit", ""});
  out.push_back({blocks, {blocks - 1}, "explicit", ""});
  return out;
}

at::Tensor alone(const Decoder& decoder, const std::vector<int32_t>& tokens) {
  at::Tensor t = at::empty({1, static_cast<int64_t>(tokens.size())}, at::kLong);
  std::copy(tokens.begin(), tokens.end(), t.mutable_data_ptr<int64_t>());
  at::Tensor x = decoder.embed(t);
  for (int64_t i = 0; i < decoder.block_count(); ++i) decoder.run_block_in_place(i, x);
  return x[0];
}

/// A request's values with nothing shared: a sequence at a time, every logit.
std::vector<double> values_alone(const Decoder& decoder, const Request& request) {
  std::vector<double> out;
  for (const Sequence& sequence : request.sequences) {
    const at::Tensor x = alone(decoder, sequence.ids);
    if (request.reading == Reading::kLetters) {
      const at::Tensor logits = decoder.logits(x.slice(0, x.size(0) - 1))[0].contiguous();
      for (const int32_t letter : request.letters)
        out.push_back(static_cast<double>(logits.const_data_ptr<float>()[letter]));
      continue;
    }
    const auto count = static_cast<int64_t>(sequence.ids.size()) - sequence.context;
    at::Tensor targets = at::empty({count}, at::kLong);
    std::copy(sequence.ids.begin() + sequence.context, sequence.ids.end(),
              targets.mutable_data_ptr<int64_t>());
    const at::Tensor losses =
        decoder.cross_entropy(x.slice(0, sequence.context - 1, x.size(0) - 1), targets);
    double sum = 0;
    for (int64_t i = 0; i < count; ++i)
      sum -= static_cast<double>(losses.const_data_ptr<float>()[i]);
    out.push_back(sum);
  }
  return out;
}

void expect_the_bits_of_each_alone(const Decoder& decoder, std::span<const Request> requests,
                                   const QuestionSweepOptions& options) {
  const c10::InferenceMode no_autograd;
  const auto wanted = plans(decoder.block_count());
  const QuestionScores scores = sweep_questions(decoder, requests, wanted, options);
  ASSERT_EQ(scores.values.size(), wanted.size());
  for (size_t p = 0; p < wanted.size(); ++p) {
    const Decoder pruned = decoder.with_blocks(wanted[p].kept());
    for (size_t r = 0; r < requests.size(); ++r)
      EXPECT_EQ(scores.values[p][r], values_alone(pruned, requests[r]))
          << "plan " << p << ", request " << r;
  }
}

TEST(QuestionSweep, GivesTheBitsOfEveryPlanAndSequenceAlone) {
  for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16}) {
    const Decoder decoder = tiny_decoder({.dtype = dtype});
    expect_the_bits_of_each_alone(decoder, lettered(2, 6), {});
    expect_the_bits_of_each_alone(decoder, continued(6), {});
  }
}

TEST(QuestionSweep, GivesTheSameBitsWhateverThePacksAndThreads) {
  const Decoder decoder = tiny_decoder({});
  std::vector<Request> requests = lettered(2, 5);
  const auto more = continued(4);
  requests.insert(requests.end(), more.begin(), more.end());
  const auto wanted = plans(decoder.block_count());
  const QuestionScores expected = sweep_questions(decoder, requests, wanted, {});
  const int before = at::get_num_threads();
  for (const int threads : {1, 3})
    for (const int64_t rows : {1, 100, 250, 100000}) {
      at::set_num_threads(threads);
      EXPECT_EQ(sweep_questions(decoder, requests, wanted, {.rows_per_pack = rows}).values,
                expected.values)
          << rows << " rows a pack, " << threads << " threads";
    }
  at::set_num_threads(before);
}

TEST(QuestionSweep, RunsWhatQuestionsShareOnce) {
  const Decoder decoder = tiny_decoder({});
  const auto requests = lettered(1, 6);
  const QuestionScores scores = sweep_questions(decoder, requests, plans(6), {});
  int64_t own = 0, all = 0;
  for (const Request& request : requests) {
    all += static_cast<int64_t>(request.sequences[0].ids.size());
    own += static_cast<int64_t>(request.sequences[0].ids.size()) - 60;
  }
  EXPECT_EQ(scores.tokens_alone, all);
  EXPECT_EQ(scores.tokens_run, 60 + own);
}

TEST(QuestionPacks, HoldEveryRequestOnceAndNotMuchMoreThanTheirRows) {
  const auto requests = lettered(3, 7);
  for (const int64_t rows : {1, 150, 400, 100000}) {
    int64_t next = 0;
    for (const QuestionPack& pack : pack_questions(requests, rows)) {
      EXPECT_EQ(pack.first, next);
      next += pack.count;
      EXPECT_TRUE(pack.packing.rows() <= rows || pack.count == 1);
      EXPECT_TRUE(std::is_sorted(pack.read.begin(), pack.read.end()));
      EXPECT_EQ(static_cast<int64_t>(pack.values.size()), 4 * pack.count);
    }
    EXPECT_EQ(next, static_cast<int64_t>(requests.size()));
  }
}

TEST(QuestionPacks, DoNotShareAFewIds) {
  Request a, b;
  a.reading = b.reading = Reading::kLetters;
  a.letters = b.letters = {1, 2};
  const auto common = ids(15, 1);
  a.sequences = {{joined(common, ids(30, 2)), 0}};
  b.sequences = {{joined(common, ids(30, 3)), 0}};
  const std::vector<Request> both{a, b};
  EXPECT_EQ(pack_questions(both, 1000)[0].packing.rows(), 90);
  EXPECT_EQ(pack_questions(both, 1000, 15)[0].packing.rows(), 75);
}

TEST(QuestionSweep, RefusesWhatCannotBeRead) {
  const Decoder decoder = tiny_decoder({});
  const auto requests = lettered(1, 2);
  const auto kind = [&](std::span<const Request> asked, std::span<const PruningPlan> wanted,
                        int64_t rows) {
    return error_of([&] { sweep_questions(decoder, asked, wanted, {.rows_per_pack = rows}); })
        .kind();
  };
  const auto some = plans(6), other = plans(7);
  EXPECT_EQ(kind({}, some, 10), ErrorKind::kUsage);
  EXPECT_EQ(kind(requests, {}, 10), ErrorKind::kUsage);
  EXPECT_EQ(kind(requests, other, 10), ErrorKind::kUsage);
  EXPECT_EQ(kind(requests, some, 0), ErrorKind::kUsage);
  auto generated = requests;
  generated[1].reading = Reading::kGeneration;
  EXPECT_EQ(kind(generated, some, 10), ErrorKind::kInvariant);
  auto nothing = continued(1);
  nothing[0].sequences[0].context = static_cast<int64_t>(nothing[0].sequences[0].ids.size());
  EXPECT_EQ(kind(nothing, some, 10), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb::pruning
