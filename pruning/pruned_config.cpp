#include "pruning/pruned_config.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"

namespace plumb::pruning {
namespace {

using Json = nlohmann::ordered_json;

// Lists of block indices in configs of transformers; every other list named after layers has one
// entry a block.
constexpr std::array kIndexLists{"mlp_only_layers", "no_rope_layer_indices", "full_attn_idxs",
                                 "cross_attention_layers", "attn_layer_indices"};

Json entries_that_stay(const std::string& key, const Json& list, const PruningPlan& plan) {
  if (static_cast<int64_t>(list.size()) != plan.block_count)
    throw Error(ErrorKind::kInput,
                text("config.json: '", key, "' has ", list.size(), " entries for ",
                     plan.block_count, " blocks; what becomes of it without some is unknown"));
  Json stay = Json::array();
  for (const int64_t block : plan.kept()) stay.push_back(list[static_cast<size_t>(block)]);
  return stay;
}

Json indices_that_stay(const Json& list, const PruningPlan& plan) {
  const auto kept = plan.kept();
  Json stay = Json::array();
  for (const Json& entry : list) {
    const auto found =
        entry.is_number_integer() ? std::ranges::find(kept, entry.get<int64_t>()) : kept.end();
    if (found != kept.end()) stay.push_back(found - kept.begin());
  }
  return stay;
}

const char* activation_name(models::Activation activation) {
  if (activation == models::Activation::kSilu) return "silu";
  return activation == models::Activation::kGelu ? "gelu" : "gelu_pytorch_tanh";
}

/// Of the families that llama.cpp writes.
Json config_of_gguf(const models::Checkpoint& checkpoint, const PruningPlan& plan,
                    const std::string& dtype) {
  const models::ModelConfig& c = checkpoint.config();
  const models::Architecture& architecture = checkpoint.architecture();
  const bool layer_norm = c.options.norm == models::Norm::kLayer;
  Json config{{"architectures", {architecture.hugging_face_class}},
              {"model_type", architecture.hugging_face_type},
              {"attention_bias", false},
              {"attention_dropout", 0.0},
              {"head_dim", c.head_width},
              {"hidden_act", activation_name(c.options.activation)},
              {"hidden_size", c.width},
              {"initializer_range", 0.02},
              {"intermediate_size", c.feed_forward_width},
              {"max_position_embeddings", c.max_positions},
              {"mlp_bias", false},
              {"num_attention_heads", c.head_count},
              {"num_hidden_layers", c.block_count - plan.removed_count()},
              {"num_key_value_heads", c.kv_head_count},
              {layer_norm ? "layer_norm_eps" : "rms_norm_eps", c.norm_epsilon},
              {"rope_theta", c.rope_theta},
              {"tie_word_embeddings", c.tied_embeddings},
              {"torch_dtype", dtype},
              {"use_cache", true},
              {"vocab_size", c.vocabulary_size}};
  if (c.rotary_width != c.head_width)
    config["partial_rotary_factor"] =
        static_cast<double>(c.rotary_width) / static_cast<double>(c.head_width);
  if (const models::RopeScaling& s = c.rope_scaling; s.kind == models::RopeScaling::Kind::kLlama3)
    config["rope_scaling"] = {{"rope_type", "llama3"},
                              {"factor", s.factor},
                              {"low_freq_factor", s.low_frequency_factor},
                              {"high_freq_factor", s.high_frequency_factor},
                              {"original_max_position_embeddings", s.original_positions}};
  if (c.bos_token) config["bos_token_id"] = *c.bos_token;
  if (c.eos_token) config["eos_token_id"] = *c.eos_token;
  return config;
}

}  // namespace

std::string without_blocks(const std::string& config, const PruningPlan& plan) {
  Json json = parse_json(config);
  json["num_hidden_layers"] = plan.block_count - plan.removed_count();
  for (auto& [key, value] : json.items()) {
    if (!value.is_array()) continue;
    if (std::ranges::find(kIndexLists, key) != kIndexLists.end())
      value = indices_that_stay(value, plan);
    else if (key.find("layer") != std::string::npos)
      value = entries_that_stay(key, value, plan);
  }
  return json.dump(2) + "\n";
}

std::string pruned_config_json(const models::Checkpoint& checkpoint,
                               const std::filesystem::path& model_path, const PruningPlan& plan,
                               const std::string& dtype) {
  if (checkpoint.is_gguf()) return config_of_gguf(checkpoint, plan, dtype).dump(2) + "\n";
  return without_blocks(read_file(model_path / "config.json"), plan);
}

}  // namespace plumb::pruning
