// A profile of a model whose blocks come and go against the one of the model in memory.

#include <gtest/gtest.h>

#include <cstring>

#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "metrics/similarity/profile.h"
#include "models/streamed_blocks.h"

namespace plumb::metrics {
namespace {

using models::Decoder;
using models::Dtype;

models::TokenBatch random_batch(int64_t documents, int64_t tokens) {
  Rng rng(11);
  models::TokenBatch batch;
  batch.token_count = tokens;
  batch.file = "random.jsonl";
  for (int64_t document = 0; document < documents; ++document) batch.documents.push_back(document);
  for (int64_t i = 0; i < documents * tokens; ++i)
    batch.tokens.push_back(static_cast<int64_t>(rng.below(256)));
  return batch;
}

bool same_bits(std::span<const double> a, std::span<const double> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

void expect_same(const Profile& a, const Profile& b) {
  const int64_t L = a.before_norm.block_count();
  ASSERT_EQ(L, b.before_norm.block_count());
  for (int64_t n = 1; n <= L; ++n) {
    for (int64_t l = 0; l <= L - n; ++l)
      EXPECT_TRUE(same_bits(a.before_norm.values(n, l), b.before_norm.values(n, l))) << n << l;
    const auto at = static_cast<size_t>(n - 1);
    EXPECT_TRUE(same_bits(a.after_norm[at], b.after_norm[at])) << n;
  }
  EXPECT_TRUE(same_bits(a.block_influence, b.block_influence));
}

class StreamedProfile : public ::testing::TestWithParam<std::tuple<Dtype, bool>> {
 protected:
  StreamedProfile() {
    fixtures::write_tiny_folder(folder_ / "model",
                                fixtures::tiny_decoder({.tied_embeddings = false, .seed = 5}),
                                models::StoredType::kF32);
  }
  static Dtype dtype() { return std::get<0>(GetParam()); }
  static bool pins() { return std::get<1>(GetParam()); }

  testing::TemporaryFolder folder_;
};

TEST_P(StreamedProfile, HasTheBitsOfTheResidentOneAndReadsEveryBlockOnce) {
  const auto checkpoint = models::Checkpoint::open(folder_ / "model");
  const Decoder resident = Decoder::load(checkpoint, dtype());
  const auto documents = random_batch(5, 13);  // the last step has one document
  const Profile expected = profile(resident, documents, 2);
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{2 * 13 * 64 * 4}, uint64_t{1} << 20}) {
    const auto source =
        std::make_shared<models::StreamedBlocks>(checkpoint, models::scalar_type(dtype()), pins());
    const Decoder stream(checkpoint.config(), dtype(), {}, checkpoint, source, resident.head());
    expect_same(profile(stream, documents, 2, {}, {bytes, folder_.path()}), expected);
    EXPECT_EQ(source->blocks_read(), 6);
  }
}

TEST_P(StreamedProfile, CountsEveryDocumentAtTheEnd) {
  const auto checkpoint = models::Checkpoint::open(folder_ / "model");
  int64_t last = 0;
  profile(Decoder::stream(checkpoint, dtype(), pins()), random_batch(5, 13), 2,
          [&](int64_t done, int64_t all) {
            EXPECT_GE(done, last);
            EXPECT_EQ(all, 5);
            last = done;
          });
  EXPECT_EQ(last, 5);
}

INSTANTIATE_TEST_SUITE_P(DtypesAndPins, StreamedProfile,
                         ::testing::Combine(::testing::Values(Dtype::kFp32, Dtype::kBf16),
                                            ::testing::Bool()));

}  // namespace
}  // namespace plumb::metrics
