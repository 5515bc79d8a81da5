// Profiles on a device: the fake one here, CUDA where there is one.

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "metrics/similarity/profile.h"
#include "models/fake_device/testing.h"

namespace plumb::metrics {
namespace {

using models::Decoder;

constexpr int64_t kBlocks = 6;
constexpr int64_t kDocuments = 5;

models::TokenBatch documents() {
  models::TokenBatch batch;
  batch.file = "random";
  batch.token_count = 18;
  Rng rng(9);
  for (int64_t d = 0; d < kDocuments; ++d) batch.documents.push_back(d);
  for (int64_t i = 0; i < kDocuments * 18; ++i)
    batch.tokens.push_back(static_cast<int64_t>(rng.below(256)));
  return batch;
}

class DeviceProfile : public models::OnADevice {
 protected:
  using OnADevice::OnADevice;

  /// Distances of all pairs of blocks and documents; influences after them.
  static std::vector<double> numbers(const Decoder& decoder) {
    const Profile found = profile(decoder, documents(), 2);
    std::vector<double> out;
    for (int64_t n = 1; n <= kBlocks; ++n)
      for (int64_t l = 0; l <= kBlocks - n; ++l)
        for (int64_t d = 0; d < kDocuments; ++d) out.push_back(found.before_norm.at(n, l, d));
    for (const auto& row : found.after_norm) out.insert(out.end(), row.begin(), row.end());
    out.insert(out.end(), found.block_influence.begin(), found.block_influence.end());
    return out;
  }

  void expect_the_cpus_distances_and_the_same_bits_streamed() {
    const Decoder cpu = fixtures::tiny_decoder({.block_count = kBlocks});
    const std::vector<double> expected = numbers(cpu);
    const std::vector<double> found = numbers(cpu.on(device_.device, uint64_t{1} << 40));
    ASSERT_EQ(found.size(), expected.size());
    // States differ by some tens of roundings of 2^-24 (device_tolerance.h), an angle by as much of a half turn; where
    // both states are nearly alike the square of the angle does.
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5) << i;
    EXPECT_EQ(numbers(cpu.on(device_.device, cpu.block_bytes() / 2)), found);
  }
};

class FakeDeviceProfile : public DeviceProfile {
 protected:
  FakeDeviceProfile() : DeviceProfile(models::fake_plugin()) {}
};
TEST_F(FakeDeviceProfile, GivesTheCpusDistancesAndTheSameBitsStreamed) {
  expect_the_cpus_distances_and_the_same_bits_streamed();
}

class CudaProfile : public DeviceProfile {
 protected:
  CudaProfile() : DeviceProfile("cuda") {}
};
TEST_F(CudaProfile, GivesTheCpusDistancesAndTheSameBitsStreamed) {
  expect_the_cpus_distances_and_the_same_bits_streamed();
}

}  // namespace
}  // namespace plumb::metrics
