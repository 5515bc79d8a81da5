// A pruned checkpoint of every family: the bits of the decoder pruned in memory, and loaded by transformers.

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/testing.h"
#include "fixtures/formats/golden_model.h"
#include "pruning/apply.h"

namespace plumb::pruning {
namespace {

namespace fs = std::filesystem;
using models::Checkpoint;
using models::Decoder;
using models::Dtype;
using nlohmann::json;

const std::string kGolden = std::string(PLUMB_SOURCE_DIR) + "/fixtures/golden/";

const fixtures::GoldenArchitectures& golden_file() {
  static const fixtures::GoldenArchitectures golden(kGolden + "architectures.json");
  return golden;
}

PruningPlan plan_of(const json& plan, int64_t block_count) {
  return {block_count, plan.at("removed").get<std::vector<int64_t>>(), "explicit", "test"};
}

/// folder/<case>/<plan> of every case.
void write_all(const fs::path& folder) {
  for (const json& golden : golden_file().cases) {
    const fs::path model = folder / "whole" / golden.at("name").get<std::string>();
    fixtures::write_golden_model(model, golden);
    const Checkpoint checkpoint = Checkpoint::open(model);
    const fs::path out = folder / golden.at("name").get<std::string>();
    fs::create_directories(out);
    for (size_t i = 0; i < golden.at("plans").size(); ++i)
      write_pruned(checkpoint, model,
                   plan_of(golden.at("plans")[i], checkpoint.config().block_count),
                   out / std::to_string(i));
  }
}

TEST(WritePrunedArchitectures, GiveTheBitsOfTheDecoderPrunedInMemory) {
  const testing::TemporaryFolder folder;
  write_all(folder.path());
  for (const json& golden : golden_file().cases) {
    const std::string name = golden.at("name");
    const Decoder whole = Decoder::load(Checkpoint::open(folder / ("whole/" + name)), Dtype::kFp32);
    for (size_t i = 0; i < golden.at("plans").size(); ++i) {
      SCOPED_TRACE(name + " " + std::to_string(i));
      const auto written =
          Decoder::load(Checkpoint::open(folder / text(name, "/", i)), Dtype::kFp32);
      const auto kept = fixtures::golden_kept(golden.at("plans")[i], whole.block_count());
      const at::Tensor a = fixtures::logits_of(written, golden_file().tokens),
                       b = fixtures::logits_of(whole.with_blocks(kept), golden_file().tokens);
      ASSERT_EQ(a.sizes(), b.sizes());
      EXPECT_EQ(std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()), 0);
    }
  }
}

// The project's bound on fp32 parity: 1e-4 of the largest logit.
TEST(WritePrunedArchitectures, AreLoadedByTransformersToTheSameLogits) {
  const auto python = testing::peer_python("torch, transformers");
  if (!python.missing.empty()) GTEST_SKIP() << python.missing;
  const testing::TemporaryFolder folder;
  write_all(folder.path());
  const std::string command =
      text("'", python.path, "' '", kGolden, "load_pruned_architectures.py' --golden '", kGolden,
           "architectures.json' --folder '", folder.path().string(), "' --out '",
           (folder / "said.json").string(), "' 2>&1");
  ASSERT_EQ(std::system(command.c_str()), 0);
  const json said = json::parse(read_file(folder / "said.json"));
  EXPECT_EQ(said.size(), 3 * golden_file().cases.size());
  for (const json& one : said) {
    EXPECT_LE(one.at("difference"), 1e-4) << one;
    EXPECT_EQ(one.at("unexpected"), json::array()) << one;
    for (const std::string name : one.at("missing"))
      EXPECT_NE(name.find("lm_head"), std::string::npos) << one;  // tied
  }
}

}  // namespace
}  // namespace plumb::pruning
