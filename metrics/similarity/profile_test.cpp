#include "metrics/similarity/profile.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "metrics/similarity/angular_distance.h"

namespace plumb::metrics {
namespace {

using fixtures::tiny_decoder;
using ::testing::HasSubstr;

models::TokenBatch random_batch(int64_t documents, int64_t tokens, int64_t vocabulary,
                                uint64_t seed) {
  Rng rng(seed);
  models::TokenBatch batch;
  batch.token_count = tokens;
  batch.file = "random.jsonl";
  for (int64_t document = 0; document < documents; ++document) {
    batch.documents.push_back(10 * document);
    for (int64_t t = 0; t < tokens; ++t)
      batch.tokens.push_back(static_cast<int64_t>(rng.below(static_cast<uint64_t>(vocabulary))));
  }
  return batch;
}

models::TokenBatch first_of(models::TokenBatch batch, int64_t documents) {
  batch.documents.resize(static_cast<size_t>(documents));
  batch.tokens.resize(static_cast<size_t>(documents * batch.token_count));
  return batch;
}

std::vector<float> floats(const at::Tensor& row) {
  const at::Tensor wide = row.to(at::kFloat).contiguous();
  return {wide.const_data_ptr<float>(), wide.const_data_ptr<float>() + wide.numel()};
}

/// All x^(l) of a batch, [L + 1][B, T, D].
std::vector<at::Tensor> states(const models::Decoder& decoder, const models::TokenBatch& batch) {
  const at::Tensor tokens = at::tensor(batch.tokens, at::kLong).view({batch.size(), -1});
  std::vector<at::Tensor> all{decoder.embed(tokens)};
  for (int64_t l = 0; l < decoder.block_count(); ++l)
    all.push_back(decoder.run_block(l, all.back()));
  return all;
}

class ProfileOf : public ::testing::TestWithParam<std::tuple<uint64_t, models::Dtype>> {
 protected:
  uint64_t seed() const { return std::get<0>(GetParam()); }
  models::Decoder decoder(std::vector<int64_t> identity = {}) const {
    fixtures::TinyDecoderOptions options;
    options.seed = seed();
    options.dtype = std::get<1>(GetParam());
    options.identity_blocks = std::move(identity);
    return tiny_decoder(options);
  }
};

TEST_P(ProfileOf, ATinyDecoderEqualsTheDefinition) {
  const auto model = decoder();
  const auto batch = random_batch(4, 9, 256, seed());
  const Profile result = profile(model, batch, 4);  // one step: the same shapes as below
  const auto x = states(model, batch);
  const int64_t L = model.block_count();
  for (int64_t document = 0; document < 4; ++document) {
    const auto last = [&](int64_t l) {
      return floats(x[static_cast<size_t>(l)].select(0, document).select(0, 8));
    };
    for (int64_t n = 1; n <= L; ++n) {
      for (int64_t l = 0; l <= L - n; ++l)
        EXPECT_EQ(result.before_norm.at(n, l, document), angular_distance(last(l), last(l + n)));
      const auto normed = floats(model.final_norm(x.back()).select(0, document).select(0, 8));
      const double after =
          result.after_norm[static_cast<size_t>(n - 1)][static_cast<size_t>(document)];
      EXPECT_EQ(after, angular_distance(last(L - n), normed));
    }
  }
}

TEST_P(ProfileOf, ATinyDecoderHasTheInfluenceOfTheMeanCosine) {
  const auto model = decoder();
  const auto batch = random_batch(5, 7, 256, seed());
  const Profile result = profile(model, batch, 5);
  const auto x = states(model, batch);
  for (size_t l = 0; l < result.block_influence.size(); ++l) {
    const at::Tensor a = x[l].to(at::kDouble), b = x[l + 1].to(at::kDouble);
    const at::Tensor cosine =
        a.mul(b).sum(-1).div(a.square().sum(-1).mul(b.square().sum(-1)).sqrt());
    // Sums of 64 products and a mean of 35 cosines in double.
    EXPECT_NEAR(result.block_influence[l], 1 - cosine.mean().item<double>(),
                100 * std::numeric_limits<double>::epsilon());
  }
}

TEST_P(ProfileOf, APlantedIdentityBlockIsThatBlock) {
  const auto model = decoder({3});
  const Profile result = profile(model, random_batch(6, 12, 256, seed()), 4);
  EXPECT_EQ(result.before_norm.best_start(1), 3);
  EXPECT_EQ(result.before_norm.mean(1, 3), 0.0);
  // The cosine of a state with itself is off by the rounding of two roots and a division.
  EXPECT_NEAR(result.block_influence[3], 0.0, 4 * std::numeric_limits<double>::epsilon());
  for (const int64_t other : {0, 1, 2, 4, 5}) {
    EXPECT_GT(result.before_norm.mean(1, other), 0.0);
    EXPECT_GT(result.block_influence[static_cast<size_t>(other)], 1e-12);
  }
  for (const BestStart& start : best_starts(result.before_norm, 500, 0))
    if (start.n == 1) {
      EXPECT_EQ(start.stability, 1.0);
    }
}

TEST_P(ProfileOf, ADocumentDoesNotDependOnTheDocumentsAfterIt) {
  const auto model = decoder();
  const auto batch = random_batch(7, 11, 256, seed());
  const Profile whole = profile(model, batch, 3);
  for (const int64_t documents : {1, 2, 4, 5}) {
    const Profile part = profile(model, first_of(batch, documents), 3);
    for (int64_t n = 1; n <= model.block_count(); ++n)
      for (int64_t l = 0; l <= model.block_count() - n; ++l)
        for (int64_t document = 0; document < documents; ++document)
          EXPECT_EQ(part.before_norm.at(n, l, document), whole.before_norm.at(n, l, document));
  }
}

TEST_P(ProfileOf, TheSameInputsIsTheSameToTheLastBit) {
  const auto model = decoder();
  const auto batch = random_batch(5, 8, 256, seed());
  const Profile once = profile(model, batch, 2), again = profile(model, batch, 2);
  EXPECT_EQ(once.block_influence, again.block_influence);
  EXPECT_EQ(once.after_norm, again.after_norm);
  for (int64_t n = 1; n <= model.block_count(); ++n)
    for (int64_t l = 0; l <= model.block_count() - n; ++l)
      EXPECT_EQ(once.before_norm.samples(n, l), again.before_norm.samples(n, l));
}

INSTANTIATE_TEST_SUITE_P(Seeds, ProfileOf,
                         ::testing::Combine(::testing::Range<uint64_t>(1, 5),
                                            ::testing::Values(models::Dtype::kFp32,
                                                              models::Dtype::kBf16)));

TEST(Profile, CountsDocumentsAsItGoes) {
  const auto model = tiny_decoder({});
  std::vector<std::pair<int64_t, int64_t>> seen;
  profile(model, random_batch(5, 4, 256, 1), 2,
          [&](int64_t done, int64_t all) { seen.emplace_back(done, all); });
  EXPECT_EQ(seen, (std::vector<std::pair<int64_t, int64_t>>{{2, 5}, {4, 5}, {5, 5}}));
}

std::string input_error(const models::Decoder& decoder, const models::TokenBatch& batch) {
  try {
    profile(decoder, batch, 2);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Profile, NamesTheBlockAndTheDocumentOfANotANumber) {
  const auto model = tiny_decoder({});
  model.block(2)->down.fill_(std::numeric_limits<float>::quiet_NaN());
  const auto message = input_error(model, random_batch(3, 4, 256, 1));
  EXPECT_THAT(message, HasSubstr("the output of block 2"));
  EXPECT_THAT(message, HasSubstr("document 0 of 'random.jsonl', position 0"));
  EXPECT_THAT(message, HasSubstr("not finite"));
}

TEST(Profile, NamesAnEmbeddingOfZeros) {
  const auto model = tiny_decoder({});
  auto batch = random_batch(3, 4, 255, 1);
  batch.tokens[2 * 4 + 1] = 255;
  model.embedding().select(0, 255).zero_();
  const auto message = input_error(model, batch);
  EXPECT_THAT(message, HasSubstr("document 20 of 'random.jsonl', position 1"));
  EXPECT_THAT(message, HasSubstr("the embedding is zero"));
}

TEST(Profile, OfNothingIsRefused) {
  const auto model = tiny_decoder({});
  EXPECT_THAT(input_error(model, random_batch(0, 4, 256, 1)), HasSubstr("0 documents"));
  EXPECT_THROW(profile(model, random_batch(1, 4, 256, 1), 0), Error);
}

}  // namespace
}  // namespace plumb::metrics
