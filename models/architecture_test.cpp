// Every family against transformers, on small decoders whose weights come from their names.

#include "models/architecture.h"

#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include "base/testing.h"
#include "fixtures/formats/golden_model.h"
#include "models/decoder.h"

namespace plumb::models {
namespace {

using fixtures::golden_kept;
using fixtures::logits_of;
using nlohmann::json;

// The project's bound on fp32 parity: 1e-4 of the largest logit.
constexpr double kTolerance = 1e-4;

const fixtures::GoldenArchitectures& golden_file() {
  static const fixtures::GoldenArchitectures golden(std::string(PLUMB_SOURCE_DIR) +
                                                    "/fixtures/golden/architectures.json");
  return golden;
}

class GoldenArchitecture : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override { fixtures::write_golden_model(folder_ / "model", golden()); }
  const json& golden() const { return golden_file().cases.at(GetParam()); }
  Checkpoint checkpoint() const { return Checkpoint::open(folder_ / "model"); }

  testing::TemporaryFolder folder_;
};

TEST_P(GoldenArchitecture, GivesTheLogitsOfTransformersWholeAndPruned) {
  const Decoder decoder = Decoder::load(checkpoint(), Dtype::kFp32);
  for (const json& plan : golden().at("plans")) {
    const Decoder pruned = decoder.with_blocks(golden_kept(plan, decoder.block_count()));
    const double difference =
        golden_file().difference(logits_of(pruned, golden_file().tokens), plan);
    EXPECT_LE(difference, kTolerance) << plan.at("removed");
    RecordProperty(text("relative_difference_", plan.at("removed").size()), text(difference));
  }
}

TEST_P(GoldenArchitecture, GivesTheSameThroughTheCacheOfKeysAndValues) {
  const Decoder decoder = Decoder::load(checkpoint(), Dtype::kFp32);
  const at::Tensor tokens = golden_file().tokens;
  const int64_t T = tokens.size(1);
  KvCache cache = decoder.make_cache(tokens.size(0), T);
  std::vector<at::Tensor> states{decoder.forward_cached(tokens.narrow(1, 0, T / 2), cache)};
  for (int64_t t = T / 2; t < T; ++t)
    states.push_back(decoder.forward_cached(tokens.narrow(1, t, 1), cache));
  EXPECT_LE(
      golden_file().difference(decoder.logits(at::cat(states, 1)), golden().at("plans").at(0)),
      kTolerance);
}

// bf16 keeps 8 bits of each operand; 5 blocks of about 8 roundings each, as in panels_test.cpp.
TEST_P(GoldenArchitecture, GivesNearlyTheSameInBf16) {
  const Decoder decoder = Decoder::load(checkpoint(), Dtype::kBf16);
  EXPECT_LE(golden_file().difference(logits_of(decoder, golden_file().tokens),
                                     golden().at("plans").at(0)),
            5 * 8 * 0x1p-9);
}

std::vector<size_t> case_numbers() {
  std::vector<size_t> numbers(golden_file().cases.size());
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  return numbers;
}
std::string name_of_case(const ::testing::TestParamInfo<size_t>& test) {
  return golden_file().cases.at(test.param).at("name").get<std::string>();
}
INSTANTIATE_TEST_SUITE_P(Families, GoldenArchitecture, ::testing::ValuesIn(case_numbers()),
                         name_of_case);

TEST(Architectures, AreAllInTheGoldenFile) {
  for (const Architecture& a : architectures()) {
    const auto& cases = golden_file().cases;
    EXPECT_TRUE(std::any_of(cases.begin(), cases.end(), [&](const json& c) {
      return c.at("config").at("model_type") == a.hugging_face_type;
    })) << a.name;
  }
}

TEST(Architectures, RefuseAnUnknownOneWithTheListOfTheKnown) {
  const Error error = testing::error_of([] { architecture_by_class("RwkvForCausalLM"); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  for (const Architecture& a : architectures())
    EXPECT_NE(std::string(error.what()).find(a.hugging_face_class), std::string::npos);
}

}  // namespace
}  // namespace plumb::models
