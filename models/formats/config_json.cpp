#include <limits>

#include "base/error.h"
#include "base/json_fields.h"
#include "models/formats/bounds.h"
#include "models/formats/config_sources.h"

namespace plumb::models {
namespace {

using Json = nlohmann::ordered_json;

template <typename... Parts>
Error refusal(const Parts&... parts) {
  return Error(ErrorKind::kInput, text(parts...));
}

// A key that is absent or null takes its default, as in transformers.
const Json* value_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

int64_t whole(const Json& value, const char* key) {
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() &&
       value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())))
    throw damaged("'", key, "' is ", printable(value.dump()), "; a whole number is needed");
  return value.get<int64_t>();
}

int64_t required_whole(const Json& object, const char* key) {
  const Json* value = value_of(object, key);
  if (!value) throw damaged("'", key, "' is missing");
  return whole(*value, key);
}

int64_t whole_or(const Json& object, const char* key, int64_t fallback) {
  const Json* value = value_of(object, key);
  return value ? whole(*value, key) : fallback;
}

double real(const Json& value, const char* key) {
  if (!value.is_number())
    throw damaged("'", key, "' is ", printable(value.dump()), "; a number is needed");
  return value.get<double>();
}

bool flag(const Json& object, const char* key) {
  const Json* value = value_of(object, key);
  if (value && !value->is_boolean())
    throw damaged("'", key, "' is ", printable(value->dump()), "; true or false is needed");
  return value && value->get<bool>();
}

std::string word(const Json& value, const char* key) {
  if (!value.is_string())
    throw damaged("'", key, "' is ", printable(value.dump()), "; text is needed");
  return value.get<std::string>();
}

// One of rope_scaling (transformers 4) and rope_parameters (5): the type must be the plain one; the
// theta, where it is said here, is returned.
std::optional<double> plain_rope_theta(const Json& object, const char* key) {
  const Json* rope = value_of(object, key);
  if (!rope) return std::nullopt;
  if (!rope->is_object())
    throw damaged("'", key, "' is ", printable(rope->dump()), "; an object is needed");
  for (const char* type_key : {"rope_type", "type"})
    if (const Json* type = value_of(*rope, type_key); type && word(*type, type_key) != "default")
      throw unsupported(
          "'", key, "' asks for ", printable(type->get<std::string>()),
          " scaling of rotary positions, which Plumb does not have; 'default' is all it has");
  for (const auto& [name, value] : rope->items()) {
    if (name == "rope_theta" || name == "rope_type" || name == "type") continue;
    if (name == "partial_rotary_factor" && value == 1.0) continue;
    throw unsupported("'", key, "' has ", printable(name), ", which Plumb does not implement");
  }
  const Json* theta = value_of(*rope, "rope_theta");
  return theta ? std::optional(real(*theta, "rope_theta")) : std::nullopt;
}

double rope_theta(const Json& object) {
  std::optional<double> theta;
  const auto agree = [&](std::optional<double> said) {
    if (said && theta && *said != *theta)
      throw damaged("rope_theta is said twice, as ", *theta, " and as ", *said);
    if (said) theta = said;
  };
  if (const Json* plain = value_of(object, "rope_theta")) agree(real(*plain, "rope_theta"));
  agree(plain_rope_theta(object, "rope_parameters"));
  agree(plain_rope_theta(object, "rope_scaling"));
  return theta.value_or(10000.0);
}

void refuse_foreign_arithmetic(const Json& object, const Architecture& architecture) {
  for (const char* key : {"attention_bias", "mlp_bias"})
    if (flag(object, key))
      throw unsupported("'", key, "' is true; Plumb has no biases in linear layers");
  if (const Json* act = value_of(object, "hidden_act"); act && word(*act, "hidden_act") != "silu")
    throw unsupported("'hidden_act' is ", printable(act->get<std::string>()), "; Plumb has 'silu'");
  if (const Json* partial = value_of(object, "partial_rotary_factor"); partial && *partial != 1.0)
    throw unsupported("'partial_rotary_factor' is ", printable(partial->dump()),
                      "; Plumb rotates whole heads");
  if (const Json* q = value_of(object, "quantization_config")) {
    const Json* method = q->is_object() ? value_of(*q, "quant_method") : nullptr;
    throw refusal(
        "the weights are quantised",
        method ? text(" by ", printable(method->dump())) : std::string(),
        " inside safetensors; Plumb reads F32, F16 and BF16 there: use the unquantised model, or "
        "a GGUF");
  }
  if (architecture.name != "mistral") return;
  // MistralConfig's own defaults are a window of 4096 and 8 key and value heads.
  if (!object.contains("sliding_window") || !object["sliding_window"].is_null())
    throw unsupported(
        "the model attends through a sliding window; Plumb has full attention only "
        "('sliding_window': null)");
  required_whole(object, "num_key_value_heads");
}

const Architecture& architecture_of(const Json& object) {
  if (object.contains("auto_map"))
    throw unsupported("the config asks for code of its own ('auto_map'), which Plumb never runs");
  const Json* type = value_of(object, "model_type");
  const Json* classes = value_of(object, "architectures");
  if (classes) {
    if (!classes->is_array() || classes->size() != 1 || !classes->front().is_string())
      throw damaged("'architectures' is ", printable(classes->dump()),
                    "; a list of one name is needed");
    const Architecture& found = architecture_by_class(classes->front().get<std::string>());
    if (type && word(*type, "model_type") != found.hugging_face_type)
      throw damaged("'model_type' is ", printable(type->get<std::string>()),
                    " but 'architectures' is ", printable(found.hugging_face_class));
    return found;
  }
  if (!type) throw damaged("'architectures' is missing");
  return architecture_by_gguf_name(word(*type, "model_type"));
}

std::optional<int64_t> token(const Json& object, const char* key) {
  const Json* value = value_of(object, key);
  if (value && value->is_array()) value = value->empty() ? nullptr : &value->front();
  return value ? std::optional(whole(*value, key)) : std::nullopt;
}

}  // namespace

ModelConfig config_from_json(std::string_view json) {
  const Json object = parse_json(json);
  if (!object.is_object()) throw damaged("the config is no JSON object");
  const Architecture& architecture = architecture_of(object);
  refuse_foreign_arithmetic(object, architecture);
  ModelConfig config;
  config.architecture = architecture.name;
  // A path of the machine that saved the model says nothing here; the folder's name will do.
  if (const Json* name = value_of(object, "_name_or_path");
      name && name->is_string() && !name->get<std::string>().starts_with('/'))
    config.name = name->get<std::string>();
  config.block_count = required_whole(object, "num_hidden_layers");
  config.width = required_whole(object, "hidden_size");
  config.head_count = required_whole(object, "num_attention_heads");
  config.kv_head_count = whole_or(object, "num_key_value_heads", config.head_count);
  config.feed_forward_width = required_whole(object, "intermediate_size");
  config.vocabulary_size = required_whole(object, "vocab_size");
  config.max_positions = whole_or(object, "max_position_embeddings", 2048);
  if (!value_of(object, "head_dim") &&
      (config.head_count < 1 || config.width % config.head_count != 0))
    throw damaged("'hidden_size' ", config.width, " is no multiple of 'num_attention_heads' ",
                  config.head_count, ", and 'head_dim' is missing");
  config.head_width = value_of(object, "head_dim") ? required_whole(object, "head_dim")
                                                   : config.width / config.head_count;
  const Json* epsilon = value_of(object, "rms_norm_eps");
  config.norm_epsilon = epsilon ? real(*epsilon, "rms_norm_eps") : 1e-6;  // LlamaConfig's default
  config.rope_theta = rope_theta(object);
  config.tied_embeddings = flag(object, "tie_word_embeddings");
  config.bos_token = token(object, "bos_token_id");
  config.eos_token = token(object, "eos_token_id");
  validate(config);
  return config;
}

}  // namespace plumb::models
