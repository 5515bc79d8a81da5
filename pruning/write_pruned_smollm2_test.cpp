// A checkpoint written from the real model, against transformers: its committed logits, and the
// package itself.

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/testing.h"
#include "models/tokenizer/tokenizer.h"
#include "pruning/apply.h"

namespace plumb::pruning {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string kGolden = std::string(PLUMB_SOURCE_DIR) + "/fixtures/golden/";
using Rows = std::vector<std::vector<double>>;

class WritePrunedSmolLm2 : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* model = std::getenv("PLUMB_TEST_MODEL");
    if (model == nullptr || *model == '\0')
      GTEST_SKIP() << "PLUMB_TEST_MODEL names no SmolLM2-135M-Instruct GGUF";
    model_ = model;
    golden_ = json::parse(read_file(kGolden + "smollm2_own_text.json"));
  }

  /// The plan whose logits are committed: 7 blocks from the 12th on.
  void write(uint64_t shard_bytes) {
    const int64_t first = probe().at("first"), n = probe().at("n");
    PruningPlan plan{golden_.at("block_count"), {}, "explicit", "that of the golden file"};
    for (int64_t block = first; block < first + n; ++block) plan.removed.push_back(block);
    const auto checkpoint = models::Checkpoint::open(model_);
    ASSERT_EQ(checkpoint.sha256(), golden_.at("model").at("sha256"));
    EXPECT_EQ(write_pruned(checkpoint, model_, plan, out(), false, shard_bytes), 0.0);
  }

  /// Rows of token ids, all as long: by the tokenizer that was written.
  std::vector<std::vector<int32_t>> tokens() const {
    const auto tokenizer = models::Tokenizer::open(out());
    const size_t length = golden_.at("documents").at("max_tokens");
    std::vector<std::vector<int32_t>> rows;
    for (const std::string& text : texts()) {
      rows.push_back(tokenizer.encode(text));
      EXPECT_GE(rows.back().size(), length);
      rows.back().resize(length);
      if (rows.size() == probe().at("logits").size()) break;
    }
    return rows;
  }

  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    std::istringstream lines(read_file(kGolden + "own_text.jsonl"));
    for (std::string line; std::getline(lines, line);) all.push_back(json::parse(line).at("text"));
    return all;
  }

  /// Our logits of each row's last position.
  Rows logits(const std::vector<std::vector<int32_t>>& tokens) const {
    const auto decoder =
        models::Decoder::load(models::Checkpoint::open(out()), models::Dtype::kFp32);
    Rows rows;
    for (const auto& ids : tokens) {
      at::Tensor x = decoder.embed(
          at::tensor(std::vector<int64_t>(ids.begin(), ids.end()), at::kLong).view({1, -1}));
      for (int64_t i = 0; i < decoder.block_count(); ++i) decoder.run_block_in_place(i, x);
      const at::Tensor last = decoder.logits(x.select(1, x.size(1) - 1)).contiguous();
      const float* values = last.const_data_ptr<float>();
      rows.emplace_back(values, values + last.numel());
    }
    return rows;
  }

  const json& probe() const { return golden_.at("probe"); }
  fs::path out() const { return folder_ / "pruned"; }

  plumb::testing::TemporaryFolder folder_;
  fs::path model_;
  json golden_;
};

// The project's bound on fp32 parity: 1e-4 of the largest logit of the row.
constexpr double kTolerance = 1e-4;

void expect_probe(const json& probe, const Rows& logits) {
  const std::vector<size_t> ids = probe.at("ids");
  const Rows expected = probe.at("logits");
  ASSERT_EQ(logits.size(), expected.size());
  for (size_t row = 0; row < expected.size(); ++row) {
    const double bound = kTolerance * probe.at("largest").at(row).get<double>();
    for (size_t i = 0; i < ids.size(); ++i)
      ASSERT_NEAR(logits[row].at(ids[i]), expected[row][i], bound) << row << ", " << ids[i];
  }
}

TEST_F(WritePrunedSmolLm2, GivesTheLogitsThatTransformersGaveForTheseBlocks) {
  write(uint64_t{5} << 30);
  expect_probe(probe(), logits(tokens()));
}

TEST_F(WritePrunedSmolLm2, IsLoadedByTransformersToTheSameLogitsAndTokens) {
  const auto python = plumb::testing::peer_python("torch, transformers");
  if (!python.missing.empty()) GTEST_SKIP() << python.missing;
  write(uint64_t{100} << 20);  // shards, which the other test has not
  const auto rows = tokens();
  write_file_atomically(folder_ / "tokens.json", json(rows).dump());
  const std::string command =
      text("'", python.path, "' '", kGolden, "load_pruned_checkpoint.py' --folder '",
           out().string(), "' --tokens '", (folder_ / "tokens.json").string(), "' --text '",
           kGolden, "own_text.jsonl' --out '", (folder_ / "said.json").string(), "' 2>&1");
  ASSERT_EQ(std::system(command.c_str()), 0);
  const json said = json::parse(read_file(folder_ / "said.json"));
  EXPECT_EQ(said.at("blocks"), golden_.at("block_count").get<int64_t>() - 7);
  EXPECT_EQ(said.at("missing"), json::array());
  EXPECT_EQ(said.at("unexpected"), json::array());
  const auto tokenizer = models::Tokenizer::open(model_);
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& text : texts()) ids.push_back(tokenizer.encode(text));
  EXPECT_EQ(said.at("ids"), ids);
  EXPECT_EQ(said.at("auto_ids"), ids);
  const Rows theirs = said.at("logits"), ours = logits(rows);
  expect_probe(probe(), theirs);
  ASSERT_EQ(theirs.size(), ours.size());
  for (size_t row = 0; row < ours.size(); ++row) {
    ASSERT_EQ(theirs[row].size(), ours[row].size());
    double largest = 0, difference = 0;
    for (size_t id = 0; id < ours[row].size(); ++id) {
      largest = std::max(largest, std::abs(theirs[row][id]));
      difference = std::max(difference, std::abs(theirs[row][id] - ours[row][id]));
    }
    EXPECT_LE(difference, kTolerance * largest) << "row " << row;
    RecordProperty(text("relative_difference_", row), text(difference / largest));
  }
}

}  // namespace
}  // namespace plumb::pruning
