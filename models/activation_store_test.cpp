#include "models/activation_store.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/rng.h"
#include "base/testing.h"

namespace plumb::models {
namespace {

using ::testing::HasSubstr;

/// [2, 32] of `value`, 256 bytes in fp32.
at::Tensor activation(double value) { return at::full({2, 32}, value, at::kFloat); }
constexpr uint64_t kBytes = 256;

class ActivationStoreOf : public ::testing::TestWithParam<uint64_t> {  // activations that fit
 protected:
  testing::TemporaryFolder folder_;
  ActivationStore store_{{GetParam() * kBytes, folder_.path()}};
};

TEST_P(ActivationStoreOf, GivesBackEveryBitInAnyOrderOfUses) {
  Rng rng(GetParam() + 1);
  std::map<int64_t, at::Tensor> kept;
  for (int64_t time = 0; time < 400; ++time) {
    const auto key = static_cast<int64_t>(rng.below(12));
    const int64_t next = time + 1 + static_cast<int64_t>(rng.below(20));
    if (!kept.contains(key)) {
      at::Tensor x = activation(static_cast<double>(time));
      // Bits that a conversion would lose: NaNs with a payload, negative zero, bf16.
      x.mutable_data_ptr<float>()[0] = -0.0f;
      const uint32_t payload = 0x7fc12345;
      std::memcpy(x.mutable_data_ptr<float>() + 1, &payload, sizeof payload);
      if (key % 2 == 0) x = x.to(at::kBFloat16);
      kept[key] = x.clone();
      store_.put(key, std::move(x), next);
      continue;
    }
    const bool last = rng.below(2) == 0;
    const at::Tensor x = last ? store_.take(key) : store_.get(key, next);
    ASSERT_EQ(x.sizes(), kept[key].sizes());
    ASSERT_EQ(x.scalar_type(), kept[key].scalar_type());
    EXPECT_EQ(std::memcmp(x.const_data_ptr(), kept[key].const_data_ptr(), x.nbytes()), 0);
    if (last) kept.erase(key);
  }
  EXPECT_LE(store_.peak_memory_bytes(), GetParam() * kBytes);
  EXPECT_EQ(store_.size(), static_cast<int64_t>(kept.size()));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "the file has no name";
}

INSTANTIATE_TEST_SUITE_P(Rooms, ActivationStoreOf, ::testing::Values(0, 1, 3, 5, 100));

TEST(ActivationStore, WritesWhatIsUsedLast) {
  const testing::TemporaryFolder folder;
  ActivationStore store({2 * kBytes, folder.path()});
  store.put(1, activation(1), 30);
  store.put(2, activation(2), 10);
  EXPECT_EQ(store.written_bytes(), 0u);
  store.put(3, activation(3), 20);  // 1 goes
  EXPECT_EQ(store.written_bytes(), kBytes);
  store.put(4, activation(4), 40);  // 4 itself goes
  EXPECT_EQ(store.written_bytes(), 2 * kBytes);
  EXPECT_TRUE(at::equal(store.get(2, 50), activation(2)));  // now 2 is used last, but there is room
  EXPECT_TRUE(at::equal(store.take(3), activation(3)));
  EXPECT_TRUE(at::equal(store.get(1, 60), activation(1)));  // read; the file has it still
  store.put(5, activation(5), 1);                           // 1 goes without being written again
  EXPECT_EQ(store.written_bytes(), 2 * kBytes);
  EXPECT_EQ(store.peak_size(), 4);
}

TEST(ActivationStore, UsesPlacesInTheFileAgain) {
  const testing::TemporaryFolder folder;
  ActivationStore store({0, folder.path()});
  const testing::FileSizeLimit limit(2 * kBytes);
  for (int64_t i = 0; i < 100; ++i) {
    store.put(i, activation(static_cast<double>(i)), i);
    if (i > 0) store.take(i - 1);
  }
  EXPECT_EQ(store.written_bytes(), 100 * kBytes);
}

TEST(ActivationStore, SaysWhereAFullDiskIsAndWhatToDo) {
  const testing::TemporaryFolder folder;
  ActivationStore store({0, folder.path()});
  const testing::FileSizeLimit limit(kBytes + 100);
  store.put(1, activation(1), 1);
  const Error error = testing::error_of([&] { store.put(2, activation(2), 2); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_THAT(error.what(), HasSubstr(folder.path().string()));
  EXPECT_THAT(error.what(), HasSubstr("raise --memory-limit"));
  ActivationStore nowhere({0, folder / "missing"});
  EXPECT_EQ(testing::error_of([&] { nowhere.put(1, activation(1), 1); }).kind(),
            ErrorKind::kResource);
}

TEST(ActivationStore, RefusesAKeyThatIsNotThereOrTwice) {
  ActivationStore store({});
  store.put(1, activation(1), 1);
  EXPECT_EQ(testing::error_of([&] { store.put(1, activation(1), 1); }).kind(),
            ErrorKind::kInvariant);
  EXPECT_EQ(testing::error_of([&] { store.take(2); }).kind(), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb::models
