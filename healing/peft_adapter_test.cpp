// Adapters as PEFT writes them, in both directions, for every family.

#include "healing/peft_adapter.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/file.h"
#include "base/testing.h"
#include "fixtures/formats/golden_model.h"
#include "healing/modules.h"
#include "healing/trained_block.h"
#include "models/formats/model_file.h"
#include "models/formats/safetensors.h"
#include "models/layers/rope_table.h"

namespace plumb::healing {
namespace {

using nlohmann::json;
using plumb::testing::error_of;

const std::string kGolden = std::string(PLUMB_SOURCE_DIR) + "/fixtures/golden/";

const fixtures::GoldenArchitectures& models_file() {
  static const fixtures::GoldenArchitectures golden(kGolden + "architectures.json");
  return golden;
}
const json& adapters_file() {
  static const json golden = json::parse(read_file(kGolden + "peft_adapters.json"));
  return golden;
}
const json& model_case(const std::string& name) {
  for (const json& one : models_file().cases)
    if (one.at("name") == name) return one;
  throw std::runtime_error("no case " + name);
}

/// What the tensors of an adapter's file hold, as make_peft_adapters.py fills them.
void write_weights(const std::filesystem::path& folder, const json& tensors,
                   float* replaced = nullptr) {
  std::vector<at::Tensor> values;
  std::vector<models::TensorToWrite> out;
  for (const auto& [name, shape] : tensors.items()) {
    values.push_back(fixtures::golden_weights(name, shape.get<std::vector<int64_t>>()));
    if (replaced != nullptr && out.empty()) values.back().mutable_data_ptr<float>()[3] = *replaced;
    out.push_back({name, models::StoredType::kF32, shape,
                   std::span(static_cast<const std::byte*>(values.back().const_data_ptr()),
                             static_cast<size_t>(values.back().nbytes()))});
  }
  models::write_safetensors(folder / "adapter_model.safetensors", out, {{"format", "pt"}});
}

json plain_config() {
  return {{"peft_type", "LORA"},
          {"r", adapters_file().at("rank")},
          {"lora_alpha", adapters_file().at("alpha")},
          {"target_modules", {"gate_proj"}}};
}

at::Tensor logits_with(const models::Decoder& decoder, const PeftAdapter& adapter) {
  const at::Tensor& tokens = models_file().tokens;
  const models::ModelConfig& c = decoder.config();
  models::RopeTable rope(models::rope_frequencies(c.rotary_width, c.rope_theta, c.rope_scaling));
  const auto positions = models::aten_positions(rope, c, 0, tokens.size(1), at::kCPU);
  at::Tensor x = decoder.embed(tokens);
  for (int64_t i = 0; i < decoder.block_count(); ++i)
    x = TrainedBlock(*decoder.block(i), c, positions, adapter.blocks[static_cast<size_t>(i)],
                     adapter.options.scale())
            .forward(x, nullptr);
  return decoder.logits(x);
}

class PeftAdapterGolden : public ::testing::TestWithParam<size_t> {
 protected:
  const json& golden() const { return adapters_file().at("cases").at(GetParam()); }
  models::Checkpoint checkpoint() {
    fixtures::write_golden_model(folder_ / "model", model_case(golden().at("name")));
    return models::Checkpoint::open(folder_ / "model");
  }
  PeftAdapter adapter(const models::ModelConfig& config) {
    std::filesystem::create_directories(folder_ / "adapter");
    write_weights(folder_ / "adapter", golden().at("tensors"));
    write_file_atomically(folder_ / "adapter" / "adapter_config.json", plain_config().dump());
    return read_peft_adapter(folder_ / "adapter", config);
  }
  plumb::testing::TemporaryFolder folder_;
};

// 1e-4 of the largest logit, the project's bound on parity in fp32.
TEST_P(PeftAdapterGolden, GivesPeftsLogits) {
  const auto decoder = models::Decoder::load(checkpoint(), models::Dtype::kFp32);
  const PeftAdapter read = adapter(decoder.config());
  EXPECT_LE(models_file().difference(logits_with(decoder, read), golden()), 1e-4);
  EXPECT_EQ(read.options.targets.size(), golden().at("target_modules").size());
}

TEST_P(PeftAdapterGolden, IsWrittenUnderPeftsNamesAndReadBackBitForBit) {
  const models::ModelConfig config = checkpoint().config();
  const PeftAdapter before = adapter(config);
  std::filesystem::create_directories(folder_ / "again");
  write_peft_adapter(folder_ / "again", before, config, "tiny");
  const models::ModelFile file(folder_ / "again" / "adapter_model.safetensors");
  json names = json::object();
  for (const auto& entry : models::parse_safetensors(file).tensors) names[entry.name] = entry.shape;
  EXPECT_EQ(names, golden().at("tensors"));
  json endings =
      json::parse(read_file(folder_ / "again" / "adapter_config.json")).at("target_modules");
  std::sort(endings.begin(), endings.end());
  EXPECT_EQ(endings, golden().at("target_modules"));
  const PeftAdapter after = read_peft_adapter(folder_ / "again", config);
  EXPECT_EQ(after.options.scale(), before.options.scale());
  for (size_t i = 0; i < before.blocks.size(); ++i)
    for (const Target target : before.options.targets) {
      EXPECT_TRUE(after.blocks[i].of(target).a.equal(before.blocks[i].of(target).a));
      EXPECT_TRUE(after.blocks[i].of(target).b.equal(before.blocks[i].of(target).b));
    }
}

std::string name_of_case(const ::testing::TestParamInfo<size_t>& test) {
  return adapters_file().at("cases").at(test.param).at("name").get<std::string>();
}
INSTANTIATE_TEST_SUITE_P(Families, PeftAdapterGolden,
                         ::testing::Range(size_t{0}, adapters_file().at("cases").size()),
                         name_of_case);

class PeftFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    fixtures::write_golden_model(folder_ / "model", model_case("llama"));
    config_ = models::Checkpoint::open(folder_ / "model").config();
    std::filesystem::copy(kGolden + "peft_adapter", folder_ / "adapter");
  }
  std::string refusal() const {
    const Error error = error_of([&] { read_peft_adapter(folder_ / "adapter", config_); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  void expect_refused(const std::string& why) const {
    const std::string said = refusal();
    EXPECT_NE(said.find(why), std::string::npos) << said;
  }
  void set(const std::string& key, const json& value) const {
    json config = json::parse(read_file(kGolden + "peft_adapter/adapter_config.json"));
    config[key] = value;
    write_file_atomically(folder_ / "adapter" / "adapter_config.json", config.dump());
  }
  json tensors() const { return adapters_file().at("cases").at(0).at("tensors"); }

  plumb::testing::TemporaryFolder folder_;
  models::ModelConfig config_;
};

TEST_F(PeftFolder, IsReadAsPeftWroteIt) {
  const PeftAdapter read = read_peft_adapter(folder_ / "adapter", config_);
  EXPECT_EQ(read.options.rank, 4);
  EXPECT_EQ(read.options.alpha, 6);
  EXPECT_EQ(read.options.dropout, 0.05);
  const auto decoder =
      models::Decoder::load(models::Checkpoint::open(folder_ / "model"), models::Dtype::kFp32);
  EXPECT_LE(models_file().difference(logits_with(decoder, read), adapters_file().at("cases").at(0)),
            1e-4);
}

TEST_F(PeftFolder, ScalesByTheRootOfTheRankWhereItSaysSo) {
  set("use_rslora", true);
  EXPECT_DOUBLE_EQ(read_peft_adapter(folder_ / "adapter", config_).options.scale(), 6 / 2.0);
}

TEST_F(PeftFolder, IsRefusedWhereItIsNoPlainLora) {
  const std::vector<std::pair<const char*, json>> wrong = {{"peft_type", "LOHA"},
                                                           {"use_dora", true},
                                                           {"fan_in_fan_out", true},
                                                           {"bias", "all"},
                                                           {"lora_bias", true},
                                                           {"modules_to_save", {"lm_head"}},
                                                           {"rank_pattern", {{"q_proj", 8}}},
                                                           {"init_lora_weights", "pissa"},
                                                           {"r", 0},
                                                           {"r", 2.5},
                                                           {"r", nullptr},
                                                           {"lora_alpha", "6"}};
  for (const auto& [key, value] : wrong) {
    SCOPED_TRACE(key);
    set(key, value);
    expect_refused(text("'", key, "'"));
    expect_refused("adapter_config.json");
  }
}

TEST_F(PeftFolder, IsRefusedForTensorsThatDoNotFit) {
  set("r", 8);
  expect_refused("for rank 8");
  set("r", 4);
  json some = tensors();
  some.erase("base_model.model.model.layers.3.mlp.up_proj.lora_B.weight");
  write_weights(folder_ / "adapter", some);
  expect_refused("layers.3.mlp.up_proj.lora_B.weight' is not there");
  some = tensors();
  some["base_model.model.model.layers.5.mlp.up_proj.lora_B.weight"] = {44, 4};
  write_weights(folder_ / "adapter", some);
  expect_refused("layers.5.mlp.up_proj.lora_B.weight");
  write_weights(folder_ / "adapter", json::object());
  expect_refused("there is no tensor in it");
  float bad = std::numeric_limits<float>::quiet_NaN();
  write_weights(folder_ / "adapter", tensors(), &bad);
  expect_refused(tensors().begin().key());
  std::filesystem::remove(folder_ / "adapter" / "adapter_model.safetensors");
  expect_refused("adapter_model.safetensors");
}

TEST(Modules, HaveTheShortestNamesThatMeanOneModule) {
  models::ModelConfig config;
  config.architecture = "qwen";
  EXPECT_EQ(module_ending(config, Target::kDown), "mlp.c_proj");
  EXPECT_EQ(module_ending(config, Target::kAttentionOut), "attn.c_proj");
  EXPECT_EQ(module_ending(config, Target::kQueryKeyValue), "c_attn");
  EXPECT_EQ(module_path(config, Target::kUp, 7), "transformer.h.7.mlp.w1");
  EXPECT_EQ(error_of([&] { module_path(config, Target::kKey, 0); }).kind(), ErrorKind::kUsage);
}

TEST(Modules, AreParsedFromNames) {
  models::ModelConfig config;
  config.architecture = "llama";
  EXPECT_EQ(parse_targets("down,query", config), (std::vector{Target::kQuery, Target::kDown}));
  EXPECT_EQ(parse_targets("all", config).size(), 7u);
  EXPECT_EQ(default_targets(config), (std::vector{Target::kGate, Target::kUp, Target::kDown}));
  for (const char* wrong : {"", "down,", "q_proj", "down,down", "query_key_value"})
    EXPECT_EQ(error_of([&] { parse_targets(wrong, config); }).kind(), ErrorKind::kUsage) << wrong;
}

// The other direction: PEFT over transformers reads what Plumb wrote.
TEST(PeftAdapterPeer, IsLoadedByPeftWithTheSameLogits) {
  const auto python = plumb::testing::peer_python("torch, transformers, peft");
  if (!python.missing.empty()) GTEST_SKIP() << python.missing;
  const plumb::testing::TemporaryFolder folder;
  for (const json& one : adapters_file().at("cases")) {
    const auto name = one.at("name").get<std::string>();
    const auto at = folder / name;
    fixtures::write_golden_model(at / "model", model_case(name));
    const models::ModelConfig config = models::Checkpoint::open(at / "model").config();
    std::filesystem::create_directories(at / "plain");
    std::filesystem::create_directories(at / "adapter");
    write_weights(at / "plain", one.at("tensors"));
    write_file_atomically(at / "plain" / "adapter_config.json", plain_config().dump());
    write_peft_adapter(at / "adapter", read_peft_adapter(at / "plain", config), config, "model");
  }
  const std::string command =
      text("'", python.path, "' '", kGolden, "load_peft_adapters.py' --golden '", kGolden,
           "' --folder '", folder.path().string(), "' --out '", (folder / "said.json").string(),
           "' 2>&1");
  ASSERT_EQ(std::system(command.c_str()), 0);
  const json said = json::parse(read_file(folder / "said.json"));
  EXPECT_EQ(said.size(), adapters_file().at("cases").size());
  for (const auto& [name, difference] : said.items()) EXPECT_LE(difference, 1e-4) << name;
}

}  // namespace
}  // namespace plumb::healing
