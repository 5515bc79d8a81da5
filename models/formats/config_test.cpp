#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/formats/config_sources.h"

namespace plumb::models {
namespace {

using namespace fixtures;
using nlohmann::json;
using testing::error_of;
using ::testing::HasSubstr;

const Decoder& decoder() {
  static const Decoder tiny = tiny_decoder({});
  return tiny;
}
json sound_json() { return json::parse(tiny_config_json(decoder())); }

void expect_refused(const Error& error, const std::string& part) {
  EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
  EXPECT_THAT(error.what(), HasSubstr(part));
  EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
}
void expect_json_refused(const json& patch, const std::string& part) {
  json config = sound_json();
  for (const auto& [key, value] : patch.items()) config[key] = value;
  expect_refused(error_of([&] { config_from_json(config.dump()); }), part);
}
template <typename Change>
void expect_gguf_refused(Change&& change, const std::string& part) {
  GgufFile file = tiny_gguf(decoder(), StoredType::kF16);
  change(file);
  const std::string bytes = file.bytes();
  const GgufHeader header = parse_gguf(std::as_bytes(std::span(bytes)));
  expect_refused(error_of([&] { config_from_gguf(header); }), part);
}

void expect_tiny(const ModelConfig& config) {
  const ModelConfig& tiny = decoder().config();
  EXPECT_EQ(config.architecture, "llama");
  EXPECT_EQ(config.block_count, tiny.block_count);
  EXPECT_EQ(config.width, tiny.width);
  EXPECT_EQ(config.head_count, tiny.head_count);
  EXPECT_EQ(config.kv_head_count, tiny.kv_head_count);
  EXPECT_EQ(config.head_width, tiny.head_width);
  EXPECT_EQ(config.feed_forward_width, tiny.feed_forward_width);
  EXPECT_EQ(config.vocabulary_size, tiny.vocabulary_size);
  EXPECT_EQ(config.max_positions, tiny.max_positions);
  EXPECT_EQ(static_cast<float>(config.norm_epsilon), static_cast<float>(tiny.norm_epsilon));
  EXPECT_EQ(config.rope_theta, tiny.rope_theta);
  EXPECT_EQ(config.tied_embeddings, tiny.tied_embeddings);
}

TEST(ConfigJson, SaysWhatTheModelIs) {
  expect_tiny(config_from_json(sound_json().dump()));
  json config = sound_json();
  config["eos_token_id"] = {7, 8};
  config["bos_token_id"] = 3;
  EXPECT_EQ(config_from_json(config.dump()).eos_token, 7);
  EXPECT_EQ(config_from_json(config.dump()).bos_token, 3);
}

TEST(ConfigJson, TakesTheDefaultsOfTransformersForKeysThatAreAbsentOrNull) {
  for (const bool absent : {false, true}) {
    json config = sound_json();
    for (const char* key : {"num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
                            "rope_theta", "tie_word_embeddings", "hidden_act"})
      if (absent)
        config.erase(key);
      else
        config[key] = nullptr;
    const ModelConfig read = config_from_json(config.dump());
    EXPECT_EQ(read.kv_head_count, read.head_count);
    EXPECT_EQ(read.max_positions, 2048);
    EXPECT_EQ(read.norm_epsilon, 1e-6);
    EXPECT_EQ(read.rope_theta, 10000.0);
    EXPECT_FALSE(read.tied_embeddings);
  }
}

TEST(ConfigJson, ReadsRotaryThetaWhereverAVersionOfTransformersPutsIt) {
  json config = sound_json();
  config.erase("rope_theta");
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 5e5}};
  EXPECT_EQ(config_from_json(config.dump()).rope_theta, 5e5);
  config["rope_theta"] = 5e5;
  EXPECT_EQ(config_from_json(config.dump()).rope_theta, 5e5);
  expect_json_refused({{"rope_theta", 1e4}, {"rope_parameters", config["rope_parameters"]}},
                      "rope_theta is said twice, as 10000 and as 500000");
}

TEST(ConfigJson, NamesEveryKeyThatIsMissing) {
  for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers",
                          "num_attention_heads", "vocab_size"}) {
    json config = sound_json();
    config.erase(key);
    expect_refused(error_of([&] { config_from_json(config.dump()); }),
                   text("'", key, "' is missing; "));
  }
  json config = sound_json();
  config.erase("architectures");
  EXPECT_EQ(config_from_json(config.dump()).architecture, "llama");  // by its model_type
  config.erase("model_type");
  expect_refused(error_of([&] { config_from_json(config.dump()); }), "'architectures' is missing");
}

TEST(ConfigJson, NamesValuesOfAnotherKind) {
  for (const char* key : {"hidden_size", "num_hidden_layers", "vocab_size"})
    for (const json& value : {json("32"), json(3.5), json(true), json(json::array({1})),
                              json(std::numeric_limits<uint64_t>::max())})
      expect_json_refused({{key, value}}, text("'", key, "' is "));
  expect_json_refused({{"rms_norm_eps", "small"}}, "'rms_norm_eps' is '\"small\"'; a number");
  expect_json_refused({{"tie_word_embeddings", 1}}, "true or false is needed");
  expect_json_refused({{"architectures", "LlamaForCausalLM"}}, "a list of one name is needed");
  expect_json_refused({{"architectures", {"A", "B"}}}, "a list of one name is needed");
  expect_json_refused({{"rope_scaling", 2}}, "an object is needed");
}

TEST(ConfigJson, NamesContradictions) {
  expect_json_refused({{"model_type", "mistral"}}, "'mistral' but 'architectures' is 'LlamaFor");
  expect_json_refused({{"num_attention_heads", 5}}, "no multiple of 'num_attention_heads' 5");
  expect_json_refused({{"num_key_value_heads", 3}}, "4 heads and 3 key and value heads");
  expect_json_refused({{"num_key_value_heads", 8}}, "key and value heads is 8; it must be 1 to 4");
  expect_json_refused({{"head_dim", 15}}, "rotary width is 15 of 15; rotary embedding needs");
  expect_json_refused({{"eos_token_id", 256}}, "EOS token is 256; it must be 0 to 255");
  expect_json_refused({{"bos_token_id", -1}}, "BOS token is -1");
}

TEST(ConfigJson, RefusesSizesBeyondReason) {
  for (const int64_t size :
       {int64_t{0}, int64_t{-1}, int64_t{1} << 40, std::numeric_limits<int64_t>::max()}) {
    expect_json_refused({{"num_hidden_layers", size}}, text("number of blocks is ", size));
    expect_json_refused({{"hidden_size", size}, {"head_dim", 16}}, text("width is ", size));
    expect_json_refused({{"num_attention_heads", size}, {"head_dim", 16}},
                        text("number of heads is ", size));
    expect_json_refused({{"vocab_size", size}}, text("vocabulary size is ", size));
    expect_json_refused({{"intermediate_size", size}}, text("feed-forward width is ", size));
    expect_json_refused({{"head_dim", size}}, text("head width is ", size));
  }
  for (const double value : {0.0, -1e-5}) {
    expect_json_refused({{"rms_norm_eps", value}}, "norm epsilon");
    expect_json_refused({{"rope_theta", value}}, "rope theta");
  }
}

TEST(ConfigJson, RefusesArithmeticThatPlumbDoesNotHave) {
  expect_json_refused({{"hidden_act", "relu"}}, "'hidden_act' is 'relu'");
  expect_json_refused({{"partial_rotary_factor", 0.5}}, "'partial_rotary_factor' is 0.5");
  expect_json_refused({{"partial_rotary_factor", 1.5}}, "at most 1 is needed");
  expect_json_refused({{"layer_types", {"sliding_attention"}}}, "'layer_types' has");
  expect_json_refused({{"use_sliding_window", true}}, "'use_sliding_window' is true");
  expect_json_refused({{"rope_scaling", {{"type", "yarn"}}}}, "'yarn' scaling");
  expect_json_refused({{"rope_scaling", {{"rope_type", "llama3"}}}}, "'factor' of the scaling");
  expect_json_refused({{"rope_parameters", {{"factor", 8}}}}, "has 'factor'");
  expect_json_refused({{"quantization_config", {{"quant_method", "gptq"}}}}, "gptq");
  expect_json_refused({{"auto_map", {{"AutoModel", "evil.py"}}}}, "code of its own");
  expect_json_refused({{"rope_scaling", {{"type", "linear"}, {"factor", 0}}}}, "factor is 0");
}

ModelConfig config_with(const json& changes) {
  json config = sound_json();
  config.update(changes);
  return config_from_json(config.dump());
}

TEST(ConfigJson, ReadsTheSwitchesOfAFamily) {
  EXPECT_FALSE(config_with(json::object()).options.query_key_value_bias);
  EXPECT_TRUE(config_with({{"attention_bias", true}}).options.attention_out_bias);
  EXPECT_TRUE(config_with({{"mlp_bias", true}}).options.feed_forward_bias);
  EXPECT_EQ(config_with({{"hidden_act", "gelu"}}).options.activation, Activation::kGelu);
  json mistral{{"architectures", {"MistralForCausalLM"}}, {"model_type", "mistral"}};
  EXPECT_EQ(config_with(mistral).window, 4096);
  mistral["sliding_window"] = 7;
  EXPECT_EQ(config_with(mistral).window, 7);
  mistral["sliding_window"] = nullptr;
  EXPECT_EQ(config_with(mistral).window, 0);
}

TEST(ConfigJson, ReadsTheScalingOfRotaryPositionsInOldWordsAndNew) {
  const json scaling{{"rope_type", "llama3"},
                     {"factor", 8.0},
                     {"low_freq_factor", 1.0},
                     {"high_freq_factor", 4.0},
                     {"original_max_position_embeddings", 8192}};
  const RopeScaling expected{RopeScaling::Kind::kLlama3, 8, 1, 4, 8192};
  EXPECT_EQ(config_with({{"rope_scaling", scaling}}).rope_scaling, expected);
  EXPECT_EQ(config_with({{"rope_parameters", scaling}}).rope_scaling, expected);
  EXPECT_EQ(config_with({{"rope_parameters", scaling}, {"rope_scaling", scaling}}).rope_scaling,
            expected);
  expect_json_refused({{"rope_parameters", scaling}, {"rope_scaling", {{"type", "default"}}}},
                      "said twice");
}

TEST(ConfigJson, RefusesWhatIsNoJsonObject) {
  for (const char* words : {"", "[]", "7", "{", "null", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":NaN}"})
    EXPECT_EQ(error_of([&] { config_from_json(words); }).kind(), ErrorKind::kInput) << words;
}

TEST(ConfigGguf, SaysWhatTheModelIs) {
  const std::string bytes = tiny_gguf(decoder(), StoredType::kF16).bytes();
  const GgufHeader header = parse_gguf(std::as_bytes(std::span(bytes)));
  const ModelConfig config = config_from_gguf(header);
  expect_tiny(config);
  EXPECT_EQ(config.license, "Apache-2.0");
  EXPECT_EQ(config.bos_token, 0);
  EXPECT_EQ(config.eos_token, 1);
}

TEST(ConfigGguf, NamesEveryKeyThatIsMissingOrOfAnotherKind) {
  for (const std::string key :
       {"llama.block_count", "llama.embedding_length", "llama.feed_forward_length",
        "llama.context_length", "llama.attention.head_count"}) {
    expect_gguf_refused(
        [&](GgufFile& f) { std::erase_if(f.metadata, [&](auto& p) { return p.first == key; }); },
        "metadata key '" + key + "' is missing");
    expect_gguf_refused([&](GgufFile& f) { f.field(key) = gguf_text("7"); },
                        "metadata key '" + key + "' must be one whole number");
    expect_gguf_refused([&](GgufFile& f) { f.field(key) = gguf_u64(~uint64_t{0}); },
                        "metadata key '" + key + "' must be one whole number");
    expect_gguf_refused([&](GgufFile& f) { f.field(key) = gguf_i32(-3); }, "-3");
  }
  const std::string epsilon = "llama.attention.layer_norm_rms_epsilon";
  expect_gguf_refused([&](GgufFile& f) { f.field(epsilon) = gguf_u32(1); },
                      "must be one floating-point number");
  expect_gguf_refused(
      [&](GgufFile& f) { f.field(epsilon) = gguf_f32(std::numeric_limits<float>::quiet_NaN()); },
      "norm epsilon is nan");
  expect_gguf_refused([](GgufFile& f) { f.field("general.architecture") = gguf_u32(1); },
                      "'general.architecture' must be text");
}

TEST(ConfigGguf, NamesContradictions) {
  expect_gguf_refused([](GgufFile& f) { f.field("llama.attention.head_count") = gguf_u32(5); },
                      "the width 64 is no multiple of the 5 heads");
  expect_gguf_refused([](GgufFile& f) { f.field("llama.attention.head_count") = gguf_u32(0); },
                      "no multiple of the 0 heads");
  expect_gguf_refused([](GgufFile& f) { f.metadata.emplace_back("llama.vocab_size", gguf_u32(9)); },
                      "the vocabulary has 9 tokens but the embedding 256 rows");
  expect_gguf_refused([](GgufFile& f) { f.field("tokenizer.ggml.eos_token_id") = gguf_u32(256); },
                      "EOS token is 256");
}

TEST(ConfigGguf, RefusesArithmeticThatPlumbDoesNotHave) {
  const auto with = [](const char* key, const GgufField& field, const std::string& part) {
    expect_gguf_refused([&](GgufFile& f) { f.metadata.emplace_back(key, field); }, part);
  };
  with("llama.rope.scaling.type", gguf_text("yarn"), "'yarn' scaling");
  with("llama.rope.scaling.factor", gguf_f32(2), "scales rotary positions by 2");
  with("llama.expert_count", gguf_u32(8), "'llama.expert_count' is 8");
  with("llama.attention.sliding_window", gguf_u32(4096), "sliding_window' is 4096");
  with("llama.logit_scale", gguf_f32(0.5f), "'llama.logit_scale' is 0.5");
  with("llama.rope.dimension_count", gguf_u32(8), "is 8 but a head has 16 values");
  with("split.count", gguf_u32(3), "one of 3 parts; merge them");
}

}  // namespace
}  // namespace plumb::models
