// A decoder on a device, on one that is not there (models/fake_device) and on CUDA where there is one: the same claims of
// both. The fake one proves that host and device are not mixed, that streamed blocks are ordered, and what memory is
// needed; CUDA that its arithmetic is the CPU's within the stated tolerance.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <gmock/gmock.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/formats/golden_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/aten_block.h"
#include "models/device_tolerance.h"
#include "models/fake_device/testing.h"

namespace plumb::models {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kAll = uint64_t{1} << 40;

at::Tensor random_tokens(int64_t sequences, int64_t count, int64_t vocabulary) {
  at::Tensor ids = at::arange(sequences * count).view({sequences, count});
  Rng rng(3);
  for (int64_t i = 0; i < ids.numel(); ++i)
    ids.mutable_data_ptr<int64_t>()[i] =
        static_cast<int64_t>(rng.below(static_cast<uint64_t>(vocabulary)));
  return ids;
}

at::Tensor states(const Decoder& decoder, const at::Tensor& tokens) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < decoder.block_count(); ++i) order.push_back(i);
  decoder.expect(order);
  at::Tensor x = decoder.embed(tokens);
  for (const int64_t i : order) decoder.run_block_in_place(i, x);
  return x;
}

/// -ln p of every token but the first of each sequence, [B * (T - 1)] on the CPU.
at::Tensor token_losses(const Decoder& decoder, const at::Tensor& tokens) {
  const at::Tensor x = states(decoder, tokens);
  const int64_t T = tokens.size(1);
  return decoder.cross_entropy(x.narrow(1, 0, T - 1).reshape({-1, x.size(2)}),
                               tokens.narrow(1, 1, T - 1).reshape(-1));
}

/// Mean loss of each document.
std::vector<double> document_means(const at::Tensor& losses, int64_t documents) {
  const at::Tensor means = losses.to(at::kDouble).view({documents, -1}).mean(1).contiguous();
  return {means.const_data_ptr<double>(), means.const_data_ptr<double>() + documents};
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor p = a.to(at::kCPU).contiguous(), q = b.to(at::kCPU).contiguous();
  return p.sizes() == q.sizes() && p.scalar_type() == q.scalar_type() &&
         std::memcmp(p.const_data_ptr(), q.const_data_ptr(), p.nbytes()) == 0;
}

/// A decoder's blocks, but two of them at a time and no more.
uint64_t two_blocks(const Decoder& decoder) {
  return 2 * decoder.block_bytes() / static_cast<uint64_t>(decoder.block_count());
}

class DeviceDecoder : public OnADevice {
 protected:
  using OnADevice::OnADevice;

  void expect_the_cpus_losses(const Decoder& decoder, const at::Tensor& tokens) {
    const at::Tensor expected = token_losses(decoder, tokens);
    const Decoder moved = decoder.on(device_.device, kAll);
    EXPECT_EQ(moved.device(), device_.device);
    EXPECT_EQ(moved.weight_bytes(), decoder.weight_bytes());
    const auto cpu = document_means(expected, tokens.size(0)),
               found = document_means(token_losses(moved, tokens), tokens.size(0));
    for (size_t d = 0; d < cpu.size(); ++d) {
      EXPECT_LE(std::abs(found[d] - cpu[d]),
                device_loss_tolerance(decoder.dtype(), decoder.block_count(), cpu[d]))
          << dtype_name(decoder.dtype()) << ", a loss of " << cpu[d];
    }
  }

  void expect_the_losses_of_every_family() {
    const fixtures::GoldenArchitectures golden(std::string(PLUMB_SOURCE_DIR) +
                                               "/fixtures/golden/architectures.json");
    for (const auto& family : golden.cases) {
      SCOPED_TRACE(family.at("name").get<std::string>());
      const testing::TemporaryFolder folder;
      fixtures::write_golden_model(folder / "model", family);
      for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16})
        expect_the_cpus_losses(Decoder::load(Checkpoint::open(folder / "model"), dtype),
                               golden.tokens);
    }
  }

  void expect_the_same_bits_streamed_and_pruned(Dtype dtype) {
    const auto make = [&] { return fixtures::tiny_decoder({.block_count = 7, .dtype = dtype}); };
    const at::Tensor tokens = random_tokens(3, 40, 256);
    const Decoder resident = make().on(device_.device, kAll);
    const std::vector<int64_t> kept = {0, 1, 4, 6};
    const at::Tensor whole = states(resident, tokens),
                     pruned = states(resident.with_blocks(kept), tokens);
    for (const uint64_t fit : {uint64_t{2}, uint64_t{3}, uint64_t{6}}) {
      const Decoder streamed = make().on(device_.device, fit * two_blocks(make()) / 2);
      int64_t stay = 0;
      for (int64_t i = 0; i < 7; ++i) stay += streamed.keeps(i);
      EXPECT_EQ(stay, static_cast<int64_t>(fit) - 2);
      for (int round = 0; round < 3; ++round) {
        EXPECT_TRUE(same_bits(states(streamed, tokens), whole)) << fit << " blocks";
        EXPECT_TRUE(same_bits(states(streamed.with_blocks(kept), tokens), pruned)) << fit;
      }
    }
  }

  void expect_a_cache_to_continue_a_sequence() {
    const Decoder decoder = fixtures::tiny_decoder({}).on(device_.device, kAll);
    const at::Tensor tokens = random_tokens(2, 21, 256);
    KvCache cache = decoder.make_cache(2, 21);
    decoder.forward_cached(tokens.narrow(1, 0, 15), cache);
    const at::Tensor last = decoder.forward_cached(tokens.narrow(1, 15, 6), cache).to(at::kCPU);
    const at::Tensor whole = states(decoder, tokens).to(at::kCPU).narrow(1, 15, 6);
    // As decoder_test.cpp: other shapes, other kernels, some tens of roundings of 2^-24.
    EXPECT_LT((last - whole).abs().max().item<double>(), 1e-5 * whole.abs().max().item<double>());
  }
};

class FakeDeviceDecoder : public DeviceDecoder {
 protected:
  FakeDeviceDecoder() : DeviceDecoder(fake_plugin()) {}
};

TEST_F(FakeDeviceDecoder, GivesTheCpusLossesForEveryFamilyAndMixesNoDevices) {
  expect_the_losses_of_every_family();
}
TEST_F(FakeDeviceDecoder, GivesTheSameBitsStreamedAndResident) {
  expect_the_same_bits_streamed_and_pruned(Dtype::kFp32);
  expect_the_same_bits_streamed_and_pruned(Dtype::kBf16);
}
TEST_F(FakeDeviceDecoder, ContinuesFromACache) { expect_a_cache_to_continue_a_sequence(); }

TEST_F(FakeDeviceDecoder, RefusesStatesOfTheHost) {
  const Decoder cpu = fixtures::tiny_decoder({}), decoder = cpu.on(device_.device, kAll);
  const at::Tensor x = cpu.embed(random_tokens(1, 5, 256));
  EXPECT_THAT(testing::error_of([&] { decoder.run_block(0, x); }).what(),
              HasSubstr("on cpu, need"));
}

int64_t lines_with(const std::string& log, const std::string& words) {
  int64_t count = 0;
  for (size_t at = log.find(words); at != std::string::npos; at = log.find(words, at + 1)) ++count;
  return count;
}

/// Waits for what the copying thread does; false after 20 s.
bool comes(const std::string& words, int64_t times) {
  for (int i = 0; i < 2000; ++i) {
    if (lines_with(fake_control().log(), words) >= times) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST_F(FakeDeviceDecoder, CopiesTheNextBlockWhileOneIsInUseAndOverNone) {
  const Decoder decoder = fixtures::tiny_decoder({.block_count = 5});
  const Decoder streamed = decoder.on(device_.device, two_blocks(decoder));
  const auto tensors = [] { return lines_with(fake_control().log(), "copy in stream"); };
  fake_control().reset(uint64_t{16} << 30);
  streamed.expect(std::vector<int64_t>{0, 1, 2, 3, 4});
  auto held = streamed.block(0);
  // Nothing has been computed, and nobody has asked for block 1.
  ASSERT_TRUE(comes("wait host event", 2)) << fake_control().log();
  const int64_t two = tensors();
  EXPECT_EQ(lines_with(fake_control().log(), "record stream 0"), 0) << "block 0 is in use";
  held = streamed.block(1);
  ASSERT_TRUE(comes("wait host event", 3)) << fake_control().log();
  EXPECT_EQ(tensors(), two / 2 * 3) << "block 3 has no place yet";
  EXPECT_EQ(lines_with(fake_control().log(), "record stream 0"), 1);
  // The copy of block 2 waits for what used block 0's place.
  const std::string log = fake_control().log();
  const size_t done = log.find("record stream 0 event ");
  const std::string event =
      log.substr(log.find("event", done), log.find('\n', done) - log.find("event", done));
  const size_t waits = log.find(event + "\n", done + 30);
  EXPECT_EQ(log.rfind("wait stream ", waits), log.rfind('\n', waits) + 1) << log;
  EXPECT_LT(waits, log.rfind("copy in stream")) << log;
}

TEST_F(FakeDeviceDecoder, IsProvedByADeviceThatSeesAMissingWait) {
  const c10::impl::VirtualGuardImpl guard(device_.device.type());
  const at::Tensor host = at::ones({8});
  at::Tensor copy = at::empty_like(host, device_.device);
  const auto copy_on_another_stream = [&](bool wait) {
    c10::Event ready(device_.device.type());
    {
      const c10::StreamGuard on(guard.getStreamFromGlobalPool(device_.device));
      ready.record(c10::impl::VirtualGuardImpl(device_.device.type()).getStream(device_.device));
      copy.copy_(host, /*non_blocking=*/true);
      ready.record(c10::impl::VirtualGuardImpl(device_.device.type()).getStream(device_.device));
    }
    if (wait) ready.block(guard.getStream(device_.device));
    return copy.sum().item<float>();
  };
  EXPECT_EQ(copy_on_another_stream(true), 8);
  EXPECT_STREQ(fake_control().races(), "");
  EXPECT_EQ(copy_on_another_stream(false), 8) << "the fake device does all at once";
  EXPECT_THAT(fake_control().races(), HasSubstr("stream 0 reads a write of stream"));
  copy.reset();
  fake_control().reset(uint64_t{16} << 30);
}

TEST_F(FakeDeviceDecoder, HoldsNoMoreBlocksThanItMay) {
  const Decoder decoder = fixtures::tiny_decoder({.block_count = 9, .feed_forward_width = 4096});
  const uint64_t before = fake_control().used_bytes(), room = two_blocks(decoder) * 2;
  const Decoder streamed = decoder.on(device_.device, room);
  const at::Tensor tokens = random_tokens(1, 4, 256);
  states(streamed, tokens);
  // Every tensor of the fake device takes whole pages: some 40 of a block at work, 14 of each that is held.
  const uint64_t pages = (40 + 14 * 9) * 4096;
  const uint64_t rest =
      decoder.unembedding().nbytes() + pages + aten_working_bytes(decoder.config(), tokens.numel());
  EXPECT_LE(fake_control().peak_bytes(), before + room + rest);
  EXPECT_GT(fake_control().peak_bytes(), before + room / 2);
}

TEST_F(FakeDeviceDecoder, NeedsRoomForTwoBlocks) {
  const Decoder decoder = fixtures::tiny_decoder({});
  const Error error =
      testing::error_of([&] { decoder.on(device_.device, two_blocks(decoder) - 1); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_THAT(error.what(), HasSubstr("--memory-limit"));
}

class CudaDecoder : public DeviceDecoder {
 protected:
  CudaDecoder() : DeviceDecoder("cuda") {}
};

TEST_F(CudaDecoder, GivesTheCpusLossesForEveryFamily) { expect_the_losses_of_every_family(); }
TEST_F(CudaDecoder, GivesTheSameBitsStreamedAndResident) {
  expect_the_same_bits_streamed_and_pruned(Dtype::kFp32);
  expect_the_same_bits_streamed_and_pruned(Dtype::kBf16);
}
TEST_F(CudaDecoder, ContinuesFromACache) { expect_a_cache_to_continue_a_sequence(); }

class CudaDecoderSmolLm2 : public CudaDecoder {};
TEST_F(CudaDecoderSmolLm2, GivesTheCpusLosses) {
  const char* model = std::getenv("PLUMB_TEST_MODEL");
  if (model == nullptr) GTEST_SKIP() << "PLUMB_TEST_MODEL names no model";
  for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16}) {
    const Decoder decoder = Decoder::load(Checkpoint::open(model), dtype);
    expect_the_cpus_losses(decoder, random_tokens(4, 128, decoder.config().vocabulary_size));
  }
}

}  // namespace
}  // namespace plumb::models
