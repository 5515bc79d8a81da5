#include "harness/pipeline/session.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/hash.h"
#include "base/testing.h"
#include "fixtures/formats/safetensors_file.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using plumb::testing::error_of;
using namespace std::chrono_literals;

/// A tiny model whose hash is not known, and a place of its own for what is remembered.
class SessionOf : public ::testing::Test {
 protected:
  SessionOf() {
    fixtures::put(model_, fixtures::tiny_gguf(decoder_, models::StoredType::kF32).bytes());
    std::this_thread::sleep_for(60ms);  // a file that was just written is hashed and not remembered
    experiment_.model = model_;
    experiment_.dtype = "fp32";
    experiment_.device = "cpu";
    experiment_.threads = 1;
  }
  bool hash_is_remembered() const { return fs::exists(hashes_) && !fs::is_empty(hashes_); }

  const plumb::testing::TemporaryFolder folder_;
  const plumb::testing::Variable cache_{"XDG_CACHE_HOME", folder_ / "cache"};
  const fs::path hashes_ = folder_ / "cache/plumb/hashes", model_ = folder_ / "model.gguf";
  const models::Decoder decoder_ = fixtures::tiny_decoder({});
  Experiment experiment_;
};

TEST_F(SessionOf, HashIsMadeBesideTheLoadingAndNotBeforeIt) {
  Session session(experiment_);
  session.checkpoint();
  EXPECT_FALSE(hash_is_remembered());
  session.decoder();
  // Nobody asks for it.
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (!hash_is_remembered() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(hash_is_remembered());
  EXPECT_EQ(session.checkpoint().sha256(), sha256_of_file(model_));
}

TEST_F(SessionOf, EndsWhileItsModelIsHashed) {
  for (int round = 0; round < 20; ++round) {
    fs::remove_all(hashes_);
    Session session(experiment_);
    session.decoder();
  }
  EXPECT_EQ(models::Checkpoint::open(model_).sha256(), sha256_of_file(model_));
}

TEST_F(SessionOf, SaysTwiceThatTheFileWasCutShort) {
  Session session(experiment_);
  const models::Checkpoint checkpoint = session.checkpoint();
  fs::resize_file(model_, fs::file_size(model_) / 2);
  EXPECT_EQ(error_of([&] { session.decoder(); }).kind(), ErrorKind::kInput);
  EXPECT_EQ(error_of([&] { checkpoint.sha256(); }).kind(), ErrorKind::kInput);
}

}  // namespace
}  // namespace plumb::harness
