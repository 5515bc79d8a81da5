// The families that llama.cpp writes, in its names and its layout, against transformers' logits.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/testing.h"
#include "fixtures/formats/gguf_file.h"
#include "fixtures/formats/golden_model.h"
#include "fixtures/formats/safetensors_file.h"
#include "models/decoder.h"
#include "models/layers/rope_table.h"

namespace plumb::models {
namespace {

using fixtures::GgufFile;
using fixtures::golden_weights;
using nlohmann::json;

const fixtures::GoldenArchitectures& golden_file() {
  static const fixtures::GoldenArchitectures golden(std::string(PLUMB_SOURCE_DIR) +
                                                    "/fixtures/golden/architectures.json");
  return golden;
}

const json& golden_case(const std::string& name) {
  for (const json& one : golden_file().cases)
    if (one.at("name") == name) return one;
  throw std::out_of_range(name);
}

/// A golden model as llama.cpp's converter lays it out.
class Conversion {
 public:
  Conversion(const json& golden, const ModelConfig& config, bool fuse = false)
      : golden_(golden), config_(config), architecture_(architecture_by_name(config.architecture)) {
    metadata();
    for (const TensorName& row : architecture_.tensors) {
      const bool fused = row.role == Role::kQueryKeyValue || row.role == Role::kQueryKeyValueBias;
      if (row.gguf.empty() || !has_role(row.role, config)) continue;
      if (fused ? !fuse : fuse && is_part(row.role)) continue;
      for (int64_t block = 0; block < (per_block(row.role) ? config.block_count : 1); ++block)
        put(tensor_name(row.gguf, block), fused ? joined(row.role, block) : converted(row, block));
    }
  }

  GgufFile file;

  void put(const std::string& name, const at::Tensor& values) {
    const at::Tensor flat = values.contiguous();
    file.tensors.push_back(
        {name,
         {flat.sizes().rbegin(), flat.sizes().rend()},
         fixtures::gguf_type(StoredType::kF32),
         std::string(static_cast<const char*>(flat.const_data_ptr()), flat.nbytes())});
  }

 private:
  static bool is_part(Role role) {
    return role == Role::kQuery || role == Role::kKey || role == Role::kValue ||
           role == Role::kQueryBias || role == Role::kKeyBias || role == Role::kValueBias;
  }

  at::Tensor stored(std::string_view pattern, int64_t block) const {
    const std::string name = tensor_name(pattern, block);
    return golden_weights(name, golden_.at("tensors").at(name).get<std::vector<int64_t>>());
  }

  at::Tensor of(Role role, int64_t block) const {
    for (const TensorName& row : architecture_.tensors)
      if (row.role == role) return stored(row.hugging_face, block);
    throw std::out_of_range("role");
  }

  at::Tensor joined(Role role, int64_t block) const {
    if (role == Role::kQueryKeyValue)
      return at::cat({of(Role::kQuery, block), of(Role::kKey, block), of(Role::kValue, block)});
    return at::cat(
        {of(Role::kQueryBias, block), of(Role::kKeyBias, block), of(Role::kValueBias, block)});
  }

  at::Tensor converted(const TensorName& row, int64_t block) const {
    at::Tensor values = stored(row.hugging_face, block);
    // Halves of a head become pairs, as llama.cpp rotates Llama.
    if (architecture_.gguf_permutes_query_key &&
        (row.role == Role::kQuery || row.role == Role::kKey))
      return values.view({-1, 2, config_.head_width / 2, values.size(1)})
          .transpose(1, 2)
          .reshape(values.sizes());
    if (config_.options.gain_minus_one && values.dim() == 1) return values + 1;
    return values;
  }

  void metadata() {
    const auto add = [&](const std::string& key, fixtures::GgufField field) {
      file.metadata.emplace_back(
          key.starts_with('.') ? std::string(architecture_.gguf_name) + key : key,
          std::move(field));
    };
    const auto count = [](int64_t n) { return fixtures::gguf_u32(static_cast<uint32_t>(n)); };
    const auto real = [](double v) { return fixtures::gguf_f32(static_cast<float>(v)); };
    const bool layer = config_.options.norm == Norm::kLayer;
    add("general.architecture", fixtures::gguf_text(architecture_.gguf_name));
    add(".block_count", count(config_.block_count));
    add(".embedding_length", count(config_.width));
    add(".feed_forward_length", count(config_.feed_forward_width));
    add(".context_length", count(config_.max_positions));
    add(".attention.head_count", count(config_.head_count));
    add(".attention.head_count_kv", count(config_.kv_head_count));
    add(".attention.key_length", count(config_.head_width));
    add(".attention.value_length", count(config_.head_width));
    add(".rope.dimension_count", count(config_.rotary_width));
    add(".rope.freq_base", real(config_.rope_theta));
    add(layer ? ".attention.layer_norm_epsilon" : ".attention.layer_norm_rms_epsilon",
        real(config_.norm_epsilon));
  }

  const json& golden_;
  const ModelConfig& config_;
  const Architecture& architecture_;
};

class GgufFamily : public ::testing::TestWithParam<std::string> {
 protected:
  ModelConfig config() {
    fixtures::write_golden_model(folder_ / "folder", golden_case(GetParam()));
    return Checkpoint::open(folder_ / "folder").config();
  }
  Checkpoint open(const GgufFile& file) {
    fixtures::put(folder_ / "model.gguf", file.bytes());
    return Checkpoint::open(folder_ / "model.gguf");
  }

  testing::TemporaryFolder folder_;
};

void expect_golden(const Checkpoint& checkpoint, const json& golden) {
  const Decoder decoder = Decoder::load(checkpoint, Dtype::kFp32);
  for (const json& plan : golden.at("plans")) {
    const auto kept = fixtures::golden_kept(plan, decoder.block_count());
    EXPECT_LE(golden_file().difference(
                  fixtures::logits_of(decoder.with_blocks(kept), golden_file().tokens), plan),
              1e-4);
  }
}

TEST_P(GgufFamily, GivesTheLogitsOfTransformers) {
  const ModelConfig said = config();
  const Conversion conversion(golden_case(GetParam()), said);
  const Checkpoint checkpoint = open(conversion.file);
  EXPECT_EQ(checkpoint.config().options, said.options);
  expect_golden(checkpoint, golden_case(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Families, GgufFamily,
                         ::testing::Values("llama", "qwen2", "qwen3", "phi", "gemma"),
                         [](const ::testing::TestParamInfo<std::string>& test) {
                           return test.param;
                         });

TEST(GgufPhi2, IsReadFusedAsOlderFilesHaveIt) {
  const json& golden = golden_case("phi");
  const testing::TemporaryFolder folder;
  fixtures::write_golden_model(folder / "folder", golden);
  const ModelConfig config = Checkpoint::open(folder / "folder").config();
  Conversion conversion(golden, config, true);
  fixtures::put(folder / "model.gguf", conversion.file.bytes());
  expect_golden(Checkpoint::open(folder / "model.gguf"), golden);
  std::erase_if(conversion.file.tensors,
                [](const auto& tensor) { return tensor.name == "blk.3.attn_qkv.bias"; });
  fixtures::put(folder / "holed.gguf", conversion.file.bytes());
  EXPECT_NE(std::string(testing::error_of([&] { Checkpoint::open(folder / "holed.gguf"); }).what())
                .find("are missing, the first is 'blk.3.attn_"),
            std::string::npos);
}

// The released Llama 3.1: 128 features, theta 500,000, factor 8, 8192 positions.
std::vector<float> llama3_factors(const RopeScaling& scaling) {
  const auto plain = rope_frequencies(128, 500000.0, {}),
             scaled = rope_frequencies(128, 500000.0, scaling);
  std::vector<float> factors;
  for (size_t i = 0; i < plain.size(); ++i) factors.push_back(plain[i] / scaled[i]);
  return factors;
}

TEST(RopeFactors, AreRecognisedAsLlama3s) {
  for (const double factor : {8.0, 32.0}) {
    const RopeScaling scaling{RopeScaling::Kind::kLlama3, factor, 1, 4, 8192};
    const auto factors = llama3_factors(scaling);
    EXPECT_EQ(factors.front(), 1.0f);
    EXPECT_EQ(factors.back(), static_cast<float>(factor));
    EXPECT_EQ(scaling_of_factors(factors, 500000.0), scaling);
  }
}

TEST(RopeFactors, OfAnotherScalingAreRefused) {
  auto factors = llama3_factors({RopeScaling::Kind::kLlama3, 8, 1, 4, 8192});
  factors[30] *= 1.01f;
  const Error error = testing::error_of([&] { scaling_of_factors(factors, 500000.0); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_NE(std::string(error.what()).find("not Llama 3's scaling by 8"), std::string::npos);
}

TEST(RopeFactors, ComeFromAGgufFilesOwnTensor) {
  const json& golden = golden_case("llama");
  const testing::TemporaryFolder folder;
  fixtures::write_golden_model(folder / "folder", golden);
  const ModelConfig config = Checkpoint::open(folder / "folder").config();
  Conversion conversion(golden, config);
  // theta 10,000 and 8 features: frequencies 1, 0.1, 0.01 and 0.001, the last two beyond 8192 / 4
  // positions a turn only with a smaller theta, so all stay: a factor of 1.
  conversion.put("rope_freqs.weight", at::tensor({1.0f, 1.0f, 1.0f, 1.0f}));
  fixtures::put(folder / "model.gguf", conversion.file.bytes());
  const auto scaling = Checkpoint::open(folder / "model.gguf").config().rope_scaling;
  EXPECT_EQ(scaling.kind, RopeScaling::Kind::kLlama3);
  EXPECT_EQ(scaling.factor, 1.0);
  conversion.file.tensors.back() = {};
  conversion.file.tensors.pop_back();
  conversion.put("rope_freqs.weight", at::tensor({1.0f, 1.0f}));
  fixtures::put(folder / "short.gguf", conversion.file.bytes());
  EXPECT_EQ(testing::error_of([&] { Checkpoint::open(folder / "short.gguf"); }).kind(),
            ErrorKind::kInput);
}

}  // namespace
}  // namespace plumb::models
