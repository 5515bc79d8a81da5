// The real model against transformers: distances, choices and losses of fixtures/golden/smollm2_*.json, and the script
// that makes them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/hash.h"
#include "base/testing.h"
#include "metrics/similarity/profile.h"
#include "models/tokenizer/tokenizer.h"
#include "pruning/strategy.h"
#include "pruning/sweep/sweep.h"
#include "pruning/sweep/trie.h"

namespace plumb::pruning {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The project's bounds on fp32 parity.
constexpr double kLossTolerance = 1e-4;  // relative
constexpr double kDistanceTolerance = 1e-5;
constexpr int64_t kDocumentsPerStep = 4;

const fs::path kGolden = fs::path(PLUMB_SOURCE_DIR) / "fixtures/golden";

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? nullptr : value;
}

json golden_of(const std::string& name) { return json::parse(read_file(kGolden / name)); }

/// A golden file, the documents that it was made from, and what is computed once for all tests of them.
struct Reference {
  json golden;
  models::Decoder decoder;
  models::TokenBatch batch;
  metrics::Profile profile;
};

Reference make_reference(const std::string& name, const fs::path& documents,
                         const fs::path& model) {
  json golden = golden_of(name);
  const auto checkpoint = models::Checkpoint::open(model);
  if (checkpoint.sha256() != golden.at("model").at("sha256"))
    throw std::runtime_error("PLUMB_TEST_MODEL is not the model of the golden file");
  auto decoder = models::Decoder::load(checkpoint, models::Dtype::kFp32);
  const auto& wanted = golden.at("documents");
  auto batch = models::select_documents(InputFile(documents), models::Tokenizer::open(model),
                                        wanted.at("max_tokens"), wanted.at("lines").size());
  auto profile = metrics::profile(decoder, batch, kDocumentsPerStep);
  return {std::move(golden), std::move(decoder), std::move(batch), std::move(profile)};
}

/// The documents that a golden file names: our own text beside it, or C4 where it is at hand.
class SmolLm2Parity : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const char* model = variable("PLUMB_TEST_MODEL");
    if (model == nullptr) GTEST_SKIP() << "PLUMB_TEST_MODEL names no SmolLM2-135M-Instruct GGUF";
    fs::path documents = kGolden / "own_text.jsonl";
    if (GetParam() == "smollm2_c4.json") {
      const char* data = variable("PLUMB_TEST_DATA");
      if (data == nullptr)
        GTEST_SKIP() << "PLUMB_TEST_DATA names no folder with c4/c4_en_validation.jsonl";
      documents = fs::path(data) / "c4/c4_en_validation.jsonl";
    }
    const auto known = references_.find(GetParam());
    reference_ =
        known != references_.end()
            ? &known->second
            : &references_.emplace(GetParam(), make_reference(GetParam(), documents, model))
                   .first->second;
  }
  static void TearDownTestSuite() { references_.clear(); }

  const json& golden() const { return reference_->golden; }
  const Reference& reference() const { return *reference_; }

  StrategyInputs inputs() const {
    return {.block_count = golden().at("block_count"),
            .profile = &reference_->profile,
            .seed = 0,
            .explicit_blocks = {}};
  }

  /// Our plans for the golden file's, in its order.
  std::vector<PruningPlan> plans() const {
    std::vector<PruningPlan> all;
    for (const json& row : golden().at("plans")) {
      StrategyInputs in = inputs();
      std::string strategy = row.at("strategy");
      if (strategy == "none") strategy = "simple";
      if (strategy == "explicit")
        in.explicit_blocks = row.at("removed").get<std::vector<int64_t>>();
      all.push_back(make_plan(strategy, static_cast<int64_t>(row.at("removed").size()), in));
    }
    return all;
  }

  /// KL from the whole model within what the losses may differ by, as it is a difference of two mean log-probabilities; the
  /// likeliest token at all positions but those where two are equally likely to fp32, at most 1 in 1,000.
  void expect_distributions(const SweepLosses& found) const {
    double largest = 0, other_top = 0, positions = 0;
    for (size_t i = 0; i < found.loss_nats.size(); ++i) {
      const json& row = golden().at("plans")[i];
      if (!row.contains("divergence_nats")) return;  // of C4 there are losses alone
      for (size_t d = 0; d < found.loss_nats[i].size(); ++d) {
        const double theirs = row.at("divergence_nats")[d];
        const double difference = std::abs(found.divergence_nats->mean[i][d] - theirs);
        largest = std::max(largest, difference / (row.at("loss_nats")[d].get<double>() + theirs));
        other_top += std::abs(found.same_top->mean[i][d] - row.at("same_top1")[d].get<double>());
        positions += 1;
      }
    }
    EXPECT_LE(largest, 2 * kLossTolerance);
    EXPECT_LE(other_top / positions, 1e-3);
    RecordProperty("largest_relative_difference_of_divergence", text(largest));
    RecordProperty("share_of_positions_with_another_top", text(other_top / positions));
  }

  /// The losses of the first documents.
  void expect_losses(size_t documents) const {
    const auto ours = plans();
    std::map<std::string, int> of_strategy;
    for (size_t i = 0; i < ours.size(); ++i) {
      const json& row = golden().at("plans")[i];
      EXPECT_EQ(ours[i].removed, row.at("removed").get<std::vector<int64_t>>())
          << row.at("strategy");
      ++of_strategy[row.at("strategy")];
    }
    for (const std::string& strategy : strategy_names()) {
      if (strategy == "deepest")
        continue;  // its blocks are a range, as simple's; the golden files were made without it
      EXPECT_EQ(of_strategy[strategy], 5) << strategy;
    }

    models::TokenBatch batch = reference().batch;
    batch.documents.resize(std::min(batch.documents.size(), documents));
    batch.tokens.resize(batch.documents.size() * static_cast<size_t>(batch.token_count));
    SweepOptions options;
    options.documents_per_step = kDocumentsPerStep;
    const SweepLosses losses = sweep(reference().decoder, batch, ours, options);
    double largest = 0;
    for (size_t i = 0; i < ours.size(); ++i) {
      const std::vector<double> theirs = golden().at("plans")[i].at("loss_nats");
      ASSERT_EQ(theirs.size(), reference().batch.documents.size());
      ASSERT_EQ(losses.loss_nats[i].size(), batch.documents.size());
      for (size_t d = 0; d < batch.documents.size(); ++d)
        largest = std::max(largest, std::abs(losses.loss_nats[i][d] - theirs[d]) / theirs[d]);
    }
    EXPECT_LE(largest, kLossTolerance);
    RecordProperty("largest_relative_difference_of_loss", text(largest));
    expect_distributions(losses);
  }

 private:
  static std::map<std::string, Reference> references_;  // by golden file: seconds each
  const Reference* reference_ = nullptr;
};
std::map<std::string, Reference> SmolLm2Parity::references_;

TEST_P(SmolLm2Parity, DistancesAndChoicesAreThoseOfTransformers) {
  const auto& batch = reference().batch;
  EXPECT_EQ(batch.documents, golden().at("documents").at("lines").get<std::vector<int64_t>>());
  EXPECT_EQ(sha256_hex(std::as_bytes(std::span(batch.tokens))),
            golden().at("documents").at("tokens_sha256"));

  const metrics::Profile& profile = reference().profile;
  const int64_t blocks = golden().at("block_count");
  double largest = 0;
  for (int64_t n = 1; n <= blocks; ++n) {
    const auto row = static_cast<size_t>(n - 1);
    for (int64_t l = 0; l + n <= blocks; ++l)
      largest =
          std::max(largest, std::abs(profile.before_norm.mean(n, l) -
                                     golden().at("distances_before_norm")[row][l].get<double>()));
    double after = 0;
    for (const double value : profile.after_norm[row]) after += value;
    after /= static_cast<double>(batch.size());
    largest =
        std::max(largest, std::abs(after - golden().at("distances_after_norm")[row].get<double>()));
  }
  EXPECT_LE(largest, kDistanceTolerance);
  RecordProperty("largest_difference_of_distance", text(largest));

  for (const json& best : golden().at("best_start"))
    EXPECT_EQ(profile.before_norm.best_start(best.at("n")), best.at("first"))
        << "n = " << best.at("n");
  const std::vector<double> influence = golden().at("block_influence");
  ASSERT_EQ(profile.block_influence.size(), influence.size());
  for (size_t block = 0; block < influence.size(); ++block)
    EXPECT_NEAR(profile.block_influence[block], influence[block], kDistanceTolerance)
        << "block " << block;
}

// Each document's losses are its own, so that the first ones are held to theirs.
TEST_P(SmolLm2Parity, LossesOfFivePlansOfEveryStrategyAreThoseOfTransformers) { expect_losses(8); }

// All of them.
class SmolLm2ParityLong : public SmolLm2Parity {};
TEST_P(SmolLm2ParityLong, LossesOfFivePlansOfEveryStrategyAreThoseOfTransformers) {
  expect_losses(std::numeric_limits<size_t>::max());
}
INSTANTIATE_TEST_SUITE_P(Documents, SmolLm2ParityLong, ::testing::Values("smollm2_c4.json"),
                         [](const auto&) { return "c4"; });

INSTANTIATE_TEST_SUITE_P(Documents, SmolLm2Parity,
                         ::testing::Values("smollm2_own_text.json", "smollm2_c4.json"),
                         [](const auto& tested) {
                           return tested.param == "smollm2_c4.json" ? "c4" : "own_text";
                         });

class SmolLm2Walk : public ::testing::TestWithParam<models::Dtype> {};

// On real weights, whose products take every kernel's path for these shapes.
TEST_P(SmolLm2Walk, GivesTheBitsOfEveryPlanAlone) {
  const char* model = variable("PLUMB_TEST_MODEL");
  if (model == nullptr) GTEST_SKIP() << "PLUMB_TEST_MODEL names no SmolLM2-135M-Instruct GGUF";
  const auto decoder = models::Decoder::load(models::Checkpoint::open(model), GetParam());
  const auto batch = models::select_documents(InputFile(kGolden / "own_text.jsonl"),
                                              models::Tokenizer::open(model), 64, 6);
  std::vector<PruningPlan> plans;
  const json golden = golden_of("smollm2_own_text.json");
  for (const json& row : golden.at("plans"))
    plans.push_back({decoder.block_count(), row.at("removed"), row.at("strategy"), "golden"});
  for (const int64_t positions : {int64_t{0}, int64_t{16}}) {
    SweepOptions options;
    options.documents_per_step = kDocumentsPerStep;  // the second step has two documents
    options.positions = positions;
    const SweepLosses together = sweep(decoder, batch, plans, options);
    EXPECT_LT(together.block_evaluations, together.block_evaluations_alone);
    // All of them by every position, every third by a sample.
    for (size_t i = 0; i < plans.size(); i += positions == 0 ? 1 : 3) {
      const SweepLosses alone = sweep(decoder, batch, std::span(&plans[i], 1), options);
      EXPECT_EQ(together.loss_nats[i], alone.loss_nats[0])
          << plans[i].strategy << " " << plans[i].removed_text();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, SmolLm2Walk,
                         ::testing::Values(models::Dtype::kFp32, models::Dtype::kBf16),
                         [](const auto& tested) {
                           return tested.param == models::Dtype::kFp32 ? "fp32" : "bf16";
                         });

// What the depth trie saves on the published plans of this model: needs the golden file alone.
TEST(SweepGolden, FiftySevenPlansShareTwoThirdsOfTheirBlocks) {
  const json golden = golden_of("smollm2_c4.json");
  const int64_t blocks = golden.at("block_count");
  std::vector<PruningPlan> plans;
  std::set<std::vector<int64_t>> prefixes;
  const auto add = [&](int64_t first, int64_t n, const std::string& strategy) {
    PruningPlan plan{blocks, {}, strategy, "golden"};
    for (int64_t block = first; block < first + n; ++block) plan.removed.push_back(block);
    std::vector<int64_t> kept = plan.kept();
    for (; !kept.empty(); kept.pop_back()) prefixes.insert(kept);
    plans.push_back(std::move(plan));
  };
  add(0, 0, "simple");
  for (int64_t n = 1; n <= 28; ++n) {
    add(golden.at("best_start")[static_cast<size_t>(n - 1)].at("first"), n, "similarity");
    add(blocks - 1 - n, n, "simple");
  }
  ASSERT_EQ(plans.size(), 57U);
  EXPECT_EQ(block_evaluations_alone(plans), 898);
  const DepthTrie trie = make_trie(plans);
  EXPECT_EQ(trie.block_evaluations(), static_cast<int64_t>(prefixes.size()));
  EXPECT_LE(trie.block_evaluations(), 325);
  RecordProperty("block_evaluations", text(trie.block_evaluations()));
}

// The committed numbers are what the peer says today: the script runs again where its packages are.
TEST(SmolLm2GoldenScript, MakesTheCommittedNumbers) {
  const char* model = variable("PLUMB_TEST_MODEL");
  if (model == nullptr) GTEST_SKIP() << "PLUMB_TEST_MODEL names no SmolLM2-135M-Instruct GGUF";
  const auto python = plumb::testing::peer_python("torch, transformers, gguf");
  if (!python.missing.empty()) GTEST_SKIP() << python.missing;
  const plumb::testing::TemporaryFolder folder;
  const std::string command =
      text("'", python.path, "' '", (kGolden / "make_smollm2_reference.py").string(), "' --model '",
           model, "' --documents '", (kGolden / "own_text.jsonl").string(),
           "' --max-tokens 64 --limit 8 --out '", (folder / "made.json").string(), "' >'",
           (folder / "log").string(), "' 2>&1");
  ASSERT_EQ(std::system(command.c_str()), 0) << read_file(folder / "log");
  const json made = json::parse(read_file(folder / "made.json"));
  const json committed = golden_of("smollm2_own_text.json");
  for (const char* key : {"model", "documents", "block_count"})
    EXPECT_EQ(made.at(key), committed.at(key)) << key;
  ASSERT_EQ(made.at("plans").size(), committed.at("plans").size());
  // Another processor's kernels sum in another order: a tenth of what we allow ourselves.
  for (size_t i = 0; i < made.at("plans").size(); ++i) {
    const json &a = made.at("plans")[i], &b = committed.at("plans")[i];
    EXPECT_EQ(a.at("removed"), b.at("removed")) << a.at("strategy");
    for (size_t d = 0; d < b.at("loss_nats").size(); ++d) {
      const double loss = b.at("loss_nats")[d];
      EXPECT_NEAR(a.at("loss_nats")[d].get<double>(), loss, 0.1 * kLossTolerance * loss);
    }
  }
  for (size_t n = 1; n <= made.at("distances_before_norm").size(); ++n)
    for (size_t l = 0; l < made.at("distances_before_norm")[n - 1].size(); ++l)
      EXPECT_NEAR(made.at("distances_before_norm")[n - 1][l].get<double>(),
                  committed.at("distances_before_norm")[n - 1][l].get<double>(),
                  0.1 * kDistanceTolerance);
}

}  // namespace
}  // namespace plumb::pruning
