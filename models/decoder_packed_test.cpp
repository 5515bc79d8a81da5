#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/formats/golden_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/decoder.h"

namespace plumb::models {
namespace {

using testing::error_of;

std::vector<int32_t> random_ids(int64_t count, int64_t vocabulary, uint64_t seed) {
  Rng rng(seed);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocabulary))));
  return ids;
}

at::Tensor tokens_of(const std::vector<int64_t>& ids) {
  at::Tensor out = at::empty({1, static_cast<int64_t>(ids.size())}, at::kLong);
  std::copy(ids.begin(), ids.end(), out.mutable_data_ptr<int64_t>());
  return out;
}

/// A header with questions behind it, two of which have answers; a second header; a lone sequence. Lengths lie on both
/// sides of multiples of 32.
Packing many_sequences(int64_t vocabulary) {
  Packing packing;
  uint64_t seed = 1;
  const auto ids = [&](int64_t count) { return random_ids(count, vocabulary, ++seed); };
  const int64_t header = packing.add(ids(41));
  for (const int64_t count : {1, 7, 30, 33, 64}) packing.add(ids(count), header);
  const int64_t question = packing.add(ids(23), header);
  for (const int64_t count : {1, 2, 9}) packing.add(ids(count), question);
  const int64_t second = packing.add(ids(32));
  for (const int64_t count : {32, 5}) packing.add(ids(count), second);
  packing.add(ids(50));
  return packing;
}

/// Tokens of a sequence after all that it continues.
std::vector<int64_t> chain(const Packing& packing, int64_t sequence) {
  std::vector<int64_t> ids;
  for (int64_t i = sequence; i >= 0; i = packing.sequences[static_cast<size_t>(i)].parent) {
    const Packing::Sequence& s = packing.sequences[static_cast<size_t>(i)];
    ids.insert(ids.begin(), packing.tokens.begin() + s.first,
               packing.tokens.begin() + s.first + s.count);
  }
  return ids;
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor p = a.contiguous(), q = b.contiguous();
  return p.sizes() == q.sizes() && p.scalar_type() == q.scalar_type() &&
         std::memcmp(p.const_data_ptr(), q.const_data_ptr(), p.nbytes()) == 0;
}

at::Tensor run_packed(const Decoder& decoder, const Packing& packing) {
  at::Tensor x = decoder.embed(tokens_of(packing.tokens))[0];
  for (int64_t i = 0; i < decoder.block_count(); ++i) x = decoder.run_packed(i, packing, x);
  return x;
}

void expect_the_bits_of_each_alone(const Decoder& decoder, const Packing& packing,
                                   const at::Tensor& x) {
  for (size_t i = 0; i < packing.sequences.size(); ++i) {
    const Packing::Sequence& s = packing.sequences[i];
    at::Tensor alone = decoder.embed(tokens_of(chain(packing, static_cast<int64_t>(i))));
    for (int64_t b = 0; b < decoder.block_count(); ++b) decoder.run_block_in_place(b, alone);
    EXPECT_TRUE(same_bits(x.slice(0, s.first, s.first + s.count), alone[0].slice(0, s.position)))
        << "sequence " << i << " of " << s.count << " tokens from position " << s.position;
  }
}

TEST(Packed, GivesTheBitsOfEachSequenceAloneForEveryFamily) {
  const fixtures::GoldenArchitectures golden(std::string(PLUMB_SOURCE_DIR) +
                                             "/fixtures/golden/architectures.json");
  for (const auto& family : golden.cases) {
    SCOPED_TRACE(family.at("name").get<std::string>());
    const testing::TemporaryFolder folder;
    fixtures::write_golden_model(folder / "model", family);
    for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16}) {
      const Decoder decoder = Decoder::load(Checkpoint::open(folder / "model"), dtype);
      const Packing packing = many_sequences(decoder.config().vocabulary_size);
      expect_the_bits_of_each_alone(decoder, packing, run_packed(decoder, packing));
    }
  }
}

TEST(Packed, GivesTheBitsOfEachSequenceAloneWhateverTheThreads) {
  const Decoder decoder = fixtures::tiny_decoder({.block_count = 3});
  const Packing packing = many_sequences(256);
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    expect_the_bits_of_each_alone(decoder, packing, run_packed(decoder, packing));
  }
  at::set_num_threads(before);
}

TEST(Packed, ReadsRowsAloneToTheSameBits) {
  for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16}) {
    const Decoder decoder = fixtures::tiny_decoder({.dtype = dtype});
    const Packing packing = many_sequences(256);
    const at::Tensor x = decoder.embed(tokens_of(packing.tokens))[0];
    const at::Tensor all = decoder.run_packed(2, packing, x);
    std::vector<int64_t> last, some;
    for (size_t i = 0; i < packing.sequences.size(); ++i)
      last.push_back(packing.last_row(static_cast<int64_t>(i)));
    Rng rng(5);
    for (int64_t row = 0; row < packing.rows(); ++row)
      if (rng.below(3) == 0) some.push_back(row);
    for (const auto& read : {last, some, std::vector<int64_t>{0}}) {
      const at::Tensor rows = decoder.run_packed(2, packing, x, read);
      ASSERT_EQ(rows.size(0), static_cast<int64_t>(read.size()));
      for (size_t i = 0; i < read.size(); ++i)
        EXPECT_TRUE(same_bits(rows[static_cast<int64_t>(i)], all[read[i]])) << "row " << read[i];
    }
  }
}

TEST(Packed, RefusesWhatDoesNotFit) {
  const Decoder decoder = fixtures::tiny_decoder({});
  const Packing packing = many_sequences(256);
  const at::Tensor x = decoder.embed(tokens_of(packing.tokens))[0];
  for (const std::vector<int64_t>& read :
       {std::vector<int64_t>{1, 1}, {2, 1}, {-1}, {packing.rows()}})
    EXPECT_EQ(error_of([&] { decoder.run_packed(0, packing, x, read); }).kind(),
              ErrorKind::kInvariant);
  EXPECT_EQ(error_of([&] { decoder.run_packed(0, packing, x.slice(0, 1)); }).kind(),
            ErrorKind::kInvariant);
  Packing broken;
  EXPECT_EQ(error_of([&] { broken.add({}); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([&] { broken.add(std::vector<int32_t>{1}, 0); }).kind(),
            ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb::models
