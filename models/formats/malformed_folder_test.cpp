// Folders whose config.json, index, shards or weights are wrong, each opened and loaded as a user's would be.

#include <gmock/gmock.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/decoder.h"
#include "models/formats/malformed.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;
using fixtures::put;
using fixtures::SafetensorsTensor;
using nlohmann::json;
using testing::MalformedCase;
using Words = std::vector<std::string>;

constexpr const char* kFirst = "model-00001-of-00002.safetensors";
constexpr const char* kSecond = "model-00002-of-00002.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

const Decoder& decoder() {
  static const Decoder tiny = [] {
    fixtures::TinyDecoderOptions small;
    small.block_count = 2;
    small.width = 16;
    small.feed_forward_width = 16;
    return fixtures::tiny_decoder(small);
  }();
  return tiny;
}

/// A sound folder of two shards, then changed.
MalformedCase folder(const std::string& name, std::function<void(const fs::path&)> change,
                     Words words) {
  const auto write = [change](const fs::path& path) {
    fixtures::write_tiny_folder(path, decoder(), StoredType::kF32, 2);
    change(path);
  };
  return {name, write, std::move(words)};
}

MalformedCase config_text(const std::string& name, std::function<std::string()> bytes,
                          Words words) {
  return folder(
      name, [bytes](const fs::path& path) { put(path / "config.json", bytes()); },
      std::move(words));
}
MalformedCase config(const std::string& name, const json& changes, Words words) {
  return config_text(
      name,
      [changes] {
        json sound = json::parse(fixtures::tiny_config_json(decoder()));
        sound.update(changes);
        return sound.dump();
      },
      std::move(words));
}

std::vector<MalformedCase> config_texts() {
  const auto fixed = [](const std::string& name, const std::string& bytes, Words words) {
    return config_text(
        name, [bytes] { return bytes; }, std::move(words));
  };
  return {
      fixed("ConfigEmpty", "", {"config.json: not valid JSON"}),
      fixed("ConfigNoJson", "hidden_size: 16", {"config.json: not valid JSON at byte 1"}),
      fixed("ConfigAnArray", "[{}]", {"config.json: the config is no JSON object"}),
      fixed("ConfigNull", "null", {"config.json: the config is no JSON object"}),
      fixed("ConfigEmptyObject", "{}", {"'architectures' is missing"}),
      fixed("ConfigCutShort", "{\"architectures\":[\"Llama", {"not valid JSON at byte"}),
      fixed("ConfigWithAByteOrderMark", "\xEF\xBB\xBF{}", {"a byte-order mark"}),
      fixed("ConfigWithNul", std::string("{}\0", 3), {"a NUL at byte 2"}),
      fixed("ConfigKeyTwice", R"({"hidden_size":16,"hidden_size":32})",
            {"key 'hidden_size' twice in an object"}),
      fixed("ConfigTooDeep", "{\"a\":" + std::string(10'000, '[') + std::string(10'000, ']') + "}",
            {"nested deeper than 64 levels"}),
      config_text("ConfigOfAMillionZeros",
                  [] {
                    std::string zeros = "[0";
                    for (int i = 0; i < 1'000'000; ++i) zeros += ",0";
                    return text("{\"architectures\":", zeros, "]}");
                  },
                  {"config.json: the JSON has more than 65536 values"}),
      config_text("ConfigOfSixtyThousandZeros",
                  [] {
                    std::string zeros = "[0";
                    for (int i = 0; i < 60'000; ++i) zeros += ",0";
                    return text("{\"architectures\":", zeros, "]}");
                  },
                  {"'architectures' is array of 60001; a list of one name is needed"}),
      config_text("ConfigOf200000Keys",
                  [] {
                    std::string keys = "{\"a\":0";
                    for (int i = 0; i < 200'000; ++i) keys += text(",\"", i, "\":0");
                    return text(keys, "}");
                  },
                  {"config.json: the JSON has more than 65536 values"}),
      config_text("ConfigOfFiveMegabytes",
                  [] { return "{\"a\":\"" + std::string(5 << 20, 'x') + "\"}"; },
                  {"the config has 5242888 bytes; at most 4194304 are allowed"}),
      folder("ConfigMissing", [](const fs::path& path) { fs::remove(path / "config.json"); },
             {"has no config.json"}),
  };
}

std::vector<MalformedCase> configs() {
  const json code = {{"auto_map", {{"AutoModelForCausalLM", "modeling_evil.EvilModel"}}}};
  return {
      config("LayersZero", {{"num_hidden_layers", 0}}, {"number of blocks is 0; it must be 1"}),
      config("LayersMinusOne", {{"num_hidden_layers", -1}}, {"number of blocks is -1"}),
      config("LayersABillion", {{"num_hidden_layers", 1'000'000'000}}, {"1000000000", "1 to 512"}),
      config("LayersOneAndAHalf", {{"num_hidden_layers", 1.5}}, {"1.5'; a whole number is needed"}),
      config("LayersText", {{"num_hidden_layers", "2"}}, {"a whole number is needed"}),
      config("LayersTwoToThe64", {{"num_hidden_layers", ~uint64_t{0}}}, {"a whole number"}),
      config("LayersNull", {{"num_hidden_layers", nullptr}}, {"'num_hidden_layers' is missing"}),
      config("OneLayerTooMany", {{"num_hidden_layers", 3}},
             {"9 tensors of a llama decoder of 3 blocks are missing", "'model.layers.2."}),
      config("OneLayerTooFew", {{"num_hidden_layers", 1}},
             {"'model.layers.1.", "has no place in a llama decoder of 1 blocks"}),
      config("HeadsThatDoNotDivide", {{"num_attention_heads", 5}},
             {"'hidden_size' 16 is no multiple of 'num_attention_heads' 5"}),
      config("HeadsZero", {{"num_attention_heads", 0}}, {"no multiple of 'num_attention_heads' 0"}),
      config("MoreKeyHeadsThanHeads", {{"num_key_value_heads", 8}},
             {"key and value heads is 8; it must be 1 to 4"}),
      config("KeyHeadsThatDoNotDivide", {{"num_key_value_heads", 3}},
             {"4 heads and 3 key and value heads", "must divide"}),
      config("KeyHeadsZero", {{"num_key_value_heads", 0}}, {"key and value heads is 0"}),
      config("WidthZero", {{"hidden_size", 0}}, {"width is 0; it must be 1"}),
      config("WidthTwoToThe40", {{"hidden_size", int64_t{1} << 40}}, {"width is 1099511627776"}),
      config("FeedForwardOfAnotherModel", {{"intermediate_size", 32}},
             {"has shape [16, 16] but the config needs", "of different models"}),
      config("VocabularyOfAnotherModel", {{"vocab_size", 255}},
             {"'model.embed_tokens.weight' has shape [256, 16] but the config needs [255, 16]"}),
      config("VocabularyNegative", {{"vocab_size", -256}}, {"vocabulary size is -256"}),
      config("ThetaZero", {{"rope_theta", 0}}, {"rope theta is 0; it must be finite and above 0"}),
      config("ThetaNegative", {{"rope_theta", -10000.0}}, {"rope theta is -10000"}),
      config("ThetaNaNAsText", {{"rope_theta", "NaN"}}, {"'rope_theta'", "a number is needed"}),
      config("ThetaAnArray", {{"rope_theta", json::array()}}, {"'rope_theta' is array of 0"}),
      config("EpsilonZero", {{"rms_norm_eps", 0.0}}, {"norm epsilon is 0"}),
      config("PositionsZero", {{"max_position_embeddings", 0}}, {"number of positions is 0"}),
      config("HeadWidthOdd", {{"head_dim", 3}}, {"needs an even one"}),
      config("ArchitectureUnknown", {{"architectures", {"MambaForCausalLM"}}},
             {"'MambaForCausalLM', which Plumb does not know; it knows: LlamaForCausalLM"}),
      config("ArchitectureOfTerminalCommands", {{"architectures", {"\x1b[2J\n"}}},
             {"'\\x1b[2J\\x0a', which Plumb does not know"}),
      config("TwoArchitectures", {{"architectures", {"A", "B"}}}, {"a list of one name is needed"}),
      config("TypeOfAnotherArchitecture", {{"model_type", "gemma"}},
             {"'model_type' is 'gemma' but 'architectures' is 'LlamaForCausalLM'"}),
      config("CodeOfItsOwn", code, {"code of its own ('auto_map'), which Plumb never runs"}),
      config("QuantisedInside", {{"quantization_config", {{"quant_method", "awq"}}}},
             {"the weights are quantised by '\"awq\"'", "F32, F16 and BF16"}),
      config("ScalingUnknown", {{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}}},
             {"'yarn' scaling of rotary positions, which Plumb does not have"}),
      config("EosBeyondTheVocabulary", {{"eos_token_id", 256}}, {"EOS token is 256", "0 to 255"}),
      config("TiedAsText", {{"tie_word_embeddings", "yes"}}, {"true or false is needed"}),
      config("UntiedWithoutAnUnembedding", {{"tie_word_embeddings", false}},
             {"1 tensors of a llama decoder", "'lm_head.weight'"}),
  };
}

MalformedCase index_text(const std::string& name, const std::string& bytes, Words words) {
  words.push_back(kIndex);
  return folder(
      name, [bytes](const fs::path& path) { put(path / kIndex, bytes); }, std::move(words));
}
/// Of which file one tensor is.
MalformedCase mapped(const std::string& name, const std::string& to, Words words) {
  return index_text(name, json{{"weight_map", {{"model.norm.weight", to}}}}.dump(),
                    std::move(words));
}
MalformedCase index(const std::string& name, std::function<void(json&)> change, Words words) {
  return folder(
      name,
      [change](const fs::path& path) {
        json whole = json::parse(read_file(path / kIndex));
        change(whole["weight_map"]);
        put(path / kIndex, whole.dump());
      },
      std::move(words));
}

std::vector<MalformedCase> indices() {
  const Words unsafe = {"a file name is empty or not allowed", "plain relative names"};
  return {
      index_text("IndexEmpty", "", {"the JSON is no object"}),
      index_text("IndexAnArray", "[]", {"the JSON is no object"}),
      index_text("IndexWithoutAMap", "{}", {"the index has no weight_map"}),
      index_text("IndexWithAnEmptyMap", "{\"weight_map\":{}}", {"or an empty one"}),
      index_text("IndexWhoseMapIsAnArray", "{\"weight_map\":[]}", {"weight_map must be an object"}),
      index_text("IndexWithTwoMaps", R"({"weight_map":{"a":"b.safetensors"},"weight_map":{}})",
                 {"weight_map occurs twice"}),
      index_text("IndexOfANumber", R"({"weight_map":{"a":7}})", {"weight_map must be an object"}),
      index_text("IndexOfNull", R"({"weight_map":{"a":null}})", {"weight_map must be an object"}),
      index_text("IndexOfAList", R"({"weight_map":{"a":["b"]}})", {"weight_map must be an object"}),
      index_text("IndexOfATensorTwice",
                 R"({"weight_map":{"a":"b.safetensors","a":"c.safetensors"}})",
                 {"weight_map names tensor 'a' twice"}),
      index_text("IndexTooDeep", "{\"x\":" + std::string(999, '[') + std::string(999, ']') + "}",
                 {"nested deeper than 16 levels"}),
      mapped("PathToAbove", "../model.safetensors", unsafe),
      mapped("PathToAboveInTheMiddle", "a/../../b.safetensors", unsafe),
      mapped("PathAbsolute", "/etc/passwd", unsafe),
      mapped("PathOfWindows", "..\\model.safetensors", unsafe),
      mapped("PathOfADrive", "C:model.safetensors", unsafe),
      mapped("PathEmpty", "", unsafe),
      mapped("PathOfDots", ".", unsafe),
      mapped("PathHidden", ".model.safetensors", unsafe),
      mapped("PathWithTwoSlashes", "a//b.safetensors", unsafe),
      mapped("PathThatEndsWithASlash", "a.safetensors/", unsafe),
      mapped("PathWithNul", std::string("a\0.safetensors", 14), unsafe),
      mapped("PathWithASpace", "a b.safetensors", unsafe),
      mapped("PathNotAscii", "mod\u00e8le.safetensors", unsafe),
      mapped("PathOfAUrl", "https://host/model.safetensors", unsafe),
      mapped("PathOfAPickle", "pytorch_model-00001-of-00002.bin",
             {"'pytorch_model-00001-of-00002.bin', which is no .safetensors file"}),
      mapped("PathOfNoFile", "absent.safetensors", {"1 of 1 files", "first 'absent.safetensors'"}),
      index("TensorInTheWrongShard",
            [](json& map) {
              map["model.norm.weight"] = map["model.norm.weight"] == kFirst ? kSecond : kFirst;
            },
            {"'model.norm.weight' is here, but the index has it in another file"}),
      index("TensorThatTheIndexLacks", [](json& map) { map.erase("model.norm.weight"); },
            {"'model.norm.weight' is here, but the index has it nowhere"}),
      index("TensorThatTheShardLacks", [](json& map) { map["more"] = kFirst; },
            {"the index has tensor 'more' in", "which lacks it"}),
  };
}

/// Takes a sound folder's shards apart and puts them together again.
MalformedCase shards(const std::string& name,
                     std::function<void(std::vector<SafetensorsTensor>&)> change, Words words) {
  return folder(
      name,
      [change](const fs::path& path) {
        for (const char* file : {kFirst, kSecond, kIndex}) fs::remove(path / file);
        auto tensors = fixtures::tiny_tensors(decoder(), StoredType::kF32);
        change(tensors);
        put(path / "model.safetensors", fixtures::safetensors_bytes(tensors));
      },
      std::move(words));
}

std::vector<MalformedCase> weights() {
  const auto value = [](const char* tensor, size_t at, float number) {
    return [=](std::vector<SafetensorsTensor>& all) {
      for (SafetensorsTensor& one : all)
        if (one.name == tensor) std::memcpy(one.bytes.data() + 4 * at, &number, sizeof number);
    };
  };
  const auto rename = [](const std::string& from, const std::string& to) {
    return [=](std::vector<SafetensorsTensor>& all) {
      for (SafetensorsTensor& one : all)
        if (const size_t found = one.name.find(from); found != std::string::npos)
          one.name.replace(found, from.size(), to);
    };
  };
  const char* up = "model.layers.1.mlp.up_proj.weight";
  const char* norm = "model.norm.weight";
  return {
      shards("WeightNaN", value(up, 5, std::numeric_limits<float>::quiet_NaN()),
             {"'model.layers.1.mlp.up_proj.weight' holds 1 values that are NaN or infinite",
              "index 5 (row 0, column 5)"}),
      shards("WeightInfinite", value(norm, 3, std::numeric_limits<float>::infinity()),
             {"'model.norm.weight' holds 1 values", "index 3"}),
      shards("LayerIndexThatJumps", rename("layers.1.", "layers.2."),
             {"9 tensors of a llama decoder of 2 blocks are missing", "'model.layers.1."}),
      shards("LayerIndexWithALeadingZero", rename("layers.1.", "layers.01."),
             {"9 tensors of a llama decoder of 2 blocks are missing"}),
      shards("LayerIndexNegative", rename("layers.1.", "layers.-1."), {"9 tensors of a llama"}),
      shards("NamesOfAnotherFamily", rename("self_attn", "attention"), {"are missing"}),
      shards("BiasThatNobodyReads",
             [](auto& all) {
               all.push_back({"model.layers.0.self_attn.q_proj.bias", "F32", {1}, "1234"});
             },
             {"'model.layers.0.self_attn.q_proj.bias' has no place"}),
      shards("Transposed",
             [](auto& all) {
               all[0].shape = {16, 256};
             },
             {"has shape [16, 256] but the config needs [256, 16]"}),
      folder("ShardMissing", [](const fs::path& path) { fs::remove(path / kSecond); },
             {"1 of 2 files", kSecond, "fetch the model again"}),
      folder("ShardCutShort",
             [](const fs::path& path) {
               fs::resize_file(path / kSecond, fs::file_size(path / kSecond) - 1);
             },
             {kSecond, "cut short"}),
      folder("ShardEmpty", [](const fs::path& path) { put(path / kSecond, ""); },
             {"is empty (0 bytes)"}),
      // The second shard is the first again: each of its layers' tensors is there twice.
      folder("LayersTwiceAcrossShards",
             [](const fs::path& path) { put(path / kSecond, read_file(path / kFirst)); },
             {"is here, but the index has it in another file"}),
      folder("PickleAlone",
             [](const fs::path& path) {
               for (const char* file : {kFirst, kSecond, kIndex}) fs::remove(path / file);
               put(path / "pytorch_model.bin", "\x80\x02}q");
             },
             {"only 'pytorch_model.bin', a pickle", "refuses it"}),
      folder("NoWeights",
             [](const fs::path& path) {
               for (const char* file : {kFirst, kSecond, kIndex}) fs::remove(path / file);
             },
             {"neither model.safetensors nor model.safetensors.index.json"}),
  };
}

std::vector<MalformedCase> all() {
  std::vector<MalformedCase> cases;
  for (auto group : {config_texts, configs, indices, weights})
    for (MalformedCase& one : group()) cases.push_back(std::move(one));
  return cases;
}

class MalformedFolder : public ::testing::TestWithParam<MalformedCase> {};
TEST_P(MalformedFolder, IsRefusedByName) {
  // A piece of a weight file that is decoded at a time has 128 KiB.
  testing::expect_refused(
      GetParam(), [](const fs::path& path) { Decoder::load(Checkpoint::open(path), Dtype::kFp32); },
      2 * testing::kFixedBuffers);
}
INSTANTIATE_TEST_SUITE_P(Cases, MalformedFolder, ::testing::ValuesIn(all()), testing::case_name);

/// `total_size` is a remark that writers fill in differently: shards say what they hold themselves.
TEST(SoundFolder, IsReadWhateverItsIndexSaysOfTheTotalSize) {
  for (const json& total : {json(0), json(-1), json(1e30), json("many"), json(nullptr)}) {
    const plumb::testing::TemporaryFolder path;
    fixtures::write_tiny_folder(path.path(), decoder(), StoredType::kF32, 2);
    json whole = json::parse(read_file(path / kIndex));
    whole["metadata"]["total_size"] = total;
    put(path / kIndex, whole.dump());
    EXPECT_NO_THROW(Checkpoint::open(path.path())) << total;
  }
}

}  // namespace
}  // namespace plumb::models
